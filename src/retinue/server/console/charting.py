"""The chart of the request log: bars of what was allowed and denied, drawn here, with the same as a table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.http import HttpResponse, QueryDict
from django.utils import timezone
from django.views.decorators.http import require_safe

from retinue.server.console.listing import changed, instant_of
from retinue.server.console.viewer import Viewer, page
from retinue.server.directory.queries import id_of
from retinue.server.traffic import counts

#: How long back a range looks.
RANGES = {
    "5m": timedelta(minutes=5),
    "1h": timedelta(hours=1),
    "24h": timedelta(days=1),
    "7d": timedelta(days=7),
    "30d": timedelta(days=30),
}
USUAL = "24h"
_STEPS: dict[counts.Unit, timedelta] = {
    "minute": timedelta(minutes=1),
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
}
#: Most bars of a chart.
MOST = 180
#: From one label below the chart to the next, and how many there are at most.
_MARKS = tuple(
    timedelta(minutes=n)
    for n in (1, 2, 5, 10, 15, 30, 60, 180, 360, 720, 1440, 2880, 5760, 10_080, 20_160, 43_200)
)
MOST_MARKS = 5
WIDTH, HEIGHT = 900, 120
#: No chart is made wider than four times so much.
WIDEST = timedelta(days=36_500)
_NARROWED = ("decision", "reason", "credential")


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar: its place, the heights of its two parts, and what it stands for."""

    x: float
    width: float
    allowed_y: float
    allowed_height: float
    denied_y: float
    denied_height: float
    begin: datetime
    allowed: int
    denied: int
    query: str

    @property
    def is_midnight(self) -> bool:
        """Whether a day begins with it (UTC)."""
        return (self.begin.hour, self.begin.minute) == (0, 0)

    @property
    def left(self) -> str:
        """Where it begins, as a part of the width."""
        return f"{100 * self.x / WIDTH:.3f}%"

    @property
    def thick(self) -> str:
        """How wide it is, as a part of the width."""
        return f"{100 * self.width / WIDTH:.3f}%"


def unit_of(span: timedelta) -> counts.Unit:
    """Return the finest unit of which not too many stand in a span."""
    return next((unit for unit, step in _STEPS.items() if span / step <= MOST), "day")


def floor(at: datetime, unit: counts.Unit) -> datetime:
    """Return the beginning of the minute, hour or day (UTC) of an instant."""
    at = at.astimezone(UTC).replace(second=0, microsecond=0)
    if unit == "minute":
        return at
    return at.replace(minute=0) if unit == "hour" else at.replace(minute=0, hour=0)


def bars(
    counted: Mapping[datetime, tuple[int, int]],
    since: datetime,
    until: datetime,
    unit: counts.Unit,
    kept: Mapping[str, str],
    most: int = 0,
) -> list[Bar]:
    """Return a bar for each unit between two instants, empty ones too; the highest fills the chart.

    ``most`` is what fills it in place of that: charts side by side have one scale.
    """
    step, first = _STEPS[unit], floor(since, unit)
    begins: list[datetime] = []
    while first < until and len(begins) <= MOST:
        begins.append(first)
        first += step
    found = {begin.astimezone(UTC): each for begin, each in counted.items()}
    most = most or max((sum(each) for each in found.values()), default=0) or 1
    width = WIDTH / max(1, len(begins))
    made = []
    for n, begin in enumerate(begins):
        allowed, denied = found.get(begin, (0, 0))
        # What there is is seen, be it ever so little of it.
        tall, top = (max(2.0, HEIGHT * each / most) if each else 0.0 for each in (allowed, denied))
        query = urlencode({**kept, "since": begin.isoformat(), "until": (begin + step).isoformat()})
        place = (round(n * width, 2), round(max(1.0, width - 1.5), 2))
        denied_y = max(0.0, HEIGHT - tall - top)
        made.append(
            Bar(*place, round(HEIGHT - tall, 1), round(tall, 1), round(denied_y, 1), round(top, 1), begin,
                allowed, denied, query)
        )  # fmt: skip
    return made


def span_of(given: Mapping[str, str], now: datetime) -> tuple[datetime, datetime]:
    """Return the instants between which is looked: those of the filters, else the last day."""
    until = _instant(given.get("until", "")) or now
    since = _instant(given.get("since", "")) or until - RANGES.get(given.get("range", ""), RANGES[USUAL])
    return min(since, until), until


def _instant(text: str) -> datetime | None:
    found = instant_of(text)
    return found if found is None or found.tzinfo is not None else found.replace(tzinfo=UTC)


def ceiling(most: int) -> int:
    """Return the round, even number at the top of a scale that has room for ``most``."""
    size = 1
    while 10 * size < most:
        size *= 10
    return next(n * size for n in (2, 4, 6, 8, 10) if n * size >= most)


def ticks(drawn: list[Bar]) -> list[Bar]:
    """Return the bars with a label: a few, at round instants, none where its label would be cut off."""
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    for step in _MARKS:
        found = [bar for bar in drawn if not (bar.begin - epoch) % step and bar.x < 0.93 * WIDTH]
        if len(found) <= MOST_MARKS:
            return found
    return []


def wider(given: QueryDict, since: datetime, until: datetime, now: datetime) -> str:
    """Return the query of four times the present time, around it, not beyond now; none without instants."""
    if not (given.get("since") or given.get("until")):
        return ""
    if until - since > WIDEST:
        return ""
    room = (until - since) * 1.5
    end = min(until + room, max(now, until))
    return changed(given, since=(end - (until - since) * 4).isoformat(), until=end.isoformat(), range="")


@require_safe
@page
def chart(viewer: Viewer) -> HttpResponse:
    """The chart of what the request log's filters let through: a part of its page, asked for by itself."""
    if viewer.missing("list_requests"):
        return viewer.render("parts/chart.html", bars=None)
    given = viewer.request.GET
    now = timezone.now()
    since, until = span_of(given, now)
    unit = unit_of(until - since)
    filters: dict[str, Any] = {name: given[name] for name in _NARROWED if given.get(name)}
    if given.get("account"):
        filters["account"] = id_of(viewer.organization.id, given["account"])
    counted = counts.timeline(viewer.organization.id, since, until, unit, **filters)
    kept = {name: given[name] for name in (*_NARROWED, "account") if given.get(name)}
    top = ceiling(max((sum(each) for each in counted.values()), default=0))
    drawn = bars(counted, since, until, unit, kept, top)
    return viewer.render(
        "parts/chart.html",
        bars=drawn,
        filled=[bar for bar in drawn if bar.allowed or bar.denied],
        since=since,
        until=until,
        unit=unit,
        scale=(top, top // 2, 0),
        ticks=ticks(drawn),
        wider=wider(given, since, until, now),
        legend=[
            {
                "name": name,
                "count": sum(getattr(bar, name) for bar in drawn),
                "is_on": given.get("decision") == name,
                "query": changed(given, decision="" if given.get("decision") == name else name),
            }
            for name in ("allowed", "denied")
        ],
        height=HEIGHT,
        url=viewer.url("requests"),
    )
