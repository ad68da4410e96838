"""Which API keys need action, as ``status.NEEDS_ACTION`` names them: for the status of their accounts."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db.models import Count, Q

from retinue.server.credentials.queries import Credential
from retinue.token import Kind


def needs_action(now: datetime, warned_days: int) -> Q:
    """Return the condition that an API key is suspended or expiring, as ``status.credential`` says it."""
    soon = now + timedelta(days=warned_days)
    expiring = Q(state="active", retires_at__isnull=True, expires_at__gt=now, expires_at__lte=soon)
    lasting = Q(expires_at__isnull=True) | Q(expires_at__gt=now)
    lasting &= Q(retires_at__isnull=True) | Q(retires_at__gt=now)
    return Q(kind=Kind.API_KEY.value) & (expiring | (Q(state="suspended") & lasting))


class Counts(NamedTuple):
    """How many API keys an account has: usable, all but deleted ones, and those that need action."""

    usable: int
    total: int
    needing: int

    @property
    def told(self) -> dict[str, int]:
        """What the API says of them."""
        return {"usable": self.usable, "total": self.total}


def counts(account_ids: Iterable[str], now: datetime, warned_days: int) -> dict[str, Counts]:
    """Return the counts of each account, in one query."""
    found = dict.fromkeys(account_ids, Counts(0, 0, 0))
    usable = Q(state="active") & (Q(expires_at__isnull=True) | Q(expires_at__gt=now))
    usable &= Q(retires_at__isnull=True) | Q(retires_at__gt=now)
    rows = Credential.objects.filter(principal_id__in=list(found)).exclude(state="deleted")
    counted = rows.values("principal_id").annotate(
        usable=Count("id", filter=usable),
        total=Count("id"),
        needing=Count("id", filter=needs_action(now, warned_days)),
    )
    for row in counted:
        found[row["principal_id"]] = Counts(row["usable"], row["total"], row["needing"])
    return found
