"""Takes from an account what it did not use: grants and roles that it holds itself.

A source that gave nothing that was used goes; one that gave more than was used is replaced by grants of what
was, on the same resources and until the same time. What groups, teams and rules give stays.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import UTC, datetime

from retinue.server.access import grant_actions, queries, rules
from retinue.server.access.paths import Part
from retinue.server.access.queries import Grant
from retinue.server.directory.queries import Principal
from retinue.server.ledger.transaction import Transaction
from retinue.server.policies.queries import policy_of


def reduce_to(tx: Transaction, account: Principal, used: Collection[str], justification: str) -> int:
    """Leave an account what it used of what it holds itself; return how many permissions it lost."""
    before = queries.holdings([account])[account.id].anywhere
    for own in _own(account):
        _reduce(tx, account, own, used, justification)
    return len(before - queries.holdings([account])[account.id].anywhere)


def _own(account: Principal) -> Iterator[list[Part]]:
    """Yield the parts of each grant and each role that the account holds itself."""
    policies = {account.organization_id: policy_of(account.organization_id)}
    found: dict[tuple[str, str], list[Part]] = {}
    for _, parts in queries.paths_of([account], policies):
        for part in parts:
            last = part.links[-1]
            if last.kind in ("direct", "role"):
                found.setdefault((last.kind, last.id), []).append(part)
    yield from found.values()


def _reduce(
    tx: Transaction, account: Principal, parts: list[Part], used: Collection[str], justification: str
) -> None:
    catalogue = queries.catalogue()
    names = frozenset[str]().union(*(rules.names_of(part, catalogue) for part in parts))
    if names <= set(used):
        return
    link, policy = parts[0].links[-1], policy_of(account.organization_id)
    if names & set(used) and "direct" not in policy.grants_sources:
        return
    if link.kind == "role":
        held = queries.assigned(account.id)
        if len(held) <= policy.grants_roles_per_account.min:
            return
        [assignment] = [each for each in held if each.role_id == link.id]
        subject = grant_actions.subject_of(account)
        grant_actions.take_role(tx, subject, assignment, account.organization_id)
    else:
        found = queries.grant(account.id, link.id)
        grant_actions.delete_grant(tx, account.organization_id, found)
    for part in parts:
        for name in sorted(rules.names_of(part, catalogue) & set(used)):
            _keep(tx, account, name, part, justification)


def _keep(tx: Transaction, account: Principal, name: str, part: Part, justification: str) -> None:
    """Grant what was used of something that went; nobody is given anything that they did not hold."""
    if Grant.objects.filter(subject=account.id, permission=name, resource=part.selector.text).exists():
        return
    until = datetime.fromtimestamp(part.until_ms / 1000, UTC) if part.until_ms else None
    grant_actions.grant(
        tx,
        account,
        name,
        justification,
        resource=part.selector,
        expires_at=until,
        origin=grant_actions.Origin(part.links[-1].id, part.is_bound),
        is_kept=True,
    )
