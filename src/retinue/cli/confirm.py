"""Asking before something is taken away: the evidence first, then the question."""

from __future__ import annotations

import sys

from retinue.cli import settings
from retinue.cli.cells import clean
from retinue.cli.exits import CommandError, Exit
from retinue.cli.options import DangerOptions


def may_ask(no_input: bool) -> bool:
    """Tell whether there is a person to ask."""
    return not (no_input or settings.flag("RETINUE_NO_INPUT")) and sys.stdin.isatty() and sys.stderr.isatty()


def one(act: str, name: str, evidence: list[str], options: DangerOptions, confirm: str | None = None) -> None:
    """Make sure that ``act`` on the one object ``name`` is meant; raises (exit 10 or 1) if it is not.

    ``--yes`` says so, ``--confirm NAME`` says so, or a person does, who sees ``evidence``.
    """
    if options.print_curl or options.dry_run or _confirmed(confirm, name) or options.yes:
        return
    if not may_ask(options.no_input):
        raise CommandError(
            f"to {act} {name} needs a confirmation, and there is no terminal to ask on",
            "add --yes",
            Exit.NEEDS_CONFIRMATION,
        )
    _ask(f"{act.capitalize()} {name}?", evidence)


def typed(act: str, phrase: str, evidence: list[str], options: DangerOptions, confirm: str | None) -> None:
    """Make sure that ``act`` is meant: ``phrase`` is typed, or given by ``--confirm``; never ``--yes``."""
    if options.print_curl or options.dry_run or _confirmed(confirm, phrase):
        return
    if not may_ask(options.no_input):
        raise CommandError(
            f"to {act} {phrase} its handle must be confirmed, and there is no terminal to ask on",
            f"add --confirm {phrase}",
            Exit.NEEDS_CONFIRMATION,
        )
    for line in evidence:
        print("  " + clean(line), file=sys.stderr)
    print(clean(f"{act.capitalize()} {phrase}? Type its handle: "), end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip() != phrase:
        raise CommandError("nothing was done", code=Exit.FAILED)


def several(
    act: str,
    names: list[str],
    options: DangerOptions,
    confirm: str | None,
    evidence: list[str] | None = None,
) -> None:
    """Make sure that ``act`` on several objects is meant: ``--confirm COUNT``, or a person says so.

    A person sees ``evidence``; the names, if there is none.
    """
    count = str(len(names))
    if options.print_curl or options.dry_run or _confirmed(confirm, count):
        return
    if not may_ask(options.no_input):
        raise CommandError(
            f"to {act} {count} objects needs a confirmation, and there is no terminal to ask on",
            f"add --confirm {count}",
            Exit.NEEDS_CONFIRMATION,
        )
    _ask(f"{act.capitalize()} these {count}?", names if evidence is None else evidence)


def _confirmed(confirm: str | None, expected: str) -> bool:
    if confirm is None:
        return False
    if confirm != expected:
        raise CommandError(
            f"--confirm {confirm}: expected {expected}", "nothing was done; check what you name", Exit.USAGE
        )
    return True


def _ask(question: str, evidence: list[str]) -> None:
    for line in evidence:
        print("  " + clean(line), file=sys.stderr)
    print(clean(question) + " [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise CommandError("nothing was done", code=Exit.FAILED)
