"""``expiry.enforce: all``: credentials that live longer than the policy allows get an end that it does.

None of them ends before its owners could be warned for the first time, and what would end on one day is
spread, so that not everything has to be replaced at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

from django.db.models import Q

from retinue.server.credentials import rules, writing
from retinue.server.credentials.models import Credential
from retinue.server.credentials.owners import Owner
from retinue.server.directory.queries import Organization
from retinue.server.ledger.transaction import SYSTEM, Transaction, transaction
from retinue.server.policies.queries import in_force
from retinue.server.policies.rules import Compiled
from retinue.token import Kind

#: Credentials in one transaction.
AT_ONCE = 200
KINDS = (Kind.API_KEY, Kind.PERSONAL, Kind.INGEST)


@dataclass(frozen=True, slots=True)
class Shortened:
    """A credential that lives too long, and the end that it gets."""

    credential: Credential
    at: datetime


def plan(organization_id: str, compiled: Compiled, now: datetime) -> list[Shortened]:
    """Return what a policy shortens, the oldest first: the dry run of the one in force, or of another."""
    warn = timedelta(days=max(compiled.policy.expiry_warn_days, default=1))
    earliest, latest = now + warn, now + 2 * warn
    found: list[tuple[Credential, datetime]] = []
    rows = Credential.objects.filter(
        Q(expires_at__isnull=True) | Q(expires_at__gt=latest),
        organization_id=organization_id,
        kind__in=[kind.value for kind in KINDS],
        state__in=["active", "suspended"],
    ).filter(Q(retires_at__isnull=True) | Q(retires_at__gt=now))
    for key in rows.select_related("principal").order_by("issued_at", "id"):
        end = _allowed(key, compiled)
        if end is not None and (key.expires_at is None or key.expires_at > max(end, latest)):
            found.append((key, end))
    late = sum(1 for _, end in found if end < earliest)
    made, place = [], 0
    for key, end in found:
        if end < earliest:
            end = earliest + (latest - earliest) * place / late
            place += 1
        made.append(Shortened(key, end.replace(microsecond=end.microsecond // 1000 * 1000)))
    return made


def _allowed(key: Credential, compiled: Compiled) -> datetime | None:
    """Return the latest end that the policy allows; ``None`` where it allows any."""
    environment = "" if key.principal is None else key.principal.environment
    bound = rules.bounds(compiled.of(environment), Kind(key.kind), environment)
    if key.expires_at is None and bound.may_never_end:
        return None
    days = bound.most if bound.most is not None else (bound.default_days if key.expires_at is None else None)
    return None if days is None else key.issued_at + timedelta(days=days)


def enforce(now: datetime, most: int = AT_ONCE) -> int:
    """Shorten what lives too long in every organization whose policy says so; return how much."""
    done = 0
    for organization in Organization.objects.values_list("id", flat=True):
        for part in _parts(enforced(organization, in_force(organization), now)):
            with transaction(SYSTEM, reason="expiry.enforce: all") as tx:
                done += sum(_shorten(tx, each) for each in part)
    return done


def enforced(organization_id: str, compiled: Compiled, now: datetime) -> list[Shortened]:
    """Return what a policy shortens by itself."""
    policies = (compiled.policy, *compiled.environments.values())
    if all(policy.expiry_enforce != "all" for policy in policies):
        return []
    return [each for each in plan(organization_id, compiled, now) if _is_enforced(each, compiled)]


def _is_enforced(each: Shortened, compiled: Compiled) -> bool:
    principal = each.credential.principal
    return compiled.of("" if principal is None else principal.environment).expiry_enforce == "all"


def _parts(planned: list[Shortened]) -> Iterator[list[Shortened]]:
    rest = iter(planned)
    while part := list(islice(rest, AT_ONCE)):
        yield part


def _shorten(tx: Transaction, each: Shortened) -> bool:
    """Give a credential its end, unless it ended or got an earlier one meanwhile."""
    key = Credential.objects.select_for_update(no_key=True).get(id=each.credential.id)
    if key.state not in ("active", "suspended") or (key.expires_at is not None and key.expires_at <= each.at):
        return False
    policy = Owner(Kind(key.kind), key.organization_id, each.credential.principal).policy
    before = {"expires_at": writing.text(key.expires_at)}
    key.expires_at = each.at
    key.has_expired = each.at <= tx.now
    key.rotate_by = rules.rotate_by(key.regenerated_at or key.issued_at, each.at, policy)
    key.save()
    writing.say(tx, key, "expiry_shortened", before=before, after={"expires_at": writing.text(each.at)})
    return True
