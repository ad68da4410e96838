"""Organizations: made, listed and stopped by operators; one knows nothing of another."""

from __future__ import annotations

import secrets
from typing import Any

import pytest

from retinue.server.api.models import IdempotencyRecord
from retinue.server.api.operations import OPERATIONS
from retinue.token import parse
from tests.api.world import Answer, Caller, World


@pytest.fixture
def operator(world: World) -> Caller:
    """An operator of the installation, who holds nothing in the organizations of others."""
    return World.create(operator=True).owner


def founded(operator: Caller, **more: Any) -> Answer:
    """Make an organization with an invited administrator."""
    handle = f"new-{secrets.token_hex(6)}"
    body = {
        "handle": handle,
        "name": "New",
        "administrator": {"email": f"ada@{handle}.example", "name": "Ada"},
        "reason": "a customer",
        **more,
    }
    return operator.post("/v1/organizations", body)


def caller_of(text: str) -> Caller:
    """Calls with a token as an answer has it."""
    token = parse(text)
    assert token is not None
    return Caller(token)


def test_operator_makes_an_organization_and_hands_it_over(operator: Caller) -> None:
    """
    The answer holds the invitation of the first administrator, who has the role that may do everything.
    """
    made = founded(operator, preset="wavefront")
    handed = made.json

    assert (201, "enabled", "wavefront", 1) == (
        made.status,
        *(made.json["organization"][name] for name in ("state", "preset", "policy_version")),
    )
    assert (["owner"], "invited", False) == tuple(
        handed["administrator"][name] for name in ("roles", "status", "can_sign_in")
    )
    assert handed["token"].startswith("rtninv_")
    assert made.json["service_account"] is None


def test_organization_may_be_held_by_a_service_account(operator: Caller) -> None:
    """
    Without a person, a service account administers: its first key makes users and accounts there.
    """
    made = founded(operator, administrator=None, service_account="provisioner").json
    key = caller_of(made["token"])
    created = key.post("/v1/users", {"email": "uma@x.example", "name": "Uma"})

    assert (None, 201) == (made["administrator"], created.status)
    assert made["organization"]["id"] == key.get("/v1/me").json["organization"]["id"]


def test_the_first_owner_is_named_by_the_account_that_administers(operator: Caller) -> None:
    """
    The owner's role is for people, so the founding account names one person that has it, who then changes the
    policy; a second one it cannot name, and a lesser account of the organization names nobody.
    """
    made = founded(operator, administrator=None, service_account="provisioner").json
    key = caller_of(made["token"])
    plain = key.post("/v1/users", {"email": f"p-{secrets.token_hex(4)}@x.example", "name": "Pat"}).json["id"]
    fields = {"name": "lesser", "purpose": "x", "owners": [plain], "roles": ["access-manager"]}
    lesser = key.post("/v1/service-accounts", {**fields, "justification": "x"}).json["id"]
    small = caller_of(key.post(f"/v1/service-accounts/{lesser}/keys", {"name": "k"}).json["token"])

    def invited(by: Caller) -> Answer:
        email = f"u-{secrets.token_hex(4)}@x.example"
        return by.post("/v1/invitations", {"email": email, "name": "Uma", "roles": ["owner"]})

    by_small, first, second = invited(small), invited(key), invited(key)
    again = key.patch(f"/v1/users/{first.json['user']['id']}", {"roles": ["owner", "auditor"]})

    assert (403, "ceiling_exceeded") == (by_small.status, by_small.code)
    assert (201, ["owner"]) == (first.status, first.json["user"]["roles"])
    assert (403, "ceiling_exceeded") == (second.status, second.code)
    assert (200, ["auditor", "owner"]) == (again.status, again.json["roles"])


def test_somebody_must_hold_it(operator: Caller) -> None:
    """
    An organization that nobody could enter is not made.
    """
    answer = founded(operator, administrator=None)

    assert (400, "body.administrator") == (answer.status, answer.field)


def test_lost_invitation_is_made_anew_while_nobody_can_enter(operator: Caller) -> None:
    """
    The operator invites the same person or another one again; the one before ends. Once somebody has come in,
    the organization is its own.
    """
    made = founded(operator).json
    path, email = f"/v1/organizations/{made['organization']['id']}", made["administrator"]["email"]
    same = operator.post(f"{path}/administrator", {"email": email, "name": "Ada"})
    other = operator.post(f"{path}/administrator", {"email": f"b.{email}", "name": "Bea"})
    held = founded(operator, administrator=None, service_account="provisioner").json["organization"]["id"]
    late = operator.post(f"/v1/organizations/{held}/administrator", {"email": email, "name": "Ada"})

    assert (made["administrator"]["id"], email) == tuple(
        same.json["administrator"][each] for each in ("id", "email")
    )
    assert (f"b.{email}", ["owner"]) == tuple(
        other.json["administrator"][each] for each in ("email", "roles")
    )
    assert 3 == len({each["token"] for each in (made, same.json, other.json)})
    assert (409, "state_conflict") == (late.status, late.code)


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({"handle": "No Handle"}, 400, "body.handle"),
        ({"preset": "rocket"}, 400, "body.preset"),
        ({"administrator": {"email": "nobody", "name": "x"}}, 400, "body.email"),
        ({"handle": "installation"}, 409, "body.handle"),
    ],
)
def test_mistake_makes_nothing(operator: Caller, body: dict[str, Any], status: int, field: str) -> None:
    """
    A bad value is refused by its name, and nothing is left of the organization.
    """
    before = len(operator.get("/v1/organizations?limit=200").json["items"])
    answer = founded(operator, **body)

    assert (status, field) == (answer.status, answer.field)
    assert before == len(operator.get("/v1/organizations?limit=200").json["items"])


