"""The last seven days of accounts in a list: what was allowed and denied, as a small chart in each row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.utils import timezone

from retinue.server.console import charting
from retinue.server.console.viewer import Viewer
from retinue.server.traffic import counts

DAYS = 7


@dataclass(frozen=True, slots=True)
class Week:
    """How often an account was allowed and denied something; a bar for each day (UTC), today's the last."""

    allowed: int
    denied: int
    bars: list[charting.Bar]


def of(viewer: Viewer, ids: Sequence[str]) -> dict[str, Week]:
    """Return the week of each account, from one query; of none for who may not read the request log."""
    if viewer.missing("list_requests"):
        return {}
    now = timezone.now()
    since = charting.floor(now - timedelta(days=DAYS - 1), "day")
    found = counts.spread(viewer.organization.id, ids, since, None, "day", by="account")
    return {
        ident: Week(
            sum(allowed for allowed, _denied in days.values()),
            sum(denied for _allowed, denied in days.values()),
            charting.bars(days, since, now, "day", {}),
        )
        for ident, days in found.items()
    }
