"""Checks what an audit log proves. Needs nothing but Python: this file can be copied and run alone.

``python proof.py export.jsonl --checkpoint FILE --key KEY`` reads what ``retinue audit export --proofs`` has
written, and a checkpoint that was kept outside. It ends with 0 if everything holds, with 7 and what does not.

Trees are those of RFC 9162 (SHA-256), checkpoints signed notes (c2sp.org/signed-note, tlog-checkpoint) under
Ed25519 (RFC 8032; here only the check of a signature).
"""

from __future__ import annotations

import argparse
import base64
import binascii
import hashlib
import json
import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

EXIT_OK, EXIT_USAGE, EXIT_FOUND = 0, 2, 7
#: What says that events were let go, since their organization keeps them no longer.
EXPIRED = "audit_log.expired"
ED25519 = b"\x01"
#: Whole numbers up to here are the same in every JSON reader.
_LARGEST = 2**53 - 1
EMPTY = hashlib.sha256().digest()


class NotProven(Exception):
    """A note, a key or a proof does not say what it should; the text says what is wrong."""


# Trees: RFC 9162, section 2.1.


def leaf_hash(entry: bytes) -> bytes:
    """Return the hash of a leaf."""
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of what stands over two others."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def tree_hash(hashes: Sequence[bytes]) -> bytes:
    """Return the root over the hashes of leaves, or of subtrees of one size."""
    level = list(hashes)
    while len(level) > 1:
        pairs = [node_hash(*level[i : i + 2]) for i in range(0, len(level) - 1, 2)]
        level = pairs + level[len(pairs) * 2 :]
    return level[0] if level else EMPTY


