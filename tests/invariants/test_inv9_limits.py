"""INV9: limits, uniqueness and bans are decided inside the transaction that writes, whoever writes beside it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

import pytest
from django.db import connection

from retinue.server.credentials.models import Credential
from retinue.server.credentials.owners import Owner
from retinue.server.directory.queries import Organization, Principal
from retinue.server.ledger.models import AuditEvent
from tests.api.policies import set_policy
from tests.api.world import Answer, World
from tests.invariants.ground import done, together

WRITERS = 6
LIMIT = 10
ACCOUNTS = "/v1/service-accounts"


def _outcomes(answers: list[Answer]) -> Counter[str]:
    return Counter(each.code if each.status >= 400 else "done" for each in answers)


def _usable(account: str) -> int:
    return Credential.objects.filter(principal_id=account, state="active").count()


def _keys(world: World, path: str, names: list[str]) -> list[Answer]:
    return together(*(lambda name=name: world.owner.post(f"{path}/keys", {"name": name}) for name in names))


def _nearly_full(world: World, name: str = "etl") -> str:
    """Return the id of an account with room for one more key."""
    account = world.account(name)
    for number in range(LIMIT - 1):
        world.key(account, f"k{number}")
    return account.id


def test_inv9_the_limit_of_keys_holds_among_writers(world: World) -> None:
    """
    Of several callers who issue the last key that there is room for, one gets it.
    """
    account = _nearly_full(world)
    answers = _keys(world, f"{ACCOUNTS}/{account}", [f"new{number}" for number in range(WRITERS)])

    assert {"done": 1, "too_many_keys": WRITERS - 1} == _outcomes(answers)
    assert LIMIT == _usable(account)


def test_inv9_the_limit_holds_for_rotation_too(world: World) -> None:
    """
    Rotations with overlap count: of several keys rotated at once only one finds room for its successor.
    """
    account = _nearly_full(world)
    ids = list(Credential.objects.filter(principal_id=account).values_list("id", flat=True))[:WRITERS]
    answers = together(*(lambda key=key: world.owner.post(f"/v1/keys/{key}/rotate") for key in ids))

    assert {"done": 1, "too_many_keys": WRITERS - 1} == _outcomes(answers)
    assert LIMIT == _usable(account)


def test_inv9_a_name_of_a_key_is_taken_once(world: World) -> None:
    """
    Several callers issue a key of one name, in different spellings: one gets it.
    """
    account = world.account()
    names = ["deploy", "Deploy", "DEPLOY", "deploy", "dePloy", "deploy"]
    answers = _keys(world, f"{ACCOUNTS}/{account.id}", names)

    assert {"done": 1, "duplicate_name": WRITERS - 1} == _outcomes(answers)
    assert 1 == _usable(account.id)


def test_inv9_a_handle_is_taken_once(world: World) -> None:
    """
    Several callers create an account of one name, and rename others to its handle: one gets it.
    """
    others = [world.account(f"other-{number}") for number in range(WRITERS // 2)]
    body = {"name": "Nightly Job", "purpose": "x", "owners": [world.owner.id]}
    makers = [lambda: world.owner.post(ACCOUNTS, body)] * (WRITERS // 2)
    namers = [
        lambda other=other: world.owner.patch(f"{ACCOUNTS}/{other.id}", {"handle": "nightly-job"})
        for other in others
    ]
    answers = together(*makers, *namers)

    assert {"done": 1, "duplicate_name": WRITERS - 1} == _outcomes(answers)
    assert 1 == Principal.objects.filter(organization=world.organization, handle="nightly-job").count()


def test_inv9_a_grant_is_made_once(world: World) -> None:
    """
    Several callers grant the same permission: there is one grant, and one event that says so.
    """
    account = world.account()
    path = f"{ACCOUNTS}/{account.id}/grants"
    answers = together(*[lambda: world.owner.post(path, {"permission": "report:read"})] * WRITERS)

    assert {"done": 1, "duplicate_name": WRITERS - 1} == _outcomes(answers)
    assert 1 == len(done(world.owner.get(path))["items"])
    assert 1 == AuditEvent.objects.filter(type="grant.created", organization=world.organization.id).count()


def test_inv9_the_limit_of_personal_tokens_holds_among_writers(world: World) -> None:
    """
    Of several calls by which a user issues the last token that there is room for, one gets it.
    """
    set_policy(world, pat__max_usable=3)
    before = len(done(world.owner.get("/v1/me/tokens"))["items"])
    for number in range(2 - before):
        done(world.owner.post("/v1/me/tokens", {"name": f"t{number}"}))
    names = [f"new{number}" for number in range(WRITERS)]
    answers = together(
        *(lambda name=name: world.owner.post("/v1/me/tokens", {"name": name}) for name in names)
    )

    assert {"done": 1, "too_many_keys": WRITERS - 1} == _outcomes(answers)
    assert 3 == _usable(world.owner.id)


def test_inv9_a_handle_of_an_organization_is_taken_once(world: World) -> None:
    """
    Several operators create an organization of one handle, in different spellings: one gets it.
    """
    operator = World.create(operator=True).owner
    name = f"race-{world.organization.handle}"
    bodies = [
        {"handle": each, "name": "Race", "service_account": "first"}
        for each in (name, name.upper()) * (WRITERS // 2)
    ]
    answers = together(*(lambda body=body: operator.post("/v1/organizations", body) for body in bodies))

    assert {"done": 1, "duplicate_name": WRITERS - 1} == _outcomes(answers)
    assert 1 == Organization.objects.filter(handle=name).count()


def test_inv9_a_version_of_the_policy_follows_the_one_that_was_seen(world: World) -> None:
    """
    Of several changes of the policy that were made from the same version, one comes into force.
    """
    version = done(world.owner.get("/v1/policy"))["version"]
    bodies = [
        {"version": version, "set": {"rotation.overlap_seconds": 3600 + number}} for number in range(WRITERS)
    ]
    answers = together(*(lambda body=body: world.owner.patch("/v1/policy", body) for body in bodies))

    assert {"done": 1, "state_conflict": WRITERS - 1} == _outcomes(answers)
    assert version + 1 == done(world.owner.get("/v1/policy"))["version"]


def test_inv9_no_key_is_issued_beside_a_deletion(world: World) -> None:
    """
    Callers who issue keys while the account is deleted are refused, or their key is revoked with it: none lives.
    """
    account = world.account()
    path = f"{ACCOUNTS}/{account.id}"
    issuers = [
        lambda number=number: world.owner.post(f"{path}/keys", {"name": f"k{number}"})
        for number in range(WRITERS)
    ]
    answers = together(*issuers, lambda: world.owner.delete(path))

    assert 200 == answers[-1].status
    assert {"done", "state_conflict"} >= set(_outcomes(answers))
    assert "deleted" == Principal.objects.get(id=account.id).state
    assert 0 == _usable(account.id)


def test_inv9_a_ban_is_decided_where_it_is_written(world: World) -> None:
    """
    What a service account may never have is refused on every way that leads there, and nothing of the call
    has happened: neither the account, nor its other roles and grants.
    """
    account = world.account()
    new = {"name": "banned", "purpose": "x", "owners": [world.owner.id], "justification": "x"}
    answers = [
        world.owner.post(ACCOUNTS, new | {"roles": ["auditor", "owner"]}),
        world.owner.post(ACCOUNTS, new | {"permissions": ["report:read", "pat:issue"]}),
        world.owner.patch(f"{ACCOUNTS}/{account.id}", {"roles": ["owner"], "justification": "x"}),
        world.owner.post(f"{ACCOUNTS}/{account.id}/grants", {"permission": "organization:delete"}),
        world.owner.post(f"{ACCOUNTS}/{account.id}/grants", {"permission": "pat:*", "justification": "x"}),
    ]

    assert ["forbidden_for_service"] * 5 == [each.code for each in answers]
    assert not Principal.objects.filter(organization=world.organization, handle="banned").exists()
    assert [] == done(world.owner.get(f"{ACCOUNTS}/{account.id}/permissions"))["items"]


@contextmanager
def _without_locks(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the writers look before they are alone: the mistake against which this invariant stands."""
    check_room = Owner.check_room

    def check_and_dawdle(owner: Owner, present: list[Credential], now: datetime) -> None:
        check_room(owner, present, now)
        time.sleep(0.05)

    with monkeypatch.context() as patch:
        patch.setattr(Owner, "check_room", check_and_dawdle)
        patch.setattr(Owner, "locked", lambda owner: owner)
        yield


def test_inv9_is_tried_in_earnest(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Negative control: where the rows are not locked before the look, the writers here do go beyond the limit on
    PostgreSQL. SQLite lets one writer in at a time, so there the look is made alone anyway.
    """
    found: list[int] = []
    with _without_locks(monkeypatch):
        while len(found) < 3 and max(found, default=0) <= LIMIT:
            account = _nearly_full(world, f"a{len(found)}")
            _keys(world, f"{ACCOUNTS}/{account}", [f"new{number}" for number in range(WRITERS)])
            found.append(_usable(account))

    assert (connection.vendor == "postgresql") == (max(found) > LIMIT)
