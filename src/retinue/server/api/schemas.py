"""What operations take and answer, as far as several nouns share it. Unknown fields are refused by name."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar

from ninja import Schema
from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, WithJsonSchema

from retinue.server.api import strict_json
from retinue.server.api.cursors import DEFAULT_ITEMS, MAX_ITEMS, MAX_LENGTH
from retinue.server.directory.rules import check_line
from retinue.server.errors import Refused

JSON = dict[str, Any]


def _whole(value: object) -> object:
    if isinstance(value, str) and not re.fullmatch(r"-?[0-9]{1,15}", value, re.ASCII):
        raise ValueError("must be a whole number")
    return value


def _instant(value: object) -> object:
    try:
        at = datetime.fromisoformat(str(value))
        if at.tzinfo is not None:
            return at.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise ValueError("an RFC 3339 instant with its zone, such as 2027-01-31T00:00:00Z")


def _line(value: str) -> str:
    try:
        check_line(value, "reason")
    except Refused as refused:
        raise ValueError(refused.detail) from None  # pydantic adds where it stands
    return value


#: The longest span of days that a filter takes.
DAYS_MAX = 3650
#: A whole number in a query.
Whole = Annotated[int, BeforeValidator(_whole)]
#: An instant in a query.
Instant = Annotated[
    datetime, BeforeValidator(_instant), WithJsonSchema({"type": "string", "format": "date-time"})
]


#: Why a change is made: one line.
Reason = Annotated[
    str, AfterValidator(_line), Field(max_length=1024, description="Why; stands in the audit log.")
]


class Body(Schema):
    """A body: unknown members are refused, and texts are not made of numbers."""

    model_config = ConfigDict(extra="forbid", strict=True)

    #: Items in each list of it, unless the list says less.
    MOST_ITEMS: ClassVar[int] = strict_json.MAX_ITEMS


class Answer(Schema):
    """An answer."""

    model_config = ConfigDict(extra="forbid")


class Filters(Schema):
    """Parameters of a query that is no list."""


class ListQuery(Schema):
    """The parameters that every list has."""

    limit: Whole = Field(DEFAULT_ITEMS, ge=1, le=MAX_ITEMS, description="Items in one answer.")
    cursor: str | None = Field(None, max_length=MAX_LENGTH, description="`next` of the page before.")

    def filters(self) -> dict[str, Any]:
        """Return the parameters that narrow the list."""
        return self.model_dump(exclude={"limit", "cursor", "sort"})


class Reasoned(Schema):
    """Why a change is made. Every change takes it: in its body, or without one in its query."""

    reason: Reason = ""

    @property
    def why(self) -> str:
        """What the events of the change give as its reason."""
        return self.reason


class WithReason(Body, Reasoned):
    """The body of a change; this one says nothing but why."""


class PrincipalRef(Answer):
    """A user or service account, by name."""

    id: str
    kind: str
    handle: str
    name: str


class ProblemBody(Schema):
    """An error (RFC 9457). `code` is stable; `field` names what is at fault."""

    type: str
    title: str
    status: int
    code: str
    detail: str | None = None
    field: str | None = None
    required: list[str] = []
    account: str | None = None
    request_id: str | None = None
