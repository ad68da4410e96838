"""Which organizations keep events for a time only (``audit_log.retention_days``), and lets the rest go."""

from __future__ import annotations

from datetime import datetime, timedelta

from retinue.server.directory.models import Organization
from retinue.server.ledger import expiring
from retinue.server.policies.queries import limited_retention


def expire(now: datetime, most: int) -> int:
    """Let at most ``most`` events go that their organization keeps no longer; return how many went.

    An event is kept for the whole days of the policy, and goes with the others of its day (UTC).
    """
    gone, today = 0, now.replace(hour=0, minute=0, second=0, microsecond=0)
    days = limited_retention()
    for row in Organization.objects.filter(id__in=list(days)).order_by("id"):
        if gone < most:
            gone += expiring.expire(row.id, row.handle, today - timedelta(days=days[row.id]), most - gone)
    return gone
