"""The processes below ``retinue serve``, by what they are."""

from __future__ import annotations

from pathlib import Path

from tests.support.processes import children


def members(supervisor: int) -> dict[str, int]:
    """Return the ids of a supervisor's children: ``control``, ``follower``, ``worker 0``, ..."""
    return {name: pid for pid in children(supervisor) if (name := _name(pid))}


def _name(pid: int) -> str:
    """Return what a child of the supervisor is, by the arguments with which it was started."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return ""
    if b"retinue.server" in words:
        return "control"
    if b"follower" in words:
        return "follower"
    return f"worker {words[words.index(b'--index') + 1].decode()}" if b"worker" in words else ""