def is_included(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Tell whether ``proof`` leads from the leaf hash at ``index`` to the root of a tree of ``size``."""
    if not 0 <= index < size:
        return False
    at, last, found = index, size - 1, leaf
    for each in proof:
        if last == 0:
            return False
        if at & 1 or at == last:
            found = node_hash(each, found)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            found = node_hash(found, each)
        at, last = at >> 1, last >> 1
    return last == 0 and found == root


def is_consistent(old: int, old_root: bytes, new: int, new_root: bytes, proof: Sequence[bytes]) -> bool:
    """Tell whether ``proof`` shows that the tree of size ``new`` begins with that of size ``old``."""
    if not 0 <= old <= new:
        return False
    if old == 0 or old == new:
        return not proof and old_root == (EMPTY if old == 0 else new_root)
    path = [old_root, *proof] if old & (old - 1) == 0 else list(proof)
    if not path:
        return False
    at, last = old - 1, new - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    first = second = path[0]
    for each in path[1:]:
        if last == 0:
            return False
        if at & 1 or at == last:
            first, second = node_hash(each, first), node_hash(each, second)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            second = node_hash(second, each)
        at, last = at >> 1, last >> 1
    return last == 0 and first == old_root and second == new_root


# Signatures: RFC 8032, section 5.1.7.

_P = 2**255 - 19
_L = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, -1, _P) % _P
_ROOT = pow(2, (_P - 1) // 4, _P)
_Point = tuple[int, int, int, int]


def _add(a: _Point, b: _Point) -> _Point:
    e, f = (a[1] - a[0]) * (b[1] - b[0]) % _P, (a[1] + a[0]) * (b[1] + b[0]) % _P
    g, h = 2 * a[3] * b[3] * _D % _P, 2 * a[2] * b[2] % _P
    x, y, z, t = f - e, h - g, h + g, f + e
    return x * y % _P, z * t % _P, y * z % _P, x * t % _P


def _times(scalar: int, point: _Point) -> _Point:
    result: _Point = (0, 1, 1, 0)
    while scalar:
        if scalar & 1:
            result = _add(result, point)
        point, scalar = _add(point, point), scalar >> 1
    return result


def _point(data: bytes) -> _Point | None:
    number = int.from_bytes(data, "little")
    sign, y = number >> 255, number & (2**255 - 1)
    if y >= _P:
        return None
    square = (y * y - 1) * pow(_D * y * y + 1, -1, _P) % _P
    x = pow(square, (_P + 3) // 8, _P)
    if (x * x - square) % _P:
        x = x * _ROOT % _P
    if (x * x - square) % _P or (x == 0 and sign):
        return None
    x = _P - x if x & 1 != sign else x
    return x, y, 1, x * y % _P


_BASE = _point((4 * pow(5, -1, _P) % _P).to_bytes(32, "little"))


def is_signed(public: bytes, text: bytes, signature: bytes) -> bool:
    """Tell whether ``signature`` is that of ``text`` under an Ed25519 key."""
    if len(public) != 32 or len(signature) != 64:
        return False
    key, point, scalar = _point(public), _point(signature[:32]), int.from_bytes(signature[32:], "little")
    if key is None or point is None or _BASE is None or scalar >= _L:
        return False
    challenge = int.from_bytes(hashlib.sha512(signature[:32] + public + text).digest(), "little") % _L
    left, right = _times(scalar, _BASE), _add(point, _times(challenge, key))
    return all((left[each] * right[2] - right[each] * left[2]) % _P == 0 for each in (0, 1))


# Notes and keys: c2sp.org/signed-note and c2sp.org/tlog-checkpoint.


def key_id(name: str, public: bytes) -> bytes:
    """Return the four bytes by which a signature names its key."""
    return hashlib.sha256(name.encode() + b"\n" + ED25519 + public).digest()[:4]


def told_key(name: str, public: bytes) -> str:
    """Return a key as verifiers are told it: name, id and base64, with ``+`` between."""
    return f"{name}+{key_id(name, public).hex()}+{base64.b64encode(ED25519 + public).decode()}"


def read_key(text: str) -> tuple[str, bytes]:
    """Return name and public key of a verifier's key. Raises :class:`NotProven`."""
    name, _, rest = text.strip().partition("+")
    ident, _, encoded = rest.partition("+")
    data = _decoded(encoded, "the key")
    if len(data) != 33 or data[:1] != ED25519 or key_id(name, data[1:]).hex() != ident:
        raise NotProven(f"{text.strip()!r} is no key: NAME+ID+BASE64, of Ed25519")
    return name, data[1:]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What was signed of a log: its origin, how many entries it has, and the root over them."""

    origin: str
    size: int
    root: bytes
    text: str
    signatures: tuple[tuple[str, bytes], ...] = ()

    def check(self, public: bytes) -> None:
        """Raise :class:`NotProven` unless the log's own key has signed it."""
        for name, data in self.signatures:
            mine = name == self.origin and data[:4] == key_id(name, public)
            if mine and is_signed(public, self.text.encode(), data[4:]):
                return
        raise NotProven(f"the checkpoint of {self.origin} is not signed by its key")


def read_checkpoint(note: str) -> Checkpoint:
    """Return what a checkpoint says, without looking at its signatures. Raises :class:`NotProven`."""
    text, apart, rest = note.rpartition("\n\n")
    lines = text.split("\n")
    if not apart or len(lines) < 3 or not lines[0] or not re.fullmatch(r"0|[1-9][0-9]{0,18}", lines[1]):
        raise NotProven("no checkpoint: origin, size, root, an empty line, signatures")
    found = []
    for line in rest.splitlines():
        dash, _, named = line.partition(" ")
        name, _, encoded = named.partition(" ")
        if dash != "\u2014" or not name:
            raise NotProven(f"no signature: {line!r}")
        found.append((name, _decoded(encoded, "a signature")))
    root = _decoded(lines[2], "the root")
    if len(root) != 32:
        raise NotProven("no checkpoint: its root is malformed")
    return Checkpoint(lines[0], int(lines[1]), root, text + "\n", tuple(found))


def _decoded(text: str, what: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise NotProven(f"{what} is not base64") from None


# Exports: a line for each event, and then one for each log with all of its entries.


def entry_of(text: str) -> bytes:
    """Return the hash of a record, which is its entry, or of a personal part."""
    return hashlib.sha256(text.encode()).digest()


def plain(value: Any) -> Any:
    """Return ``value`` with text in place of fractions, large numbers and halves of characters.

    A fraction without a rest is a whole number, as the canonical form has it.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return value if value.isascii() else _whole(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, int):
        return value if abs(value) <= _LARGEST else str(value)
    if isinstance(value, dict):
        # The canonical order is that of UTF-16, which differs for characters beyond the first plane.
        found = {_whole(str(name)): plain(each) for name, each in value.items()}
        return dict(sorted(found.items(), key=lambda item: item[0].encode("utf-16-be")))
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]
    return str(value)


def _whole(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()


class Log:
    """A log as an export has it. Raises :class:`NotProven` if it does not give what is signed."""

    def __init__(self, line: dict[str, Any], keys: Sequence[str]) -> None:
        self.name, data = line["log"], _decoded(line["entries"], "the entries")
        self.entries = [data[at : at + 32] for at in range(0, len(data), 32)]
        self.leaves = [leaf_hash(each) for each in self.entries]
        self.signed = read_checkpoint(line["checkpoint"])
        _, public = read_key(line["key"])
        if keys and public not in [read_key(key)[1] for key in keys]:
            raise NotProven(f"{self.signed.origin} is signed by a key that was not given")
        self.signed.check(public)
        self.check(self.signed)
        if len(data) != 32 * self.signed.size:
            raise NotProven(f"{self.signed.origin}: more entries are there than were signed")
        self.numbers: set[int] = set()
        #: What is still there of the log before this one.
        self.before = Checkpoint("", 0, EMPTY, "")
        if line.get("link"):
            said = json.loads(line["link"])
            if entry_of(line["link"]) != self.entries[0]:
                raise NotProven(f"{self.signed.origin} does not begin with what is said of the log before")
            kept = said["kept"]
            self.before = Checkpoint(
                said["continues"]["origin"], kept["size"], bytes.fromhex(kept["root"]), ""
            )

    def check(self, known: Checkpoint) -> None:
        """Raise :class:`NotProven` unless the log begins with what a checkpoint says."""
        if known.size > len(self.entries):
            raise NotProven(
                f"{known.origin}: {known.size} entries were signed, {len(self.entries)} are there"
            )
        if tree_hash(self.leaves[: known.size]) != known.root:
            raise NotProven(f"{known.origin}: not the entries that were signed at {known.size}")

    def take(self, event: dict[str, Any], entry: dict[str, Any]) -> str:
        """Return whose event it is. Raise :class:`NotProven` unless it says what its entry is the hash of."""
        record, index = json.loads(entry["record"]), entry["index"]
        if not 0 <= index < len(self.entries) or entry_of(entry["record"]) != self.entries[index]:
            raise NotProven(f"event {event['id']} is not what is in the log")
        personal = json.loads(entry["personal"])["data"] if entry["personal"] else {}
        if personal and entry_of(entry["personal"]).hex() != record["personal"]:
            raise NotProven(f"the personal part of event {event['id']} is not what is in the log")
        shown = [plain(event[name]) for name in ("id", "revision", "at", "type", "before", "after")]
        told = [record[name] for name in ("id", "revision", "at", "type")]
        told += [record[name] | personal.get(name, {}) for name in ("before", "after")]
        for name in ("actor", "subject"):
            shown += [(event[name] or {}).get(each) or "" for each in ("id", "kind", "name")]
            told += [record[name], record[f"{name}_kind"], personal.get(f"{name}_name", "")]
        names = ("credential_id", "request_id", "address", "reason")
        shown += [event.get(name) or "" for name in names]
        # Exports of before leave it out.
        shown += [event.get("channel", record["channel"]) or "", entry["sequence"]]
        told += [record["credential"], record["request"], personal.get("address", "")]
        told += [personal.get("reason", ""), record["channel"], record["sequence"]]
        # As JSON: to Python, 1 is true.
        is_same = json.dumps(shown, sort_keys=True) == json.dumps(told, sort_keys=True)
        if not is_same or record["sequence"] in self.numbers:
            raise NotProven(f"event {event['id']} does not say what its record says")
        self.numbers.add(record["sequence"])
        return str(record["organization"])


def check(
    lines: Iterable[Any], known: Sequence[Checkpoint], keys: Sequence[str] = ()
) -> tuple[list[str], int, int]:
    """Return what does not hold in the lines of an export, how many events do, and how many nothing proves.

    ``known`` are checkpoints that were kept outside. Without ``keys`` those are believed which the
    export names. What a restored backup has lost is found if a checkpoint that was kept covers it.
    Newer than all that is in the log, an event may be too new for it, or made up: nobody can tell.
    """
    found: list[str] = []
    logs: dict[str, Log] = {}
    events, is_whole = [], True
    for line in lines:
        if not isinstance(line, dict):
            found.append("a line is no object")
        elif "entries" not in line:
            events.append(line)
        else:
            is_whole = is_whole and line.get("whole") is True
            try:
                if logs.setdefault(line["log"], log := Log(line, keys)) is not log:
                    raise NotProven(f"log {line['log']} stands there twice")
            except (NotProven, KeyError, ValueError, IndexError, TypeError) as error:
                found.append(_worded(error, f"log {line.get('log')}"))
    found += _unchained(list(logs.values()), known)
    proven, whose = [], set()
    for event in events:
        entry = event.get("entry")
        try:
            if entry is not None:
                whose.add(logs[entry["log"]].take(event, entry))
                proven.append(event)
        except (NotProven, KeyError, ValueError, TypeError, AttributeError) as error:
            found.append(_worded(error, f"event {event.get('id')}"))
    if len(whose) > 1:
        found.append("the events are of more than one organization")
    last = max((each["revision"] for each in proven), default=sys.maxsize if logs else 0)
    pending = [each for each in events if each.get("entry") is None]
    late = [each for each in pending if not isinstance(at := each.get("revision"), int) or at <= last]
    found += [f"event {each.get('id')} is not in the log" for each in late]
    gone = sum(max(log.numbers, default=0) - len(log.numbers) for log in logs.values())
    let_go = sum(each["after"].get("logged", 0) for each in proven if each["type"] == EXPIRED)
    if is_whole and gone > let_go and not found:
        found.append(f"{gone - let_go} events are missing that nobody let go")
    return found, len(proven), len(pending)


def _unchained(logs: Sequence[Log], known: Sequence[Checkpoint]) -> list[str]:
    """Return which checkpoints that were kept do not hold, and which logs do not follow the one before."""
    found = []
    origins = {log.signed.origin: log for log in logs}
    for each in [*known, *(log.before for log in logs if log.before.origin in origins)]:
        try:
            origins[each.origin].check(each)
        except (NotProven, KeyError, TypeError) as error:
            found.append(_worded(error, f"the log {each.origin}, of which a checkpoint was kept"))
    for before, log in pairwise(logs):
        if log.before.origin != before.signed.origin or len(origins) < len(logs):
            found.append(f"{log.signed.origin} does not go on from {before.signed.origin}")
    return found


def told(count: int, pending: int) -> str:
    """Return what is said if everything holds."""
    return f"{count} events hold" + (f"; {pending} newer ones are not in the log yet" if pending else "")


def _worded(error: Exception, what: str) -> str:
    return str(error) if isinstance(error, NotProven) else f"{what} is missing or malformed"


def main(arguments: Sequence[str] | None = None) -> int:
    """Check the export that is named; return the exit code."""
    parser = argparse.ArgumentParser(description="Check what an export of Retinue's audit log proves.")
    parser.add_argument("export", type=Path)
    parser.add_argument("--checkpoint", type=Path, action="append", default=[], help="kept outside")
    parser.add_argument("--key", action="append", default=[], help="NAME+ID+BASE64, kept outside")
    given = parser.parse_args(arguments)
    try:
        known = [read_checkpoint(path.read_text(encoding="utf-8")) for path in given.checkpoint]
        with given.export.open(encoding="utf-8") as file:
            found, *counts = check((json.loads(line) for line in file), known, given.key)
    except (OSError, ValueError, NotProven) as error:
        sys.stderr.write(f"error: {error}\n")
        return EXIT_USAGE
    for each in found:
        sys.stderr.write(f"{each}\n")
    sys.stdout.write(f"{len(found)} things do not hold\n" if found else f"{told(*counts)}\n")
    return EXIT_FOUND if found else EXIT_OK


if __name__ == "__main__":
    sys.exit(main())
