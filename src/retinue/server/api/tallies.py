"""How often what was decided: the request log, counted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from pydantic import Field

from retinue.server.api import schemas
from retinue.server.api.answers import instant
from retinue.server.api.cursors import MAX_ITEMS
from retinue.server.api.operations import Call, operation
from retinue.server.credentials import queries as credentials
from retinue.server.directory import queries as directory
from retinue.server.errors import Refused
from retinue.server.traffic import queries, tallying

TAG = "requests"
WINDOW = timedelta(days=1)
#: Nothing was before it.
BEGINNING = datetime(1, 1, 1, tzinfo=UTC)
By = Literal["account", "credential", "reason", "path", "permission", "method", "node", "status"]


class Tallied(schemas.Filters):
    """What is counted, and by what."""

    by: By = Field("account", description="What the counts are of.")
    account: str | None = Field(None, description="Id or handle of an account.")
    credential: str | None = None
    decision: Literal["allowed", "denied"] | None = None
    reason: str | None = None
    since: schemas.Instant | None = Field(None, description="From this instant on; else a day ago.")
    until: schemas.Instant | None = Field(None, description="Before this instant; else now.")
    limit: schemas.Whole = Field(50, ge=1, le=MAX_ITEMS, description="So many, the most frequent.")


class Count(schemas.Answer):
    """How often it was decided about one of them."""

    value: str | None = Field(description="Id, reason, path or name; null for what is not known.")
    name: str | None = Field(description="Of an account or credential, as it is called now.")
    allowed: int
    denied: int
    last_at: str


class Tally(schemas.Answer):
    """Counts, the most frequent first."""

    by: By
    since: str = Field(description="Later than asked for, if there were more decisions than are counted.")
    until: str
    whole: bool = Field(description="Whether all decisions from the asked `since` on were counted.")
    allowed: int
    denied: int
    items: list[Count]


@operation("GET", "/requests/tally", permission="request_log:read", response=Tally, tag=TAG)
def tally_requests(call: Call, query: Tallied) -> schemas.JSON:
    """Count what was decided in the organization, the most frequent first: of the last day, if not told else.

    At most 100,000 decisions are counted, the newest.
    """
    until = query.until or call.now
    since = query.since or max(until, BEGINNING + WINDOW) - WINDOW
    if since >= until:
        raise Refused("invalid_value", "not before `until`", field="since")
    account = None if query.account is None else directory.id_of(call.organization, query.account)
    rows = queries.requests(
        call.organization,
        account=account,
        credential=query.credential,
        decision=query.decision,
        reason=query.reason,
        since=since,
        until=until,
    )
    found = tallying.tally(rows, query.by, query.limit)
    names = _names(call, query.by, [row[query.by] for row in found.rows])
    return {
        "by": query.by,
        "since": instant(found.since or since),
        "until": instant(until),
        "whole": found.since is None,
        "allowed": found.allowed,
        "denied": found.denied,
        "items": [_count(row, query.by, names) for row in found.rows],
    }


def _names(call: Call, by: str, idents: list[Any]) -> dict[str, str]:
    if by == "account":
        return {ident: row.name for ident, row in directory.principals(idents).items()}
    return credentials.names(call.organization, idents) if by == "credential" else {}


def _count(row: dict[str, Any], by: str, names: dict[str, str]) -> schemas.JSON:
    value = str(row[by]) if row[by] else None
    return {
        "value": value,
        "name": names.get(value or ""),
        "allowed": row["count"] - row["denied"],
        "denied": row["denied"],
        "last_at": instant(row["last_at"]),
    }
