"""The entry point: the quick path of ``verify``, then the command framework, then the exit code."""

from __future__ import annotations

import contextlib
import os
import re
import sys
from typing import Any

from retinue.cli.exits import CommandError, Exit, Shown

#: The form of every token (brand, kind, key id, secret with checksum), to keep them out of arguments.
_TOKEN = re.compile(r"[a-z][a-z0-9]{1,9}(?:sa|pat|ing|node|boot)_[0-9A-Za-z]{12}_[0-9A-Za-z]{40}", re.ASCII)
_EXTRA = "pip install 'retinue[cli]'"


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code. ``arguments`` are without the program's name."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        code = _run(given)
        sys.stdout.flush()
        return code
    except Shown:
        return Exit.DONE
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    except BrokenPipeError:
        _abandon_output()
        return Exit.DONE
    except SystemExit as ended:
        # Who reads the output has enough: rich tells it by ending the program. Any other end is what it says.
        if not isinstance(ended.__context__, BrokenPipeError):
            raise
        _abandon_output()
        return Exit.DONE
    except OSError as error:
        # A full disk, a file that cannot be read: what is not told better where it happens.
        where = f"{error.filename}: " if error.filename else "the output: "
        print(f"error: {where}{error.strerror or error}", file=sys.stderr)
        _abandon_output()
        return Exit.FAILED


def _abandon_output() -> None:
    """Keep Python from complaining once more when it closes standard output."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _run(given: list[str]) -> int:
    if given[:1] == ["__complete"]:
        from retinue.cli import completing

        return completing.main(given[1:])
    from retinue.client.errors import ClientError

    try:
        _refuse_tokens(given)
        if given[:1] == ["verify"]:
            code = _verify(given[1:])
            if code is not None:
                return code
        return _dispatch(given)
    except (CommandError, ClientError) as error:
        from retinue.cli.report import tell

        return tell(error)


def _refuse_tokens(given: list[str]) -> None:
    if any(_TOKEN.search(each) for each in given):
        raise CommandError(
            "a token stands in the arguments, where every user of this host can read it",
            "put it into a file (--file, RETINUE_TOKEN_FILE) or standard input (-), and replace this one",
            Exit.USAGE,
        )


def _verify(arguments: list[str]) -> int | None:
    from retinue.cli.verification import quick

    return quick(arguments)


def _dispatch(given: list[str]) -> int:
    try:
        import cyclopts
    except ModuleNotFoundError as error:
        if error.name not in ("cyclopts", "attrs", "rich", "docstring_parser"):
            raise
        print(f"error: this command needs an extra that is not installed\n  try: {_EXTRA}", file=sys.stderr)
        return Exit.FAILED
    from retinue.cli.app import app
    from retinue.cli.options import leading_flags_last

    try:
        result: Any = app(_optional_values(leading_flags_last(given)))
    except cyclopts.CycloptsError as error:
        print(f"error: {error}", file=sys.stderr)
        print(f"  try: {_help_for(given)}", file=sys.stderr)
        return Exit.USAGE
    return result if isinstance(result, int) else Exit.DONE


def _optional_values(given: list[str]) -> list[str]:
    """Give a bare ``account create --key`` its empty value: the name behind an equals sign is optional."""
    if given[:2] in (["account", "create"], ["sa", "create"]):
        return ["--key=" if each == "--key" else each for each in given]
    return given


def _help_for(given: list[str]) -> str:
    """Return the command that explains the mistaken one, as far as its words are known."""
    from retinue.cli.app import app

    known, command = [], app
    for word in given[:2]:
        if word.startswith("-") or word not in command:
            break
        known.append(word)
        command = command[word]
    return " ".join(["retinue", *known, "--help"])


if __name__ == "__main__":
    sys.exit(main())
