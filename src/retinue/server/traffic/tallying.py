"""Counts of the request log: how often what was allowed and denied, the most frequent first."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Max, Q, QuerySet

from retinue.server.traffic.models import Request

#: So many decisions of a window are counted, the newest: one call must not take as long as the log is.
MOST = 100_000
#: What is counted by, and the columns that tell it.
COLUMNS: dict[str, tuple[str, ...]] = {
    "account": ("account", "account_kind"),
    "credential": ("credential", "account"),
    "reason": ("reason",),
    "path": ("path",),
    "permission": ("permission",),
    "method": ("method",),
    "node": ("node",),
    "status": ("status",),
}


@dataclass(frozen=True, slots=True)
class Tally:
    """The rows of a count, and what they were counted from."""

    rows: list[dict[str, Any]]
    #: From when on was counted, if there were more than :data:`MOST` in the window.
    since: datetime | None
    allowed: int
    denied: int


def tally(rows: QuerySet[Request], by: str, most: int) -> Tally:
    """Count decisions by one of :data:`COLUMNS`; return the ``most`` frequent. At most four queries."""
    latest = rows.order_by("-at", "-id")
    last = latest.values_list("at", flat=True)[MOST : MOST + 1].first()
    # All of one millisecond or none of it: what is counted is a window again.
    since = None if last is None else last + timedelta(milliseconds=1)
    if since is not None:
        rows = rows.filter(at__gte=since)
    rows = rows.order_by()
    counted = rows.values(*COLUMNS[by]).annotate(
        count=Count("id"), denied=Count("id", filter=Q(allowed=False)), last_at=Max("at")
    )
    whole = rows.aggregate(count=Count("id"), denied=Count("id", filter=Q(allowed=False)))
    found = list(counted.order_by("-count", *COLUMNS[by])[:most])
    return Tally(found, since, whole["count"] - whole["denied"], whole["denied"])
