"""``/v1/users`` and ``/v1/me``."""

from __future__ import annotations

import pytest

from tests.api.world import World


def test_service_account_creates_a_user_on_the_fly(world: World) -> None:
    """
    A service account that holds ``user:create`` creates a user; the audit log names the account and its key.
    """
    caller = world.caller("user:create")
    made = caller.post("/v1/users", {"email": "Ada@Acme.example", "name": "Ada"})
    event = world.owner.get(f"/v1/audit-events?subject={made.json['id']}").json["items"][0]

    assert (201, "ada@acme.example", "user", False) == (
        made.status, made.json["email"], made.json["kind"], made.json["can_sign_in"],
    )  # fmt: skip
    assert ("user.created", caller.id, "service_account") == (
        event["type"], event["actor"]["id"], event["actor"]["kind"],
    )  # fmt: skip
    assert caller.token is not None
    assert f"key_{caller.token.kid}" == event["credential_id"]
    assert made.json == world.owner.get(f"/v1/users/{made.json['id']}").json


@pytest.mark.parametrize(
    ("body", "status", "code", "field"),
    [
        ({"email": "nobody", "name": "x"}, 400, "invalid_value", "body.email"),
        ({"email": "a@b.example"}, 400, "missing_field", "body.name"),
        ({"email": "a@b.example", "name": "x", "roles": ["emperor"]}, 422, "role_unknown", "body.roles.0"),
        (
            {"email": "a@b.example", "name": "x", "roles": ["owner"]},
            422,
            "justification_required",
            "body.justification",
        ),
    ],
)
def test_bad_users_are_refused(
    world: World, body: dict[str, object], status: int, code: str, field: str
) -> None:
    """
    A refused user is told the field and the rule, and not created.
    """
    answer = world.owner.post("/v1/users", body)

    assert (status, code, field) == (answer.status, answer.code, answer.field), answer.text
    assert [world.owner.id] == [item["id"] for item in world.owner.get("/v1/users").json["items"]]


def test_email_is_taken_once(world: World) -> None:
    """
    Two users of an organization never share an address.
    """
    world.owner.post("/v1/users", {"email": "a@b.example", "name": "A"})
    answer = world.owner.post("/v1/users", {"email": "A@B.example", "name": "B"})

    assert (409, "duplicate_name", "body.email") == (answer.status, answer.code, answer.field)


def test_users_of_others_do_not_exist(world: World) -> None:
    """
    A user of another organization is answered like one that never was, and so is a service account.
    """
    answers = [
        world.owner.get(f"/v1/users/{ident}") for ident in (World.create().owner.id, world.account().id)
    ]

    assert [(404, "not_found")] * 2 == [(each.status, each.code) for each in answers]


def test_caller_sees_itself(world: World) -> None:
    """
    Whoever holds nothing still learns who it is.
    """
    caller = world.caller("report:read")
    me = caller.get("/v1/me").json
    owner = world.owner.get("/v1/me").json

    assert (caller.id, world.organization.id, "api_key", ["report:read"], False) == (
        me["principal"]["id"], me["organization"]["id"], me["credential"]["kind"], me["permissions"],
        me["operator"],
    )  # fmt: skip
    assert ("personal_access_token", "test") == (owner["credential"]["kind"], owner["credential"]["name"])


def test_own_tokens_are_listed_and_revoked(world: World) -> None:
    """
    A user sees and ends its own personal access tokens, and nobody else's.
    """
    _, caller = world.user()
    token = caller.get("/v1/me/tokens").json["items"][0]
    foreign = world.owner.post(f"/v1/me/tokens/{token['id']}/revoke")
    revoked = caller.post(f"/v1/me/tokens/{token['id']}/revoke")
    after = caller.get("/v1/me")

    assert ("personal_access_token", "test") == (token["kind"], token["name"])
    assert (404, "not_found") == (foreign.status, foreign.code)
    assert (200, "revoked") == (revoked.status, revoked.json["state"])
    assert (401, "credential_revoked") == (after.status, after.code)