def test_disabled_organization_is_a_gate(operator: Caller) -> None:
    """
    Nothing of it is accepted while it is disabled, with a receipt; enabled again, the same key works.
    """
    made = founded(operator, administrator=None, service_account="provisioner").json
    key, path = caller_of(made["token"]), f"/v1/organizations/{made['organization']['id']}"
    disabled = operator.post(f"{path}/disable", {"reason": "unpaid"})
    refused = key.get("/v1/me")
    operator.post(f"{path}/enable", {})

    assert ("disabled", "organization.disabled") == (
        disabled.json["state"],
        disabled.json["receipt"]["change"],
    )
    assert (401, "organization_disabled", 200) == (refused.status, refused.code, key.get("/v1/me").status)
    assert 200 == operator.get(f"/v1/receipts/{disabled.json['receipt']['id']}").status


def test_installation_cannot_be_stopped(operator: Caller) -> None:
    """
    The organization of the operators is not disabled: nobody could enable it again.
    """
    answer = operator.post("/v1/organizations/installation/disable", {})

    assert (409, "state_conflict") == (answer.status, answer.code)


def test_owner_renames_and_deletes_the_own_one(world: World) -> None:
    """
    Its owner changes the name, and ends it by saying its handle; then nothing of it is accepted any more.
    """
    handle = world.organization.handle
    named = world.owner.patch("/v1/organization", {"name": "Another"})
    unsure = world.owner.delete("/v1/organization?confirm=x")
    gone = world.owner.delete(f"/v1/organization?confirm={handle}&reason=over")

    assert (200, "Another", handle) == (named.status, named.json["name"], named.json["handle"])
    assert (400, "query.confirm") == (unsure.status, unsure.field)
    assert ("deleted", 401) == (gone.json["state"], world.owner.get("/v1/me").status)


def test_deleted_organization_stays_deleted(operator: Caller, world: World) -> None:
    """
    A deleted organization is not enabled, and its handle is not given again.
    """
    handle = world.organization.handle
    world.owner.delete(f"/v1/organization?confirm={handle}")
    enabled = operator.post(f"/v1/organizations/{handle}/enable", {})

    assert (409, 409) == (enabled.status, founded(operator, handle=handle).status)
    assert "deleted" == operator.get(f"/v1/organizations/{handle}").json["state"]


def test_owner_is_no_operator(world: World) -> None:
    """
    Who owns an organization sees no other, and makes none.
    """
    answers = [
        world.owner.get("/v1/organizations"),
        world.owner.get("/v1/organizations/installation"),
        founded(world.owner),
    ]

    assert [403] * 3 == [each.status for each in answers]


def test_operator_names_another_organization_for_the_installation_alone(
    operator: Caller, world: World
) -> None:
    """
    With the header, an operator does what concerns the installation; inside the other one there is nothing.
    """
    named = {"Retinue-Organization": world.organization.handle}
    inside = operator.get("/v1/service-accounts", named)

    assert 200 == operator.get("/v1/organizations", named).status
    assert (404, "organization_not_found") == (inside.status, inside.code)
    assert 404 == operator.get("/v1/organizations", {"Retinue-Organization": "nowhere"}).status


def test_nothing_of_one_is_visible_to_another(world: World) -> None:
    """
    Every operation that takes an id refuses the ids of another organization as not found.
    """
    other = World.create()
    account = other.account("etl", permissions=("report:read",))
    key, _ = other.key(account)
    user, _ = other.user()
    other.owner.patch("/v1/policy", {"set": {"credentials.max_usable": 3}})
    ids = {
        "account_id": account.id,
        "key_id": key.id,
        "user_id": user.id,
        "grant_id": other.owner.get(f"/v1/service-accounts/{account.id}/grants").json["items"][0]["id"],
        "number": "2",
    }
    asked = [
        each
        for each in OPERATIONS
        if each.method == "GET" and each.parameters and {*each.parameters} <= {*ids}
    ]
    answers = {each.name: world.owner.get(f"/v1{each.path.format(**ids)}").status for each in asked}

    assert {each.name: 404 for each in asked} == answers
    assert len(asked) > 5


def test_lost_answer_is_asked_for_again(operator: Caller) -> None:
    """
    A repeated call makes no second organization; it tells a new secret for the invitation that nobody used.
    """
    handle = f"new-{secrets.token_hex(6)}"
    body = {"handle": handle, "name": "New", "administrator": {"email": f"a@{handle}.example", "name": "A"}}
    key = {"Idempotency-Key": handle}
    first, again = (operator.post("/v1/organizations", body, key) for _ in range(2))

    assert (201, 201, "true") == (first.status, again.status, again.headers["idempotency-replayed"])
    assert first.json["organization"]["id"] == again.json["organization"]["id"]
    assert (first.json["credential_id"], True) == (
        again.json["credential_id"],
        first.json["token"] != again.json["token"],
    )
    assert not IdempotencyRecord.objects.filter(key=handle, body__icontains=first.json["token"]).exists()
