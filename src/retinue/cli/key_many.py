"""One act on all keys that a filter finds: another end, narrower, a successor of each."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Annotated, Any

from cyclopts import Parameter

from retinue.cli import durations, lookup, many
from retinue.cli.exits import CommandError, Exit
from retinue.cli.issuing import in_a_line
from retinue.cli.options import DangerOptions
from retinue.cli.session import Session
from retinue.client import bulk
from retinue.client.bulk import BulkRotated

Confirm = Annotated[str | None, Parameter(help="The name, or for several their number, instead of asking.")]


def key_filters(session: Session, where: tuple[str, ...]) -> dict[str, Any]:
    """Read which keys ``--where`` means."""
    known: dict[str, Callable[[str], Any]] = {
        "account": lambda text: lookup.account_id(session, text),
        "state": str,
        "status": str,
        "name": str,
        "search": str,
        **{name: _days(name) for name in ("unused_for", "used_within", "expires_within")},
    }
    return many.filters(where, known)


def _days(name: str) -> Callable[[str], int]:
    return lambda text: durations.days(text, f"--where {name}")


def expire(where: tuple[str, ...], expires: str, options: DangerOptions, confirm: str | None) -> int:
    """Give all keys that fit another end: ``now``, a duration, an instant, or ``never``."""
    session = Session(options, bulk.EXPIRE_KEYS)
    found = key_filters(session, where)
    return many.act(session, bulk.EXPIRE_KEYS, "expire", found, options, confirm, {"expires": expires})


def restrict(
    where: tuple[str, ...], restrictions: dict[str, Any], options: DangerOptions, confirm: str | None
) -> int:
    """Narrow all keys that fit. A kind of restriction that is not named stays as each key has it."""
    session = Session(options, bulk.RESTRICT_KEYS)
    found = key_filters(session, where)
    return many.act(session, bulk.RESTRICT_KEYS, "restrict", found, options, confirm, restrictions)


def rotate(
    where: tuple[str, ...],
    out: str | None,
    body: dict[str, Any],
    options: DangerOptions,
    confirm: str | None,
) -> int:
    """Issue a successor of each key that fits; the tokens go to ``out``, a line of JSON each."""
    if out is None:
        raise CommandError("--where makes many tokens", "add --out FILE, or --out - for stdout", Exit.USAGE)
    session = Session(options, bulk.ROTATE_KEYS)
    found = key_filters(session, where)
    with session.handover(out).ready() as handover:

        def then(made: BulkRotated) -> None:
            lines = [json.dumps(in_a_line(each), ensure_ascii=False) for each in made.issued or []]
            if lines:
                handover.give("\n".join(lines), {})
            if handover.to_file and lines:
                session.say(f"{len(lines)} tokens written to {handover.path} (mode 0600), one a line")

        return many.act(session, bulk.ROTATE_KEYS, "rotate", found, options, confirm, body, then)
