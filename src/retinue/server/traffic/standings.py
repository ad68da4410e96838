"""Service accounts by their status, as ``status.account`` gives it, in the database.

One list of conditions is both filtered by and counted, so that a filter and its number never differ.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import Case, CharField, Count, Exists, F, OuterRef, Q, QuerySet, Value, When

from retinue.server.credentials.needing import needs_action
from retinue.server.credentials.queries import Credential
from retinue.server.directory.queries import Principal, owned
from retinue.server.policies.policy import Policy
from retinue.server.status import ACCOUNT_STATUSES
from retinue.server.traffic.models import Usage


def with_status(rows: QuerySet[Principal], status: str, now: datetime, policy: Policy) -> QuerySet[Principal]:
    """Narrow accounts of one organization to one status."""
    if status in ("deleted", "disabled"):
        return rows.filter(state=status)
    before: list[Q] = []
    for word, condition in _conditions(now, policy):
        if word == status:
            # Its own condition first: it is the rarest.
            rows = rows.filter(condition, state="enabled")
            for each in before:
                rows = rows.exclude(each)
            return rows
        before.append(condition)
    return rows.none()


def counts(rows: QuerySet[Principal], now: datetime, policy: Policy) -> dict[str, int]:
    """Return how many accounts of one organization have each status, in one query."""
    found = dict.fromkeys(ACCOUNT_STATUSES, 0)
    cases = [When(condition, then=Value(word)) for word, condition in _conditions(now, policy)]
    standing = Case(When(~Q(state="enabled"), then=F("state")), *cases, output_field=CharField())
    for row in rows.annotate(standing=standing).order_by().values("standing").annotate(accounts=Count("id")):
        found[row["standing"]] = row["accounts"]
    return found


def _conditions(now: datetime, policy: Policy) -> list[tuple[str, Q]]:
    """Return the statuses of enabled accounts, each with its condition; the first that holds is the one."""
    keys = Credential.objects.filter(needs_action(now, policy), principal_id=OuterRef("id"))
    found = [("ownerless", Q(~Exists(owned(OuterRef("id")))))]
    if policy.idle_days is not None:
        since = now - timedelta(days=policy.idle_days)
        used = Usage.objects.filter(account=OuterRef("id"))
        # Once it was used, its last use counts; until then when it was made.
        is_old = Q(created_at__lte=since) | Q(Exists(used))
        found.append(("idle", is_old & ~Q(Exists(used.filter(last_used_at__gt=since)))))
    return [*found, ("attention", Q(Exists(keys))), ("active", Q(pk__isnull=False))]
