"""Users: invited, listed, renamed, disabled, enabled, deleted; and what hangs on them."""

from __future__ import annotations

import time
from typing import Any

import pytest

from retinue.server.credentials import invitations
from retinue.server.credentials.actions import peppers
from retinue.server.credentials.queries import Credential
from retinue.server.directory.queries import Principal
from tests.api.world import Caller, World


def invited(world: World, email: str = "uma@x.example", **more: Any) -> Any:
    """Invite a user."""
    return world.owner.post("/v1/invitations", {"email": email, "name": "Uma", **more})


def use(world: World, user: Principal) -> str:
    """The address of a user."""
    return f"/v1/users/{user.id}"


def test_invitation_makes_a_user_who_is_to_choose_a_password(world: World) -> None:
    """
    The user has the roles at once; the token opens the page and no call of the API.
    """
    answer = invited(world, roles=["auditor"])
    user = answer.json["user"]
    token = answer.json["token"]
    asked = Caller(None).get("/v1/me", {"Authorization": f"Bearer {token}"})

    assert (201, ["auditor"], "invited", "/invitation/") == (
        answer.status,
        user["roles"],
        user["status"],
        answer.json["page"],
    )
    assert answer.json["expires_at"] == user["invitation_expires_at"]
    assert 401 == asked.status


def test_roles_of_an_invited_user_obey_the_ceiling(world: World) -> None:
    """
    Nobody invites a user who may do more than they may; nothing is made.
    """
    manager = world.caller("user:create", "grant:create", "user:read")
    answer = manager.post(
        "/v1/invitations",
        {"email": "uma@x.example", "name": "Uma", "roles": ["auditor"], "justification": "x"},
    )

    assert (403, "ceiling_exceeded") == (answer.status, answer.code)
    assert [] == world.owner.get("/v1/users?email=uma@x.example").json["items"]


def test_invitation_is_made_anew(world: World) -> None:
    """
    Another invitation ends the one before; a user who has a password gets none.
    """
    first = invited(world).json
    path = f"/v1/users/{first['user']['id']}/invite"
    second = world.owner.post(path, {})
    now = Credential.objects.get(
        id__startswith="inv_", principal_id=first["user"]["id"], state="active"
    ).issued_at
    found = [invitations.find(each["token"], now, peppers()) for each in (first, second.json)]

    assert (201, True, False) == (second.status, found[0] is None, found[1] is None)


def test_nobody_takes_over_a_stronger_user_by_an_invitation(world: World) -> None:
    """
    An invitation hands out all that its user may do, so it needs as much.
    """
    made = world.owner.post("/v1/users", {"email": "boss@x.example", "name": "Boss", "roles": ["owner"],
                                          "justification": "second owner"}).json  # fmt: skip
    answer = world.caller("user:create", "grant:create").post(f"/v1/users/{made['id']}/invite", {})

    assert (403, "ceiling_exceeded") == (answer.status, answer.code)


def test_disabled_user_is_a_gate(world: World) -> None:
    """
    The tokens of a disabled user are refused, with a receipt; enabled again, they work.
    """
    user, caller = world.user()
    disabled = world.owner.post(f"{use(world, user)}/disable", {"reason": "away"})
    refused = caller.get("/v1/me")
    world.owner.post(f"{use(world, user)}/enable", {})

    assert ("disabled", "user.disabled") == (disabled.json["status"], disabled.json["receipt"]["change"])
    assert (401, "account_disabled", 200) == (refused.status, refused.code, caller.get("/v1/me").status)


def test_deleted_user_is_revoked_and_the_accounts_go_on(world: World) -> None:
    """
    Deleting revokes the tokens in the same transaction and leaves a tombstone; accounts go on without owner.
    """
    user, caller = world.user()
    account = world.account("etl")
    key = Caller(world.key(account)[1], account)
    world.owner.patch(f"/v1/service-accounts/{account.id}", {"owners": [user.id]})
    gone = world.owner.delete(use(world, user))
    [event] = world.owner.get(f"/v1/audit-events?subject={user.id}&type=user.deleted").json["items"]
    token = Credential.objects.get(principal=user)

    assert ("deleted", "revoked", "account_deleted") == (gone.json["state"], token.state, token.reason)
    assert (401, "account_deleted", 200) == (
        caller.get("/v1/me").status,
        caller.get("/v1/me").code,
        key.get("/v1/me").status,
    )
    assert event["revision"] == int(gone.headers["retinue-revision"])
    assert "ownerless" == world.owner.get(f"/v1/service-accounts/{account.id}").json["status"]
    assert [] == [each["id"] for each in world.owner.get("/v1/users").json["items"] if each["id"] == user.id]


