"""What a principal has by conditions: changing it must not be a way around the grant ceiling."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from retinue.server.access import loading, queries
from retinue.server.access.handing import Handing
from retinue.server.access.paths import Part
from retinue.server.directory.queries import Principal
from retinue.server.directory.rules import DECIDING


def by_rule(handing: Handing, account: Principal) -> list[Part]:
    """Return what an account has because it matches conditions; what all of its kind have is left out."""
    facts = loading.of_principals([account.organization_id], [account.id], deep=True)
    who = queries.subject_of(account)
    found: list[Part] = []
    for rule in (*facts.groups.values(), *facts.policies.values()):
        if who.kind not in rule.kinds and who.id not in rule.subjects and rule.takes_in(who):
            found += facts.parts(rule.id, handing.policy)
    return found


def check_matched(
    handing: Handing, account: Principal, had: Iterable[Part], changed: Collection[str] = DECIDING
) -> None:
    """Refuse a change of the fields ``changed`` by which it matches more than the actor may hand out."""
    to_service = account.kind == Principal.SERVICE_ACCOUNT
    deciding = sorted(DECIDING.intersection(changed)) or ["name"]
    handing.gained(had, by_rule(handing, account), to_service=to_service, field=deciding[0])
