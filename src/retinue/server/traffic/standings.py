"""Service accounts by their status, as ``status.account`` gives it, in the database.

One list of conditions is both filtered by and counted, so that a filter and its number never differ.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import Case, CharField, Count, Exists, F, OuterRef, Q, QuerySet, Value, When

from retinue.server.credentials.needing import needs_action
from retinue.server.credentials.queries import Credential
from retinue.server.directory.queries import Principal, owned
from retinue.server.policies.environments import warned_days, where
from retinue.server.policies.rules import Compiled
from retinue.server.status import ACCOUNT_STATUSES
from retinue.server.traffic.models import Usage
from retinue.token import Kind


def with_status(
    rows: QuerySet[Principal], status: str, now: datetime, policy: Compiled
) -> QuerySet[Principal]:
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


def within_days(
    rows: QuerySet[Principal], now: datetime, unused_for: int | None, expires_within: int | None
) -> QuerySet[Principal]:
    """Narrow accounts by days: neither used nor made in them; with a key in force that ends in them."""
    if unused_for is not None:
        since = now - timedelta(days=unused_for)
        rows = rows.filter(
            ~Q(Exists(Usage.objects.filter(account=OuterRef("id"), last_used_at__gt=since))),
            created_at__lte=since,
        )
    if expires_within is not None:
        ending = Credential.objects.filter(
            kind=Kind.API_KEY.value,
            state="active",
            expires_at__gt=now,
            expires_at__lte=now + timedelta(days=expires_within),
        )
        rows = rows.filter(Exists(ending.filter(principal_id=OuterRef("id"))))
    return rows


def counts(rows: QuerySet[Principal], now: datetime, policy: Compiled) -> dict[str, int]:
    """Return how many accounts of one organization have each status, in one query."""
    found = dict.fromkeys(ACCOUNT_STATUSES, 0)
    cases = [When(condition, then=Value(word)) for word, condition in _conditions(now, policy)]
    standing = Case(When(~Q(state="enabled"), then=F("state")), *cases, output_field=CharField())
    for row in rows.annotate(standing=standing).order_by().values("standing").annotate(accounts=Count("id")):
        found[row["standing"]] = row["accounts"]
    return found


def _conditions(now: datetime, policy: Compiled) -> list[tuple[str, Q]]:
    """Return the statuses of enabled accounts, each with its condition; the first that holds is the one."""

    def is_idle(days: int | None) -> Q:
        if days is None:
            return Q(pk__in=[])
        since = now - timedelta(days=days)
        used = Usage.objects.filter(account=OuterRef("id"))
        # Once it was used, its last use counts; until then when it was made.
        is_old = Q(created_at__lte=since) | Q(Exists(used))
        return is_old & ~Q(Exists(used.filter(last_used_at__gt=since)))

    def asks(days: int) -> Q:
        return Q(Exists(Credential.objects.filter(needs_action(now, days), principal_id=OuterRef("id"))))

    return [
        ("ownerless", Q(~Exists(owned(OuterRef("id"))))),
        ("idle", where(policy, "environment", lambda each: each.idle_days, is_idle)),
        ("attention", where(policy, "environment", warned_days, asks)),
        ("active", Q(pk__isnull=False)),
    ]
