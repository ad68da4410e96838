"""Checks what an audit log proves. Needs nothing but Python: this file can be copied and run alone.

``python proof.py export.jsonl --checkpoint FILE --key KEY`` reads what ``retinue audit export --proofs`` has
written, and a checkpoint that was kept outside. It ends with 0 if everything holds, with 7 and what does not.

Trees are those of RFC 9162 (SHA-256), checkpoints signed notes (c2sp.org/signed-note, tlog-checkpoint) under
Ed25519 (RFC 8032; here only the check of a signature).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

EXIT_OK, EXIT_USAGE, EXIT_FOUND = 0, 2, 7
#: What says that events were let go, since their organization keeps them no longer.
EXPIRED = "audit_log.expired"
ED25519 = b"\x01"
EMPTY = hashlib.sha256().digest()
_FIELDS = ("id", "revision", "at", "type")


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


def body(origin: str, size: int, root: bytes) -> str:
    """Return what is signed."""
    return f"{origin}\n{size}\n{base64.b64encode(root).decode()}\n"


def signed(text: str, name: str, public: bytes, signature: bytes) -> str:
    """Return a note: the text and one signature."""
    return f"{text}\n\u2014 {name} {base64.b64encode(key_id(name, public) + signature).decode()}\n"


def read_checkpoint(note: str) -> Checkpoint:
    """Return what a checkpoint says, without looking at its signatures. Raises :class:`NotProven`."""
    text, apart, rest = note.rpartition("\n\n")
    lines = text.split("\n")
    if not apart or len(lines) < 3 or not lines[0] or not (lines[1].isascii() and lines[1].isdigit()):
        raise NotProven("no checkpoint: origin, size, root, an empty line, signatures")
    found = []
    for line in rest.splitlines():
        dash, _, named = line.partition(" ")
        name, _, encoded = named.partition(" ")
        if dash != "\u2014" or not name:
            raise NotProven(f"no signature: {line!r}")
        found.append((name, _decoded(encoded, "a signature")))
    root = _decoded(lines[2], "the root")
    if len(root) != 32 or str(int(lines[1])) != lines[1]:
        raise NotProven("no checkpoint: its size or its root is malformed")
    return Checkpoint(lines[0], int(lines[1]), root, text + "\n", tuple(found))


def _decoded(text: str, what: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise NotProven(f"{what} is not base64") from None
