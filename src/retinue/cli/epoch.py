"""``retinue epoch``: which history is in force, what is waited for after a restore, and what it lost."""

from __future__ import annotations

from typing import Annotated, Literal

from cyclopts import App, Parameter

from retinue.cli import confirm, output
from retinue.cli.cells import Column, Shape
from retinue.cli.durations import ago, brief, clock
from retinue.cli.options import (
    CHANGE_DEFAULTS,
    DANGER_DEFAULTS,
    DEFAULTS,
    ChangeOptions,
    DangerOptions,
    Options,
)
from retinue.cli.session import Session
from retinue.client import epochs as ops
from retinue.client.epochs import Epoch, Lost

app = App(name="epoch", help="Histories of the database: one begins when it was restored.")

EPOCH = Shape[Epoch](
    columns=(
        Column("epoch", "epoch"),
        Column("state", "state"),
        Column("cause", "cause"),
        Column("began", "began_at", ago),
        Column("opened", "opened_at", ago),
        Column("left", "seconds_left", brief),
        Column("replayed", "lost.replayed"),
        Column("closed", "lost.closed"),
        Column("unknown", "lost.unknown"),
        Column("open", "lost.open"),
    ),
    name=lambda epoch: str(epoch.epoch),
    id=lambda epoch: str(epoch.epoch),
)
LOST = Shape[Lost](
    columns=(
        Column("kind", "kind"),
        Column("subject", "subject"),
        Column("organization", "organization"),
        Column("outcome", "outcome"),
        Column("done", "done"),
        Column("node", "node"),
        Column("revision", "revision"),
        Column("at", "at", clock),
    ),
    name=lambda lost: lost.subject,
    id=lambda lost: lost.subject,
)
Number = Annotated[str, Parameter(help="Its number (default: the present one).")]


@app.command(name="list")
def list_(
    *,
    limit: Annotated[int | None, Parameter(help="At most so many.")] = None,
    options: Options = DEFAULTS,
) -> None:
    """List the epochs, the newest first."""
    session = Session(options, ops.LIST_EPOCHS)
    output.show_list(session.pages(ops.LIST_EPOCHS, None, None, limit), EPOCH, options)


@app.command
def get(
    epoch: Number = "current",
    /,
    *,
    lost: Annotated[
        bool,
        Parameter(
            help="Report what nodes knew and the database had lost, and what was done about it.", negative=""
        ),
    ] = False,
    outcome: Annotated[
        Literal["waiting", "nothing", "replayed", "closed", "unknown", "open"] | None,
        Parameter(help="With --lost: only what came to this end."),
    ] = None,
    options: Options = DEFAULTS,
) -> None:
    """Show an epoch, and whose journal is waited for; or what a restore lost."""
    if lost:
        session = Session(options, ops.LIST_LOST)
        query = {"outcome": outcome}
        output.show_list(session.pages(ops.LIST_LOST, {"epoch": epoch}, query), LOST, options)
        return
    session = Session(options, ops.GET_EPOCH)
    found = session.perform(ops.GET_EPOCH, {"epoch": epoch})
    output.show_one(found, EPOCH, options)
    _tell(session, found)


@app.command
def create(
    *,
    skip: Annotated[
        tuple[str, ...], Parameter(help="Do not wait for what this node knows.", negative="")
    ] = (),
    options: DangerOptions = DANGER_DEFAULTS,
) -> None:
    """Say that the database was restored: what was taken away since is asked of the nodes."""
    session = Session(options, ops.BEGIN_EPOCH)
    evidence = ["nodes get no lease, and refuse after it, until all of them have said what they know"]
    confirm.one("begin", "another epoch", evidence, options)
    made = session.perform(ops.BEGIN_EPOCH, None, {"skip": list(skip)})
    session.say(f"epoch {made.epoch} has begun")
    session.show_change([made], EPOCH)
    _tell(session, made)
    session.next("retinue epoch get")


@app.command
def edit(
    epoch: Number = "current",
    /,
    *,
    skip: Annotated[tuple[str, ...], Parameter(help="A node whose journal will never come.", negative="")],
    options: ChangeOptions = CHANGE_DEFAULTS,
) -> None:
    """Wait no longer for what these nodes know."""
    session = Session(options, ops.SKIP_JOURNALS)
    found = session.perform(ops.SKIP_JOURNALS, {"epoch": epoch}, {"nodes": list(skip)})
    session.say(f"epoch {found.epoch}: not waiting for {', '.join(skip)}")
    session.show_change([found], EPOCH)
    _tell(session, found)


def _tell(session: Session, epoch: Epoch) -> None:
    if epoch.state != "recovering":
        return
    awaited = [each.node for each in epoch.journals if each.state == "awaited"]
    session.say(f"waiting for the journals of: {', '.join(awaited)}" if awaited else "all journals are in")
    if epoch.seconds_left > 0:
        session.say(f"waiting {epoch.seconds_left:.0f} s more, until every lease has ended")
