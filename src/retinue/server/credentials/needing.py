"""Which API keys need action, as ``status.NEEDS_ACTION`` names them: for the status of their accounts."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

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


def needing_action(account_ids: Iterable[str], now: datetime, warned_days: int) -> dict[str, int]:
    """Return how many API keys of each account need action, in one query."""
    found = dict.fromkeys(account_ids, 0)
    rows = Credential.objects.filter(needs_action(now, warned_days), principal_id__in=list(found))
    for row in rows.values("principal_id").annotate(keys=Count("id")):
        found[row["principal_id"]] = row["keys"]
    return found
