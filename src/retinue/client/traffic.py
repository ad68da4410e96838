"""Counts of the request log, and names that are checked: the API's answers as types, and operations."""

from __future__ import annotations

from msgspec import Struct, field

from retinue.client.operations import Operation


class Count(Struct, kw_only=True):
    """How often it was decided about one account, reason, path or the like."""

    value: str | None = None
    name: str | None = None
    allowed: int
    denied: int
    last_at: str


class Tally(Struct, kw_only=True):
    """Counts, the most frequent first, and of all that was counted."""

    by: str
    since: str
    until: str
    whole: bool
    allowed: int
    denied: int
    items: list[Count] = field(default_factory=list)


class NameProblem(Struct, kw_only=True):
    """What would refuse a name."""

    code: str
    detail: str
    field: str | None = None


class CheckedName(Struct, kw_only=True):
    """A name, and whether an account could have it."""

    name: str
    handle: str | None = None
    ok: bool
    problems: list[NameProblem] = field(default_factory=list)


class CheckedNames(Struct, kw_only=True):
    """Names that were checked."""

    items: list[CheckedName]


TALLY: Operation[Tally] = Operation("GET", "/v1/requests/tally", "request_log:read", Tally)
CHECK_NAMES: Operation[CheckedNames] = Operation(
    "POST", "/v1/service-accounts/names/check", "service_account:read", CheckedNames
)
