"""Says in the ledger which credentials end soon, and which have ended: mail and webhooks read it there."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from django.db.models import Q

from retinue.server.credentials import compromising, writing
from retinue.server.credentials.queries import Credential, by_ids
from retinue.server.directory.queries import CANARY, Organization, Principal
from retinue.server.ledger.transaction import SYSTEM, Transaction, transaction
from retinue.server.notifications import rules
from retinue.server.notifications.models import Warned
from retinue.server.policies import queries as policies
from retinue.server.policies.rules import Compiled
from retinue.server.traffic import queries as traffic

REASON = "expiry.warn_days"
#: Credentials in one transaction.
AT_ONCE = 200


def warn(now: datetime, most: int) -> int:
    """Say of at most so many credentials what is due now; return of how many. Again it says nothing."""
    said = 0
    for ident in Organization.objects.filter(state="enabled").order_by("id").values_list("id", flat=True):
        for some in _parts(_due(ident, now), AT_ONCE):
            if said >= most:
                return said
            said += _say(ident, some[: most - said], now)
    return said


def _parts(rows: list[Credential], size: int) -> Iterator[list[Credential]]:
    for start in range(0, len(rows), size):
        yield rows[start : start + size]


def _due(organization_id: str, now: datetime) -> list[Credential]:
    """Return the credentials of which something is to be said, by id."""
    compiled = policies.in_force(organization_id)
    days = [*compiled.policy.expiry_warn_days]
    days += [each for other in compiled.environments.values() for each in other.expiry_warn_days]
    rows = Credential.objects.filter(
        Q(retires_at__isnull=True) | Q(retires_at__gt=now),
        organization_id=organization_id,
        kind__in=compromising.KINDS,
        state="active",
        expires_at__gt=now - rules.LATE,
        expires_at__lte=now + timedelta(days=max(days, default=0) + 1),
    )
    canary = Q(principal__in=Principal.objects.filter(CANARY))
    found = list(rows.filter(Q(principal__isnull=True) | ~canary).select_related("principal").order_by("id"))
    told = Warned.objects.in_bulk([row.id for row in found])
    open_ = [row for row in found if _step(row, compiled, told.get(row.id), now) is not None]
    replaced = _replaced(open_)
    return [row for row in open_ if row.id not in replaced]


def _step(row: Credential, compiled: Compiled, told: Warned | None, now: datetime) -> int | None:
    """Return the threshold to say now; ``None`` if there is none, or if it was said already."""
    if row.expires_at is None:
        return None
    environment = "" if row.principal is None else row.principal.environment
    warn_days = compiled.of(environment).expiry_warn_days
    if not warn_days:
        return None
    step = rules.threshold(row.expires_at, row.regenerated_at or row.issued_at, warn_days, now)
    is_said = told is not None and told.expires_at == row.expires_at
    if step is None or (is_said and told is not None and told.days <= step):
        return None
    return step


def _replaced(rows: list[Credential]) -> set[str]:
    """Return those whose successor is in use already: nobody has to do anything."""
    successors = by_ids(row.rotated_to for row in rows if row.rotated_to)
    used = traffic.usage(successors) if successors else {}
    return {row.id for row in rows if row.rotated_to and row.rotated_to in used}


def _say(organization_id: str, rows: list[Credential], now: datetime) -> int:
    compiled = policies.in_force(organization_id)
    with transaction(SYSTEM, reason=REASON) as tx:
        held = Credential.objects.select_for_update(of=("self",), no_key=True).select_related("principal")
        current = list(held.filter(id__in=[row.id for row in rows], state="active").order_by("id"))
        told = Warned.objects.in_bulk([row.id for row in current])
        said = 0
        for row in current:
            step = _step(row, compiled, told.get(row.id), now)
            if step is not None and row.expires_at is not None:
                _record(tx, row, row.expires_at, step)
                said += 1
    return said


def _record(tx: Transaction, row: Credential, expires_at: datetime, step: int) -> None:
    Warned.objects.update_or_create(credential=row.id, defaults={"expires_at": expires_at, "days": step})
    after = {"expires_at": writing.text(expires_at)}
    if step == rules.EXPIRED:
        verb = "expired"
    else:
        verb, after = "expiry_warned", {**after, "days": str(step)}
    event = f"{writing.noun(row)}.{verb}"
    name = writing.called(row)
    tx.record(event, row.id, name=name, organization=row.organization_id, before={}, after=after)
