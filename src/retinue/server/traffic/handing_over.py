"""Reads of a rotation: what is still done with the old key, and what with the new one."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from django.db.models import Count, Max, Window
from django.db.models.functions import RowNumber

from retinue.server.traffic.counts import spread
from retinue.server.traffic.queries import requests

#: So many clients of a key are named.
CLIENTS = 5


@dataclass(frozen=True, slots=True)
class Caller:
    """A client that used a key: as it calls itself, how often, and when last."""

    client: str
    count: int
    last: datetime


@dataclass(frozen=True, slots=True)
class Flow:
    """What came with one key: (allowed, denied) of each hour in which something came, and who it was."""

    hours: dict[datetime, tuple[int, int]]
    callers: list[Caller] = field(default_factory=list)

    @property
    def total(self) -> int:
        """All requests."""
        return sum(allowed + denied for allowed, denied in self.hours.values())


def flows(
    organization_id: str, account: str, old: str, new: str, since: datetime, until: datetime
) -> tuple[Flow, Flow]:
    """Return what came with two keys of an account between two instants, in two queries."""
    found = {ident: Flow({}) for ident in (old, new)}
    hours = spread(organization_id, [old, new], since, until, "hour", by="credential", account=account)
    for credential, each in hours.items():
        found[credential].hours.update(each)
    rows = requests(organization_id, account=account, since=since, until=until)
    rows = rows.filter(credential__in=list(found)).order_by()
    counted = rows.values("credential", "client").annotate(count=Count("id"), last=Max("at"))
    place = Window(RowNumber(), partition_by="credential", order_by=("-count", "client"))
    for row in counted.annotate(place=place).filter(place__lte=CLIENTS).order_by("place"):
        found[row["credential"]].callers.append(Caller(row["client"], row["count"], row["last"]))
    return found[old], found[new]
