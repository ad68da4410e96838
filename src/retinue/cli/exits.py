"""Exit codes, the same in every command, and the error that carries one to the outside."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """How a command ended."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    NOT_FOUND = 3
    NOT_SIGNED_IN = 4
    FORBIDDEN = 5
    CONFLICT = 6
    NEGATIVE = 7
    PARTLY = 8
    UNREACHABLE = 9
    NEEDS_CONFIRMATION = 10
    INTERRUPTED = 130


#: Meaning of each code, for ``retinue help exit-codes``.
MEANINGS = {
    Exit.DONE: "done",
    Exit.FAILED: "failed",
    Exit.USAGE: "wrong usage",
    Exit.NOT_FOUND: "not found",
    Exit.NOT_SIGNED_IN: "not signed in, or the token of the CLI was rejected",
    Exit.FORBIDDEN: "forbidden; the message names the permission",
    Exit.CONFLICT: "conflict, or a precondition failed",
    Exit.NEGATIVE: "a negative answer: `verify` denied; `policy check`, `diff`, `audit verify` found fault",
    Exit.PARTLY: "partly done; each failure is printed",
    Exit.UNREACHABLE: "server unreachable, unavailable or too slow",
    Exit.NEEDS_CONFIRMATION: "confirmation needed, but there is no terminal",
    Exit.INTERRUPTED: "interrupted",
}


class CommandError(Exception):
    """A command cannot go on: what is wrong (``str``), what to do about it, and the exit code."""

    def __init__(
        self, what: str, todo: str = "", code: Exit = Exit.FAILED, request_id: str | None = None
    ) -> None:
        super().__init__(what)
        self.todo = todo
        self.code = code
        self.request_id = request_id


class Shown(Exception):
    """The command was asked to show what it would do; it has, and ends here."""
