"""How far long work has come: on a terminal, on standard error, and only if it takes long."""

from __future__ import annotations

import sys
import time
from types import TracebackType

_AFTER_SECONDS, _EVERY_SECONDS = 0.5, 0.1


def tell_interrupted(done: int, total: int) -> None:
    """Say, in the quiet too, how many of several are done; the one that was on its way may be as well."""
    print(f"interrupted: {done} of {total} are done, and perhaps the next; they stand", file=sys.stderr)


class Progress:
    """Counts what is done of ``total`` (``None``: unknown) and shows it; the line is gone at the end."""

    def __init__(self, what: str, total: int | None = None, *, quiet: bool = False) -> None:
        self._what, self._total = what, total
        self._done, self._shown = 0, False
        self._next = time.monotonic() + _AFTER_SECONDS
        self._may_show = not quiet and sys.stderr.isatty()

    def __enter__(self) -> Progress:
        """Begin."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take the line away. Who interrupts is told how far it has come."""
        self.clear()
        if kind is KeyboardInterrupt and self._total is not None:
            tell_interrupted(self._done, self._total)

    def step(self, count: int = 1) -> None:
        """Say that ``count`` more are done."""
        self._done += count
        if self._may_show and time.monotonic() >= self._next:
            self._next = time.monotonic() + _EVERY_SECONDS
            self._shown = True
            of = "" if self._total is None else f" of {self._total}"
            print(f"\r{self._what}: {self._done}{of}", end="", file=sys.stderr, flush=True)

    def clear(self) -> None:
        """Take the line away, so that another one can stand there."""
        if self._shown:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
            self._shown = False
