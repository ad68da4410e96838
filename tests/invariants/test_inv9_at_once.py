"""INV9: what was taken away stays away, and what is counted is counted, whoever acts at the same moment."""

from __future__ import annotations

import pytest

from retinue.server.access.queries import Grant, Membership, RoleAssignment
from retinue.server.directory.queries import Principal
from retinue.server.ledger.models import AuditEvent
from tests.api.access_cases import four_eyes
from tests.api.policies import set_policy
from tests.api.world import Caller, World
from tests.invariants.ground import done, together

ROUNDS = 3
WHY = {"justification": "a test"}


def _waiting(world: World, what: str, name: str) -> tuple[str, str, str]:
    """Return the address of what waits for a second person, and how it is rejected."""
    subject = world.account(name).id
    if what == "grant":
        made = done(world.owner.post("/v1/grants", {"subject": subject, "permission": "grant:create"} | WHY))
        return f"/v1/grants/{made['id']}/approve", "DELETE", f"/v1/grants/{made['id']}"
    made = done(world.owner.post("/v1/assignments", {"subject": subject, "role": "access-manager"} | WHY))
    return f"/v1/assignments/{made['id']}/approve", "DELETE", f"/v1/assignments/{made['id']}"


@pytest.mark.parametrize("what", ["grant", "assignment"])
def test_inv9_what_is_rejected_is_not_approved_at_the_same_moment(world: World, what: str) -> None:
    """
    One approves and another one rejects at the same moment: whoever was answered that it is gone is right.
    """
    second = four_eyes(world)
    for number in range(ROUNDS):
        path, method, gone = _waiting(world, what, f"a{number}")
        approved, rejected = together(
            lambda path=path: second.post(path),  # type: ignore[misc]
            lambda method=method, gone=gone: world.owner.call(method, gone),  # type: ignore[misc]
        )
        rows = Grant.objects if what == "grant" else RoleAssignment.objects

        assert 200 == rejected.status, rejected.text
        assert approved.status in (200, 404), approved.text
        assert not rows.filter(id=gone.rpartition("/")[2]).exists()


def test_inv9_who_is_taken_out_is_not_let_in_at_the_same_moment(world: World) -> None:
    """
    A member who waits is approved and removed at the same moment: afterwards it is in no case a member.
    """
    body = {"name": "Blue", "permissions": ["grant:create"]} | WHY
    group = f"/v1/groups/{done(world.owner.post('/v1/groups', body))['id']}"
    second = four_eyes(world)
    for number in range(ROUNDS):
        account = world.account(f"a{number}").id
        done(world.owner.post(f"{group}/add", {"members": [account]} | WHY))
        approved, removed = together(
            lambda account=account: second.post(f"{group}/members/{account}/approve"),  # type: ignore[misc]
            lambda account=account: world.owner.post(f"{group}/remove", {"members": [account]}),  # type: ignore[misc]
        )

        assert 200 == removed.status, removed.text
        assert approved.status in (200, 404), approved.text
        assert not Membership.objects.filter(principal_id=account).exists()


def test_inv9_it_is_approved_once(world: World) -> None:
    """
    Several approve the same grant at once: one lets it hold, and one event says so.
    """
    second = four_eyes(world)
    path, _, _ = _waiting(world, "grant", "etl")
    answers = together(*[lambda: Caller(second.token).post(path)] * 4)

    assert [200, 409, 409, 409] == sorted(each.status for each in answers)
    assert 1 == AuditEvent.objects.filter(type="grant.approved", organization=world.organization.id).count()


def test_inv9_restored_accounts_count(world: World) -> None:
    """
    Deleted accounts are restored, and new ones are created, at once: never more than the policy lets there be.
    """
    most = 4
    gone = [world.account(f"a{number}").id for number in range(most)]
    for ident in gone:
        done(world.owner.delete(f"/v1/service-accounts/{ident}"))
    rows = Principal.objects.filter(organization=world.organization, kind="service_account")
    world.account("kept")
    set_policy(world, accounts__max=2)
    body = {"purpose": "x", "owners": [world.owner.id]}
    answers = together(
        *(lambda ident=ident: world.owner.post(f"/v1/service-accounts/{ident}/restore") for ident in gone),
        *(
            lambda n=n: world.owner.post("/v1/service-accounts", {"name": f"n{n}"} | body)
            for n in range(most)
        ),
    )

    assert 1 == sum(each.status in (200, 201) for each in answers), [each.text for each in answers]
    assert 2 == rows.exclude(state="deleted").count()


def test_inv9_what_is_disabled_is_not_written_back_as_it_was(world: World) -> None:
    """
    An account that is disabled, and one that is deleted, while all accounts of a person get another owner stay so;
    so does a user who is disabled while a document renames them.
    """
    other, _ = world.user("Otto")
    accounts = [world.account(f"a{number:02}").id for number in range(30)]
    first, last = f"/v1/service-accounts/{accounts[-2]}", f"/v1/service-accounts/{accounts[-1]}"
    moved, disabled, deleted = together(
        lambda: world.owner.post(f"/v1/users/{world.owner.id}/reassign", {"to": other.id}),
        lambda: Caller(world.owner.token).post(f"{first}/disable"),
        lambda: Caller(world.owner.token).delete(last),
    )

    assert [200, 200] == [disabled.status, deleted.status]
    assert moved.status in (200, 409), moved.text
    assert ["disabled", "deleted"] == [
        Principal.objects.get(id=ident).state for ident in (accounts[-2], accounts[-1])
    ]
