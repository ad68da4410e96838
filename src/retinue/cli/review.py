"""``retinue review``: access reviews."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from cyclopts import App, Parameter

from retinue.cli import confirm, lookup, output
from retinue.cli.cells import Column, Shape
from retinue.cli.durations import ago, clock
from retinue.cli.exits import CommandError, Exit
from retinue.cli.options import (
    CHANGE_DEFAULTS,
    DANGER_DEFAULTS,
    DEFAULTS,
    ChangeOptions,
    DangerOptions,
    Options,
)
from retinue.cli.session import Session, each
from retinue.client import governance as ops
from retinue.client.governance import Review, ReviewItem
from retinue.client.models import Page

app = App(name="review", help="Access reviews: is each account still needed, as it is?")

REVIEW = Shape[Review](
    columns=(
        Column("name", "name"),
        Column("id", "id"),
        Column("state", "state"),
        Column("accounts", "progress.accounts"),
        Column("decided", "progress.decided"),
        Column("opened", "opened_at", ago),
        Column("due", "due_at", ago),
        Column("ends", "ends_at", clock),
    ),
    name=lambda review: review.name,
    id=lambda review: review.id,
)
ITEM = Shape[ReviewItem](
    columns=(
        Column("account", "account"),
        Column("id", "id"),
        Column("asked", "asked"),
        Column("last_used", "evidence.last_used_at", ago),
        Column("held", "evidence.permissions_held_count"),
        Column("decision", "decision"),
        Column("outcome", "outcome"),
    ),
    name=lambda item: item.account.handle if item.account else item.id,
    id=lambda item: item.id,
)


@app.command(name="list")
def list_(
    *,
    state: Annotated[
        Literal["open", "applied", "cancelled"] | None, Parameter(help="Only in this state.")
    ] = None,
    limit: Annotated[int | None, Parameter(help="At most so many.")] = None,
    options: Options = DEFAULTS,
) -> None:
    """List the access reviews, the newest first."""
    session = Session(options, ops.LIST_REVIEWS)
    output.show_list(session.pages(ops.LIST_REVIEWS, None, {"state": state}, limit), REVIEW, options)


@app.command
def get(
    review: str,
    /,
    *,
    undecided: Annotated[bool, Parameter(help="Only what nobody has decided.", negative="")] = False,
    options: Options = DEFAULTS,
) -> None:
    """Show the accounts of a review, with what was decided."""
    session = Session(options, ops.LIST_REVIEW_ITEMS)
    query = {"decided": "false" if undecided else None}
    output.show_list(session.pages(ops.LIST_REVIEW_ITEMS, {"id": review}, query), ITEM, options)


@app.command
def create(
    name: str,
    /,
    *,
    idle: Annotated[bool, Parameter(help="Only the accounts that are idle.", negative="")] = False,
    account: Annotated[tuple[str, ...], Parameter(help="Only this account.", negative="")] = (),
    environment: Annotated[str | None, Parameter(help="Only accounts of this environment.")] = None,
    due_days: Annotated[int | None, Parameter(help="Days to answer (default 14).")] = None,
    fallback: Annotated[str | None, Parameter(help="Who is asked where no owner answers.")] = None,
    options: ChangeOptions = CHANGE_DEFAULTS,
) -> None:
    """Open a review: of all accounts, the idle ones, or those that are named."""
    if idle and (account or environment):
        raise CommandError("--idle beside --account or --environment", "take one of them", Exit.USAGE)
    session = Session(options, ops.OPEN_REVIEW)
    template = "idle" if idle else "scope" if account or environment else "full"
    body = {
        "name": name,
        "template": template,
        "accounts": list(account) or None,
        "environment": environment,
        "due_days": due_days,
        "fallback": fallback,
    }
    made = session.perform(ops.OPEN_REVIEW, None, body)
    session.say(f"opened review {made.name} of {made.progress.accounts} accounts ({made.id})")
    session.show_change([made], REVIEW)
    session.next(f"retinue review get {made.id}")


@app.command
def decide(
    review: str,
    decision: Literal["keep", "reduce", "disable", "delete", "reassign", "undecided"],
    /,
    *,
    account: Annotated[tuple[str, ...], Parameter(help="Account.", negative="", required=True)],
    note: Annotated[str | None, Parameter(help="Why; asked to keep what is unused or elevated.")] = None,
    to: Annotated[str | None, Parameter(help="The new owner, with reassign.")] = None,
    options: ChangeOptions = CHANGE_DEFAULTS,
) -> int:
    """Decide about accounts of a review, or take that back. Nothing changes until it is applied."""
    session = Session(options, ops.DECIDE_REVIEW_ITEM, ops.LIST_REVIEW_ITEMS)
    items = session.look_all(ops.LIST_REVIEW_ITEMS, {"id": review})
    assignee = lookup.user(session, to).id if to else None

    def act(name: str) -> ReviewItem:
        found = [item for item in items if item.account and name in (item.account.handle, item.account.id)]
        if not found:
            raise CommandError(
                f"{name} is not in the review", f"see: retinue review get {review}", Exit.NOT_FOUND
            )
        body = {"decision": decision, "note": note, "assignee": assignee}
        made = session.perform(ops.DECIDE_REVIEW_ITEM, {"id": review, "item_id": found[0].id}, body)
        session.say(f"{name}: {made.decision or 'undecided'}")
        return made

    done, code = each(account, act)
    if done:
        session.show_change(done, ITEM, many=len(account) > 1)
        session.next(f"retinue review apply {review}")
    return code


@app.command
def apply(review: str, /, *, options: DangerOptions = DANGER_DEFAULTS) -> None:
    """Carry out the decisions of a review."""
    session = Session(options, ops.APPLY_REVIEW, ops.LIST_REVIEW_ITEMS)
    items = session.look_all(ops.LIST_REVIEW_ITEMS, {"id": review})
    decisions = [item.decision or "nothing" for item in items]
    evidence = [f"{word}: {decisions.count(word)}" for word in sorted(set(decisions))]
    confirm.one("apply", review, evidence, options)
    done = session.perform(ops.APPLY_REVIEW, {"id": review})
    session.say(f"applied review {done.name} ({done.id})")
    session.show_change([done], REVIEW)
    session.next(f"retinue review get {done.id}")


@app.command
def export(review: str, /, *, options: ChangeOptions = CHANGE_DEFAULTS) -> None:
    """Print a review with all its accounts, evidence and decisions, for auditors; the audit log says so."""
    session = Session(options, ops.EXPORT_REVIEW)
    result = session.perform(ops.EXPORT_REVIEW, {"id": review})
    if output.form(options) in ("json", "yaml", "jsonl"):
        output.show_object(msgspec.to_builtins(result), options)
    else:
        output.show_list([Page(result.items)], ITEM, options)
