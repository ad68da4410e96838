"""The permission step: masks, holders, resources, teams and time."""

from __future__ import annotations

from typing import Any

import pytest

from retinue import permission
from retinue.authority import Resource, refusal
from retinue.replica.memory import MemoryReplica
from retinue.replica.records import (
    Change,
    Holder,
    Kind,
    Meta,
    Organization,
    Permission,
    Principal,
    Record,
    Scope,
    Timed,
    encode,
)
from retinue.replica.records import Resource as TeamsOf

READ = permission.mask([70])
NOW = 1_000
MISSING, ELSEWHERE = "permission_missing", "resource_not_covered"


def ask(
    principal: Principal,
    target: Resource | None = None,
    *,
    now: int = NOW,
    organization: Organization | None = None,
    more: dict[str, Record] | None = None,
    **rows: Record,
) -> str | None:
    """Ask for the one permission with these holders and the teams of resources."""
    replica = MemoryReplica()
    changes = [Change(1, Kind.PERMISSION, "report:read", encode(Permission("report:read", 70)))]
    for key, row in (rows | (more or {})).items():
        kind = Kind.RESOURCE if isinstance(row, TeamsOf) else Kind.HOLDER
        changes.append(Change(1, kind, f"org/{key}" if kind is Kind.RESOURCE else key, encode(row)))
    replica.apply(changes, Meta())
    home = organization or Organization("org", "acme", "Acme", "enabled", ("bearer",))
    with replica.snapshot() as snapshot:
        found = refusal(snapshot, home, principal, "report:read", now, target or Resource())
    return None if found is None else found.value


def account(**given: Any) -> Principal:
    """A service account that holds what is given."""
    return Principal("sa_1", "service_account", "org", "bot", "Bot", "enabled", **given)


@pytest.mark.parametrize(
    ("scope", "target", "expected"),
    [
        (Scope(READ, "ids", ("r1",)), Resource("r1"), None),
        (Scope(READ, "ids", ("r1",)), Resource("r2"), ELSEWHERE),
        (Scope(READ, "ids", ("r1",)), Resource(), ELSEWHERE),
        (Scope(READ, "own"), Resource("r1", {"owner": "sa_1"}), None),
        (Scope(READ, "own"), Resource("r1", {"owner": "sa_2"}), ELSEWHERE),
        (Scope(READ, "own"), Resource("r1"), ELSEWHERE),
        (Scope(READ, "where", where=(("region", ("eu",)),)), Resource("r1", {"region": "eu"}), None),
        (Scope(READ, "where", where=(("region", ("eu",)),)), Resource("r1", {"region": "us"}), ELSEWHERE),
        (Scope(READ, "where", where=(("region", ("*",)),)), Resource("r1", {"region": "us"}), None),
        (Scope(READ, "where", where=(("region", ("*",)),)), Resource("r1"), ELSEWHERE),
        (Scope(READ, until_ms=NOW + 1), Resource(), None),
        (Scope(READ, until_ms=NOW), Resource(), MISSING),
        (Scope(READ, users_only=True), Resource(), MISSING),
        (Scope(b"\1"), Resource(), MISSING),
        (Scope(READ, "no such reach"), Resource("r1"), ELSEWHERE),
    ],
)
def test_a_limited_grant_holds_within_its_limits(
    scope: Scope, target: Resource, expected: str | None
) -> None:
    """
    Ids, owner, attributes and time: what is not stated is not matched, and an end counts from its instant on.
    """
    assert expected == ask(account(scoped=(scope,)), target)


def test_teams_bind_roles_to_their_members() -> None:
    """
    A bound permission reaches a resource of a team only for its members; one of no team for everybody; what is
    not bound reaches both.
    """
    team, other = Holder("tea_1"), Holder("tea_2")
    bound, free = Holder("rol_b", bound=READ), Holder("rol_f", READ)
    rows: dict[str, Record] = {
        "tea_1": team, "tea_2": other, "rol_b": bound, "rol_f": free, "r1": TeamsOf(("tea_1",)),
    }  # fmt: skip

    def may(*holders: str, resource: str | None) -> str | None:
        return ask(account(holders=holders), Resource(resource), more=rows)

    assert [None, None, None] == [may("rol_b", "tea_1", resource=each) for each in ("r1", "r2", None)]
    assert [ELSEWHERE, None, None] == [may("rol_b", "tea_2", resource=each) for each in ("r1", "r2", None)]
    assert [None, None, None] == [may("rol_f", resource=each) for each in ("r1", "r2", None)]
    assert MISSING == may("tea_1", resource="r1")


def test_a_holder_ends_by_the_clock() -> None:
    """
    A role or membership that was given until an instant gives nothing from then on, without any change.
    """
    held = account(timed=(Timed("rol_1", NOW + 10),))
    role = Holder("rol_1", READ)

    assert [None, None, MISSING] == [ask(held, now=each, rol_1=role) for each in (NOW, NOW + 9, NOW + 10)]


def test_holders_by_kind_and_bans() -> None:
    """
    What all service accounts hold stands in the organization; what is banned for them is never theirs.
    """
    home = Organization("org", "acme", "Acme", "enabled", ("bearer",), service_holders=("grp_1",))
    banned = Organization("org", "acme", "Acme", "enabled", ("bearer",), READ, service_holders=("grp_1",))
    person = Principal("usr_1", "user", "org", "ada", "Ada", "enabled")
    group = Holder("grp_1", READ)

    assert [None, MISSING, MISSING] == [
        ask(account(), organization=home, grp_1=group),
        ask(person, organization=home, grp_1=group),
        ask(account(permissions=READ), organization=banned, grp_1=group),
    ]
