"""What follows from uses, and from none: a used successor ends its predecessor, what is idle is shut.

Nothing here is on the path of a decision. Each sweep looks at everything that is due, so what one process
left undone the next one does; what is done is decided once more in the transaction that writes it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from django.db import DatabaseError
from django.db.models import Q, QuerySet

from retinue.server.credentials import actions as credentials
from retinue.server.credentials.queries import Credential
from retinue.server.directory import actions as directory
from retinue.server.directory.queries import Organization, Principal
from retinue.server.errors import Refused
from retinue.server.ledger.transaction import SYSTEM, transaction
from retinue.server.policies.policy import Policy
from retinue.server.policies.queries import in_force
from retinue.server.traffic.models import Usage

#: Objects in one transaction.
AT_ONCE = 200
IDLE = "idle"
_log = logging.getLogger("retinue.traffic")


def retire_used(now: datetime, most: int = AT_ONCE) -> int:
    """Retire the predecessors whose successor was used; return how many."""
    waiting = Credential.objects.filter(
        state="active",
        retires_on_first_use=True,
        retires_at__gt=now,
        rotated_to__in=Usage.objects.values("credential"),
    )
    found = list(waiting.order_by("organization_id").values_list("organization_id", "id")[:most])
    done = 0
    for _, ids in _by_organization(found):
        with transaction(SYSTEM, reason="its successor was used") as tx:
            done += len(credentials.retire_used(tx, ids))
    return done


def after_batch(now: datetime) -> None:
    """Look whether a rotation is over, now that uses were stored. Never raises for the database.

    What it could not do, it does after the next batch, or housekeeping within the hour.
    """
    try:
        retire_used(now)
    except (DatabaseError, Refused) as error:
        _log.warning("rotations whose successor was used: %s; looked at again", type(error).__name__)


def _by_organization(found: Iterable[tuple[str, str]]) -> Iterator[tuple[str, list[str]]]:
    groups: dict[str, list[str]] = {}
    for organization, ident in found:
        groups.setdefault(organization, []).append(ident)
    yield from groups.items()


def shut_idle(now: datetime, most: int = AT_ONCE) -> int:
    """Disable accounts and suspend credentials that were unused for longer than their policy allows.

    Only where ``idle.action`` is disable. Whoever enables or restores one starts its time anew.
    """
    done = 0
    for organization in Organization.objects.filter(state="enabled").values_list("id", flat=True):
        compiled = in_force(organization)
        policies = {"": compiled.policy, **compiled.environments}
        if all(_days(policy) is None for policy in policies.values()):
            continue
        done += _disable_accounts(organization, policies, now, most - done)
        done += _suspend_credentials(organization, policies, now, most - done)
        if done >= most:
            break
    return done


def _days(policy: Policy) -> int | None:
    return policy.idle_days if policy.idle_action == "disable" else None


def _limits(policies: dict[str, Policy], now: datetime) -> Iterator[tuple[Q, datetime, int]]:
    """Yield for each environment whom it concerns, and since when they must have been used."""
    named = [label for label in policies if label]
    for label, policy in policies.items():
        days = _days(policy)
        if days is not None:
            whom = Q(environment=label) if label else ~Q(environment__in=named)
            yield whom, now - timedelta(days=days), days


def _disable_accounts(organization: str, policies: dict[str, Policy], now: datetime, most: int) -> int:
    done = 0
    for whom, since, days in _limits(policies, now):
        used = Usage.objects.filter(last_used_at__gt=since).exclude(account="").values("account")
        idle = _accounts(organization, since).filter(whom).exclude(id__in=used)
        ids = list(idle.order_by("id").values_list("id", flat=True)[: max(most - done, 0)])
        if not ids:
            continue
        with transaction(SYSTEM, reason=f"unused for {days} days") as tx:
            for account in _accounts(organization, since).filter(id__in=ids).select_for_update(no_key=True):
                directory.disable(tx, account, IDLE)
                done += 1
    return done


def _accounts(organization: str, since: datetime) -> QuerySet[Principal]:
    """Return the enabled service accounts that nobody has touched since."""
    rows = Principal.objects.filter(organization_id=organization, kind=Principal.SERVICE_ACCOUNT)
    return rows.filter(state="enabled", created_at__lte=since, updated_at__lte=since)


def _suspend_credentials(organization: str, policies: dict[str, Policy], now: datetime, most: int) -> int:
    done = 0
    for whom, since, days in _limits(policies, now):
        used = Usage.objects.filter(last_used_at__gt=since).values("credential")
        owners = Principal.objects.filter(whom, organization_id=organization).values("id")
        concerned = Q(principal_id__in=owners)
        if whom == ~Q(environment__in=[label for label in policies if label]):
            concerned |= Q(principal_id__isnull=True)  # an ingest token belongs to no environment
        idle = _credentials(organization, since).filter(concerned).exclude(id__in=used)
        ids = list(idle.order_by("id").values_list("id", flat=True)[: max(most - done, 0)])
        if not ids:
            continue
        with transaction(SYSTEM, reason=f"unused for {days} days") as tx:
            rows = _credentials(organization, since).filter(id__in=ids).select_related("principal")
            for key in rows.select_for_update(of=("self",), no_key=True):
                done += credentials.suspend(tx, key, IDLE)
    return done


def _credentials(organization: str, since: datetime) -> QuerySet[Credential]:
    rows = Credential.objects.filter(
        organization_id=organization, kind__in=("sa", "pat", "ing"), state="active", issued_at__lte=since
    )
    recently = Q(restored_at__gt=since) | Q(regenerated_at__gt=since)
    return rows.exclude(recently)
