"""Epochs: which history is in force, what is waited for after a doubt, and what turned out to be lost."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from retinue.server.api import schemas
from retinue.server.api.answers import instant
from retinue.server.api.cursors import Listing, page
from retinue.server.api.operations import Call, operation
from retinue.server.ledger import feed as ledger
from retinue.server.nodes import epochs
from retinue.server.nodes.history import Doubt

TAG = "epochs"
LIST, ONE = "/epochs", "/epochs/{epoch}"


class Journal(schemas.Answer):
    """What became of the journal of one node."""

    node: str
    id: str
    state: Literal["awaited", "reported", "skipped"]
    unknown: int = Field(description="Changes in it that the database did not know.")
    at: str


class Outcomes(schemas.Answer):
    """How many lost changes came to which end; `waiting` have not been looked after yet."""

    waiting: int
    nothing: int = Field(description="The database gives no more than the node knew.")
    replayed: int = Field(description="What was lost is taken away again.")
    closed: int = Field(description="It could not be said: the object was ended or disabled.")
    unknown: int = Field(description="The database does not know the object.")
    open: int = Field(description="The database still gives more. Somebody has to look.")


class Epoch(schemas.Answer):
    """A history of revisions, and how far its recovery is."""

    epoch: int
    state: Literal["recovering", "open", "ended"]
    cause: str
    detail: dict[str, Any]
    began_at: str
    opened_at: str | None
    seconds_left: float = Field(description="Until the longest lease of the histories before has ended.")
    journals: list[Journal]
    lost: Outcomes


class EpochList(schemas.Answer):
    """A page of epochs, the newest first."""

    items: list[Epoch]
    next: str | None


class Lost(schemas.Answer):
    """A change that a node knew and the database had lost."""

    kind: str
    key: str
    subject: str
    organization: str
    epoch: int = Field(description="Where it stood in the history that was lost.")
    revision: int
    at: str
    node: str
    reduces: bool
    outcome: Literal["waiting", "nothing", "replayed", "closed", "unknown", "open"]
    done: list[str]


class LostList(schemas.Answer):
    """A page of lost changes."""

    items: list[Lost]
    next: str | None


class LostFilter(schemas.ListQuery):
    """Which lost changes."""

    outcome: Literal["waiting", "nothing", "replayed", "closed", "unknown", "open"] | None = None


class BeginEpoch(schemas.WithReason):
    """The word of an operator: the database was restored."""

    skip: list[str] = Field([], description="Nodes whose journals are not waited for, by name or id.")


class SkipJournals(schemas.WithReason):
    """Nodes whose journals will never come."""

    nodes: list[str] = Field([], description="By name or id; at least one.")


@operation("GET", LIST, permission="epoch:read", response=EpochList, tag=TAG)
def list_epochs(call: Call, query: schemas.ListQuery) -> schemas.JSON:
    """List the epochs, the newest first."""
    listing = Listing("epochs", "", {}, ("-epoch",))
    rows, following = page(epochs.every(), listing, cursor=query.cursor, limit=query.limit)
    return {"items": [_epoch(row) for row in rows], "next": following}


@operation("POST", LIST, permission="epoch:create", response=Epoch, status=201, tag=TAG)
def begin_epoch(call: Call, body: BeginEpoch) -> schemas.JSON:
    """Say that the database was restored: no lease and no receipt until the nodes said what they know."""
    doubt = Doubt("declared", ledger.position().epoch)
    return _epoch(epochs.begin_in(call.tx, doubt, body.skip))


@operation("GET", ONE, permission="epoch:read", response=Epoch, tag=TAG)
def get_epoch(call: Call, epoch: str) -> schemas.JSON:
    """Get an epoch by its number, or the present one as `current`."""
    return _epoch(_find(epoch))


@operation("POST", ONE + "/skip", permission="epoch:update", response=Epoch, tag=TAG)
def skip_journals(call: Call, epoch: str, body: SkipJournals) -> schemas.JSON:
    """Wait no longer for the journals of these nodes."""
    found = _find(epoch)
    epochs.skip(call.tx, found, body.nodes)
    return _epoch(found)


@operation("GET", ONE + "/lost", permission="epoch:read", response=LostList, tag=TAG)
def list_lost(call: Call, epoch: str, query: LostFilter) -> schemas.JSON:
    """List what nodes knew and the database had lost, and what was done about it."""
    found = _find(epoch)
    listing = Listing("lost", str(found.epoch), query.filters(), ("id",))
    rows, following = page(epochs.lost(found, query.outcome), listing, cursor=query.cursor, limit=query.limit)
    return {"items": [_lost(row) for row in rows], "next": following}


def _find(text: str) -> epochs.Epoch:
    return epochs.latest() if text == "current" else epochs.get(text)


def _epoch(row: epochs.Epoch) -> schemas.JSON:
    standing = epochs.standing(row)
    return {
        "epoch": row.epoch,
        "state": row.state,
        "cause": row.cause,
        "detail": row.detail,
        "began_at": instant(row.began_at),
        "opened_at": instant(row.opened_at),
        "seconds_left": round(standing.seconds, 3),
        "journals": [
            {
                "node": each.name,
                "id": each.node,
                "state": each.state,
                "unknown": each.lines,
                "at": instant(each.at),
            }
            for each in epochs.journals(row)
        ],
        "lost": epochs.outcomes(row),
    }


def _lost(row: epochs.Lost) -> schemas.JSON:
    return {
        "kind": row.kind,
        "key": row.key,
        "subject": row.subject,
        "organization": row.organization,
        "epoch": row.old_epoch,
        "revision": row.old_revision,
        "at": instant(row.old_at),
        "node": row.node,
        "reduces": row.reduces,
        "outcome": row.outcome or "waiting",
        "done": row.told,
    }
