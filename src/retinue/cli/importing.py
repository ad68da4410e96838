"""``retinue import``: service accounts of another system, from a list that it exported."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import App, Parameter

from retinue.cli import confirm, foreign, output
from retinue.cli.configuration import STEP
from retinue.cli.exits import CommandError, Exit
from retinue.cli.foreign import Foreign
from retinue.cli.options import DANGER_DEFAULTS, DangerOptions
from retinue.cli.progress import Progress
from retinue.cli.session import Session
from retinue.client import configuration as ops
from retinue.client.models import Page
from retinue.client.traffic import CHECK_NAMES

app = App(name="import", help="Take over service accounts from another system's list.")
System = Literal["grafana", "gitlab", "unkey", "wavefront", "csv"]
#: Accounts in one call: so many names are checked at once, and so many are made in time.
AT_ONCE = 100
#: A list of tens of thousands is a few megabytes.
_MOST = 64 * 1024 * 1024


@app.default
def import_(
    file: Annotated[
        str, Parameter(help="What the system's API listed; - is standard input.", allow_leading_hyphen=True)
    ],
    /,
    *,
    from_: Annotated[System, Parameter(name="--from", help="Which system.")],
    owner: Annotated[
        tuple[str, ...], Parameter(help="E-mail address of an owner, where none is listed.", negative="")
    ] = (),
    purpose: Annotated[str | None, Parameter(help="What they are for, where it is not listed.")] = None,
    environment: Annotated[str | None, Parameter(help="Environment, where none is listed.")] = None,
    role: Annotated[
        tuple[str, ...],
        Parameter(help="THEIRS=OURS: which role of ours one of theirs is.", metavar="MAP", negative=""),
    ] = (),
    justification: Annotated[str | None, Parameter(help="Why, for what is granted.")] = None,
    options: DangerOptions = DANGER_DEFAULTS,
) -> int:
    """Create the service accounts of another system's list; what has a name of ours already is left alone.

    Roles are taken over only as --role says. Keys are not: another system tells no token. Issue new ones, or
    take over their digests with `retinue key import`. Without an owner or purpose of its own an account gets
    --owner and --purpose. Exit code 8 if some were left out. --from csv has the columns name, description,
    purpose, environment, owners, systems, roles, enabled; only name is needed.
    """
    session = Session(options, ops.APPLY, CHECK_NAMES)
    try:
        listed = foreign.read(from_, _read(file))
    except foreign.Unreadable as error:
        raise CommandError(f"{file}: {error}", "retinue import --help", Exit.USAGE) from None
    known = _roles(role)
    entries, left_out = _entries(session, listed, known, (owner, purpose, environment))
    unknown = sorted({theirs for each in listed for theirs in each.roles} - known.keys())
    if unknown:
        session.say(f"roles that are not taken over (--role THEIRS=OURS): {', '.join(unknown)}")
    if entries:
        evidence = [f"{each['handle']}: {', '.join(each['roles']) or 'no role'}" for each in entries[:10]]
        confirm.one("import", f"{len(entries)} accounts from {file}", evidence, options)
    steps = _apply(session, entries, justification)
    if options.output is not None:
        output.show_list([Page(steps)], STEP, options)
    session.say(f"imported {len(entries)} of {len(listed)} service accounts; they have no keys")
    if entries:
        session.next(f"retinue key issue {entries[0]['handle']} --out FILE")
    return Exit.PARTLY if left_out else Exit.DONE


def _roles(given: tuple[str, ...]) -> dict[str, str]:
    found = {}
    for each in given:
        theirs, equals, ours = each.rpartition("=")
        if not equals or not theirs or not ours:
            raise CommandError(f"--role {each}: THEIRS=OURS", "such as --role Viewer=auditor", Exit.USAGE)
        found[theirs] = ours
    return found


def _entries(
    session: Session,
    listed: list[Foreign],
    roles: dict[str, str],
    defaults: tuple[tuple[str, ...], str | None, str | None],
) -> tuple[list[dict[str, Any]], int]:
    """Return the accounts as a document has them, under the handles of our policy, and how many cannot be."""
    entries: list[dict[str, Any]] = []
    handles: set[str] = set()
    for start in range(0, len(listed), AT_ONCE):
        part = listed[start : start + AT_ONCE]
        checked = session.ask(CHECK_NAMES, {"names": [each.name for each in part]}).items
        for account, name in zip(part, checked, strict=True):
            why = [problem.detail for problem in name.problems]
            if name.handle in handles:
                why.append("named twice in the list")
            if why:
                session.say(f"left out: {account.name}: {'; '.join(why)}")
                continue
            handles.add(name.handle or "")
            entries.append(_entry(account, name.handle or "", roles, defaults))
    return entries, len(listed) - len(entries)


def _entry(
    account: Foreign,
    handle: str,
    roles: dict[str, str],
    defaults: tuple[tuple[str, ...], str | None, str | None],
) -> dict[str, Any]:
    owners, purpose, environment = defaults
    return {
        "handle": handle,
        "name": account.name,
        "description": account.description,
        "purpose": account.purpose or purpose or "",
        "environment": account.environment or environment or "",
        "systems": list(account.systems),
        "owners": list(account.owners or owners),
        "state": "enabled" if account.enabled else "disabled",
        "roles": sorted({roles[each] for each in account.roles if each in roles}),
    }


def _apply(
    session: Session, entries: list[dict[str, Any]], justification: str | None
) -> list[ops.PlannedStep]:
    """Make the accounts, so many in one call; the calls before one that is refused stand."""
    steps: list[ops.PlannedStep] = []
    with Progress("imported", len(entries), quiet=session.options.quiet) as progress:
        for start in range(0, len(entries), AT_ONCE):
            part = entries[start : start + AT_ONCE]
            document = {"version": 1, "service_accounts": part}
            asked = {"document": document, "justification": justification}
            if session.options.print_curl:
                session.perform(ops.APPLY, None, asked)
            found = session.ask(ops.PLAN, asked)
            if found.refused is not None:
                where = f" (of the document, {start} accounts in)" if start else ""
                raise CommandError(
                    f"{found.refused.detail}{where}", "nothing more was imported", Exit.CONFLICT
                )
            if any(step.act != "create" for step in found.steps):
                raise CommandError(
                    "somebody has made one of these accounts meanwhile", "call it again", Exit.CONFLICT
                )
            steps += session.perform(ops.APPLY, None, {**asked, "digest": found.digest}).steps
            progress.step(len(part))
    return steps


def _read(file: str) -> str:
    try:
        data = sys.stdin.buffer.read(_MOST + 1) if file == "-" else _bytes(Path(file))
        text = data.decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{file}: {error}", "name another file", Exit.USAGE) from None
    if len(data) > _MOST:
        raise CommandError(f"{file}: more than {_MOST // 1024**2} MiB", "split it", Exit.USAGE)
    return text


def _bytes(path: Path) -> bytes:
    with path.open("rb") as opened:
        return opened.read(_MOST + 1)
