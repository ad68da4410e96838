"""The counters of limits, as the processes of a host share them."""

from __future__ import annotations

from pathlib import Path


def are_shared(*pids: int) -> bool:
    """Tell whether each of these processes reads all counters that there are beside its own."""
    mapped = [_mapped(pid) for pid in pids]
    there = {each for path in set().union(*mapped) for each in path.parent.glob("*.counts")}
    return bool(there) and all(each >= there for each in mapped)


def _mapped(pid: int) -> set[Path]:
    lines = Path(f"/proc/{pid}/maps").read_text().splitlines()
    return {Path(line.split(maxsplit=5)[5]) for line in lines if line.endswith(".counts")}
