"""What went wrong, for people, and the exit code for programs. Everything goes to standard error."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from retinue.cli import settings
from retinue.cli.exits import CommandError, Exit
from retinue.client.errors import Problem, Unreachable, UnreadableAnswer

if TYPE_CHECKING:
    from retinue.cli.options import FormOptions

_CODES = {
    400: Exit.USAGE,
    401: Exit.NOT_SIGNED_IN,
    403: Exit.FORBIDDEN,
    404: Exit.NOT_FOUND,
    409: Exit.CONFLICT,
    412: Exit.CONFLICT,
    413: Exit.USAGE,
    415: Exit.USAGE,
    422: Exit.USAGE,
    502: Exit.UNREACHABLE,
    503: Exit.UNREACHABLE,
    504: Exit.UNREACHABLE,
}
_TODO = {
    401: "retinue login; a token ends when it expires or is revoked (see: retinue help auth)",
    404: "check the name, and with `retinue whoami` the organization",
    429: "wait, then try again",
    502: "try again; if it stays, look at the server's log",
    503: "try again; if it stays, look at the server's log",
}


def exit_code(error: Exception) -> Exit:
    """Return the exit code for an error of a command or of the client."""
    if isinstance(error, CommandError):
        return error.code
    if isinstance(error, Problem) and error.code == "confirmation_required":
        return Exit.NEEDS_CONFIRMATION
    if isinstance(error, Problem):
        return _CODES.get(error.status, Exit.FAILED)
    if isinstance(error, Unreachable):
        return Exit.UNREACHABLE
    return Exit.FAILED if isinstance(error, UnreadableAnswer) else Exit.USAGE


def tell(error: Exception, subject: str = "") -> Exit:
    """Print what went wrong, why, what to do, and the request id; return the exit code."""
    prefix = f"error: {subject}: " if subject else "error: "
    for line in _lines(error, prefix):
        print(_printable(line), file=sys.stderr)
    return exit_code(error)


def talk(options: FormOptions, *lines: str) -> None:
    """Tell a person something on standard error, unless asked to be quiet."""
    if not options.quiet:
        for line in lines:
            print(_printable(line), file=sys.stderr)


def _lines(error: Exception, prefix: str) -> list[str]:
    if isinstance(error, Problem):
        return _problem(error, prefix)
    if isinstance(error, Unreachable):
        todo = "start it with `retinue serve`, or set RETINUE_URL / RETINUE_NODE_URL to where it listens"
        return [f"{prefix}cannot reach {error.url}: {error.why}", f"  try: {todo}"]
    if isinstance(error, UnreadableAnswer):
        return [
            f"{prefix}the answer is not understood: {error}",
            "  try: compare `retinue version` on both sides",
        ]
    lines = [f"{prefix}{error}"]
    if isinstance(error, CommandError):
        lines += [f"  try: {error.todo}"] if error.todo else []
        lines += [f"  request: {error.request_id}"] if error.request_id else []
    return lines


def _problem(error: Problem, prefix: str) -> list[str]:
    what = error.title or error.code
    lines = [f"{prefix}{what} ({error.code})"]
    if error.field:
        lines.append(f"  field: {error.field.removeprefix('body.')}")
    if error.detail and error.detail != what:
        lines.append(f"  why: {error.detail}")
    todo = _TODO.get(error.status, "")
    if error.required:
        lines.append(f"  missing permission: {', '.join(error.required)}")
        todo = "ask who administers the organization for a role with it"
    if error.retry_after:
        todo = f"try again in {error.retry_after} s"
    if todo:
        lines.append(f"  try: {todo}")
    trace = [f"request: {error.request_id}"] if error.request_id else []
    trace += [f"documentation: {_page(error.documentation)}"] if error.documentation else []
    return [*lines, "  " + "  ".join(trace)] if trace else lines


def _page(documentation: str) -> str:
    """Return the address of the page about a problem: the control plane has it, also if a node answered."""
    return settings.url().rstrip("/") + documentation if documentation.startswith("/") else documentation


def _printable(line: str) -> str:
    return line if line.isprintable() else "".join(c if c.isprintable() else "�" for c in line)
