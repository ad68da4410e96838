"""What proves audit events: read from the server or from an export, and checked.

The newest checkpoint of each server is kept on this host, so that a log which was cut or written anew since
is found the next time.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

import msgspec

from retinue import proof
from retinue.cli import settings
from retinue.cli.exits import CommandError, Exit
from retinue.cli.session import Session
from retinue.client import operations as ops

JSON = dict[str, Any]


def read_checkpoints(names: Sequence[str]) -> list[proof.Checkpoint]:
    """Read checkpoints from files."""
    found = []
    for name in names:
        try:
            found.append(proof.read_checkpoint(Path(name).read_text(encoding="utf-8")))
        except (OSError, ValueError, proof.NotProven) as error:
            raise _unusable(name, error) from None
    return found


def _unusable(name: str, error: Exception) -> CommandError:
    text = error.strerror if isinstance(error, OSError) else error
    return CommandError(f"{name}: {text}", "name a file that `retinue audit` has written", Exit.USAGE)


def check_file(name: str, known: Sequence[proof.Checkpoint], keys: Sequence[str]) -> tuple[list[str], str]:
    """Check an export; return what does not hold, and what to say if everything does."""
    try:
        with Path(name).open(encoding="utf-8") as file:
            found, *counts = proof.check((json.loads(line) for line in file), known, keys)
            return found, proof.told(*counts)
    except (OSError, ValueError, proof.NotProven) as error:
        raise _unusable(name, error) from None


def check_server(
    session: Session, known: Sequence[proof.Checkpoint], keys: Sequence[str]
) -> tuple[list[str], str]:
    """Check all events of the server; return what does not hold, and what to say if everything does."""
    kept = _Kept()
    try:
        read = list(lines(session, {}))
        found, *counts = proof.check(read, [*known, *kept.checkpoints()], keys or kept.keys())
    except proof.NotProven as error:
        raise CommandError(f"{error}", "name a key as `retinue audit verify` prints it", Exit.USAGE) from None
    logs = [line for line in read if "entries" in line]
    if found or not logs:
        return found or ["the server has no log"], ""
    kept.keep(logs)
    last = proof.read_checkpoint(logs[-1]["checkpoint"])
    return [], f"{proof.told(*counts)}; {last.origin} has {last.size} entries, key {logs[-1]['key']}"


def lines(session: Session, query: Mapping[str, str | None]) -> Iterator[JSON]:
    """Read the lines of an export: the events, and then each log with all of its entries."""
    is_whole = not any(query.values())
    for page in session.pages(ops.LIST_PROVEN_EVENTS, None, {**query, "entries": "true"}):
        yield from (msgspec.to_builtins(each) for each in page.items)
    for log in session.look(ops.GET_AUDIT_LOG).logs:
        if log.checkpoint is None:
            continue
        size, data = proof.read_checkpoint(log.checkpoint).size, b""
        while len(data) < size * 32:
            part = session.look(ops.LIST_AUDIT_LOG_ENTRIES, {"log": log.name}, first=len(data) // 32)
            data += base64.b64decode(part.entries)
            if not part.entries:
                break
        told = {"log": log.name, "key": log.key, "checkpoint": log.checkpoint, "link": log.link}
        # What was added meanwhile is not under this checkpoint.
        yield {**told, "whole": is_whole, "entries": base64.b64encode(data[: size * 32]).decode()}


def write(read: Iterator[JSON], stream: TextIO) -> int:
    """Write lines; return how many events there were."""
    count = 0
    for line in read:
        stream.write(json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n")
        count += "entries" not in line
    return count


class _Kept:
    """The checkpoints and keys of a server, in a file of this host."""

    def __init__(self) -> None:
        base = os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")  # noqa: PTH111 - raises not
        server = hashlib.sha256(settings.url().rstrip("/").encode()).hexdigest()[:16]
        self._path = Path(base) / "retinue" / f"checkpoints-{server}.json"
        try:
            self._logs: list[JSON] = json.loads(self._path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            self._logs = []
        except (OSError, ValueError) as error:
            raise CommandError(f"{self._path}: {error}", "delete it to begin anew", Exit.USAGE) from None

    def checkpoints(self) -> list[proof.Checkpoint]:
        return [proof.read_checkpoint(log["checkpoint"]) for log in self._logs]

    def keys(self) -> list[str]:
        return [log["key"] for log in self._logs]

    def keep(self, logs: Sequence[JSON]) -> None:
        told = [{"checkpoint": log["checkpoint"], "key": log["key"]} for log in logs]
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh = self._path.with_suffix(f".{os.getpid()}")
        fresh.write_text(json.dumps(told), encoding="utf-8")
        fresh.replace(self._path)