def test_impact_tells_what_hangs_on_a_user(world: World) -> None:
    """
    Tokens in use and accounts, with who else answers for them; a deleted user's list stays until it is settled.
    """
    user, _ = world.user()
    alone, shared = world.account("alone"), world.account("shared")
    world.owner.patch(f"/v1/service-accounts/{alone.id}", {"owners": [user.id]})
    world.owner.patch(f"/v1/service-accounts/{shared.id}", {"owners": [user.id, world.owner.id]})
    before = world.owner.get(f"{use(world, user)}/impact").json
    world.owner.delete(use(world, user))
    after = world.owner.get(f"{use(world, user)}/impact").json

    assert (1, 1, ["alone", "shared"]) == (
        before["tokens_usable"],
        before["ownerless_without"],
        [each["account"]["name"] for each in before["owned"]],
    )
    assert [[], [world.owner.id]] == [[one["id"] for one in each["other_owners"]] for each in before["owned"]]
    assert (0, 2) == (after["tokens_usable"], len(after["owned"]))


def test_accounts_are_reassigned(world: World) -> None:
    """
    Another user takes the place of a leaver, in some accounts or in all; the list is empty then.
    """
    user, _ = world.user()
    accounts = [world.account(name) for name in ("a", "b")]
    for each in accounts:
        world.owner.patch(f"/v1/service-accounts/{each.id}", {"owners": [user.id]})
    world.owner.delete(use(world, user))
    path = f"{use(world, user)}/reassign"
    one = world.owner.post(path, {"to": world.owner.id, "accounts": [accounts[0].id]})
    left = world.owner.get(f"{use(world, user)}/impact").json["ownerless_without"]
    rest = world.owner.post(path, {"to": world.owner.id})
    wrong = world.owner.post(path, {"to": world.owner.id, "accounts": [accounts[0].id]})

    assert (["a"], 1, ["b"]) == (
        [each["name"] for each in one.json["items"]],
        left,
        [each["name"] for each in rest.json["items"]],
    )
    assert (404, "body.accounts.0") == (wrong.status, wrong.field)
    assert "active" == world.owner.get(f"/v1/service-accounts/{accounts[1].id}").json["status"]


@pytest.mark.parametrize("verb", ["disable", "delete", "demote", "unassign"])
def test_last_owner_stays(world: World, verb: str) -> None:
    """
    The last enabled user who may do everything is neither disabled nor deleted nor demoted, by whatever call; a
    second one may go.
    """
    manager = world.caller("user:disable", "user:delete", "user:update", "grant:create", "grant:delete")

    def go(user_id: str) -> int:
        path = f"/v1/users/{user_id}"
        if verb == "disable":
            return manager.post(f"{path}/disable", {}).status
        if verb == "unassign":
            [held] = world.owner.get(f"/v1/assignments?subject={user_id}").json["items"]
            return world.owner.delete(f"/v1/assignments/{held['id']}").status
        caller = world.owner if verb == "demote" else manager
        return caller.delete(path).status if verb == "delete" else caller.patch(path, {"roles": []}).status

    last = go(world.owner.id)
    second = world.owner.post("/v1/users", {"email": "b@x.example", "name": "B", "roles": ["owner"],
                                            "justification": "second"}).json  # fmt: skip

    assert (409, 200) == (last, go(second["id"]))


def test_nobody_ends_themselves(world: World) -> None:
    """
    Another one with the permission ends a user; oneself is refused.
    """
    answer = world.owner.post(f"/v1/users/{world.owner.id}/disable", {})

    assert (409, "state_conflict") == (answer.status, answer.code)


def test_user_is_renamed(world: World) -> None:
    """
    The name changes, with one event; the id, the address and the handle stay.
    """
    user, _ = world.user("Uma")
    answer = world.owner.patch(use(world, user), {"name": "Uma Second"})
    [event] = world.owner.get(f"/v1/audit-events?subject={user.id}&type=user.updated").json["items"]

    assert ("Uma Second", user.email) == (answer.json["name"], answer.json["email"])
    assert ({"name": "Uma"}, {"name": "Uma Second"}) == (event["before"], event["after"])


def test_list_is_narrowed(world: World) -> None:
    """
    Users are found by state, role and text.
    """
    user, _ = world.user("Zoe")
    world.owner.post(f"{use(world, user)}/disable", {})

    def names(query: str) -> list[str]:
        return [each["name"] for each in world.owner.get(f"/v1/users?{query}").json["items"]]

    assert (["Zoe"], ["Olga Owner"], ["Zoe"]) == (
        names("state=disabled"),
        names("role=owner"),
        names("search=zoe"),
    )


def test_a_second_owner_whose_role_has_ended_does_not_count(world: World) -> None:
    """
    Who was an owner until an instant that is past is none: the other one is the last, and stays.
    """
    second, _ = world.user()
    until = {"subject": second.id, "role": "owner", "expires": "1s", "justification": "for a second"}
    assert 201 == world.owner.post("/v1/assignments", until).status
    time.sleep(1.1)

    assert 409 == world.owner.patch(f"/v1/users/{world.owner.id}", {"roles": []}).status


def test_an_owner_steps_back_alone(world: World) -> None:
    """
    One of two owners gives themselves a smaller role instead: what goes is still held when the other is given.
    """
    world.owner.post(
        "/v1/users", {"email": "b@x.example", "name": "B", "roles": ["owner"], "justification": "x"}
    )
    answer = world.owner.patch(f"/v1/users/{world.owner.id}", {"roles": ["member"], "justification": "x"})

    assert (200, ["member"]) == (answer.status, answer.json["roles"])
