"""``/v1/keys`` and the keys of an account."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.http import HttpRequest

from retinue.server.api import reading
from retinue.token import Kind, parse
from tests.api.world import Answer, Caller, World

MISSING = "key_000000000000"


def issue(world: World, account_id: str, **body: object) -> Answer:
    """Issue a key by the API."""
    return world.owner.post(f"/v1/service-accounts/{account_id}/keys", {"name": "k1", **body})


def holder(answer: Answer) -> Caller:
    """The calls of whoever got this answer with a token."""
    token = parse(answer.json["token"])
    assert token is not None
    return Caller(token)


def test_token_is_shown_once(world: World) -> None:
    """
    The answer that issues a key holds its token; no later answer does, and the token works.
    """
    issued = issue(world, world.account().id)
    key = issued.json["key"]
    listed = world.owner.get("/v1/keys")
    token = parse(issued.json["token"])

    assert token is not None
    assert (201, Kind.API_KEY, f"key_{token.kid}", token.kid, token.display) == (
        issued.status, token.kind, key["id"], key["key_id"], key["display"],
    )  # fmt: skip
    assert [key] == listed.json["items"]
    assert token.reveal() not in listed.text + world.owner.get("/v1/audit-events").text
    assert 200 == holder(issued).get("/v1/me").status


@pytest.mark.parametrize(
    ("body", "status", "code", "field"),
    [
        ({"name": ""}, 400, "missing_field", "body.name"),
        ({"expires": "soon"}, 400, "invalid_value", "body.expires"),
        ({"expires": "2001-01-01T00:00:00Z"}, 400, "invalid_value", "body.expires"),
        ({"expires": "never"}, 400, "invalid_value", "body.expires"),
        ({"name": 7}, 400, "invalid_value", "body.name"),
        ({"nmae": "x"}, 400, "unknown_field", "body.nmae"),
    ],
)
def test_bad_fields_are_named(
    world: World, body: dict[str, object], status: int, code: str, field: str
) -> None:
    """
    A refused field is named with the rule, and no key is issued.
    """
    answer = issue(world, world.account().id, **body)

    assert (status, code, field) == (answer.status, answer.code, answer.field), answer.text
    assert [] == world.owner.get("/v1/keys").json["items"]


def test_name_is_taken_once(world: World) -> None:
    """
    Two usable keys of an account never share a name; revoking gives it free.
    """
    account = world.account()
    first = issue(world, account.id, name="nightly")
    taken = issue(world, account.id, name="Nightly")
    world.owner.post(f"/v1/keys/{first.json['key']['id']}/revoke")
    again = issue(world, account.id, name="nightly")

    assert (409, "duplicate_name", "body.name") == (taken.status, taken.code, taken.field)
    assert 201 == again.status


def test_one_key_too_many_is_refused(world: World) -> None:
    """
    The limit counts usable keys; the refusal names candidates to revoke.
    """
    account = world.account()
    made = [issue(world, account.id, name=f"k{n}") for n in range(10)]
    refused = issue(world, account.id, name="k10")

    assert [201] * 10 == [each.status for each in made]
    assert (409, "too_many_keys") == (refused.status, refused.code)
    assert made[0].json["key"]["id"] in refused.json["detail"]


def test_revoked_key_is_refused_at_once(world: World) -> None:
    """
    A revoked key is refused by the next call with its reason; revoking again changes nothing.
    """
    issued = issue(world, world.account().id)
    path = f"/v1/keys/{issued.json['key']['id']}"
    revoked = world.owner.post(f"{path}/revoke", {"reason": "compromised", "text": "seen in a log"})
    again = world.owner.post(f"{path}/revoke", {"reason": "other", "text": "once more"})
    refused = holder(issued).get("/v1/me")

    assert ("revoked", "revoked", "compromised", "seen in a log", world.owner.id) == (
        revoked.json["state"], revoked.json["status"], revoked.json["reason"], revoked.json["reason_text"],
        revoked.json["revoked_by"]["id"],
    )  # fmt: skip
    assert (200, revoked.json) == (again.status, again.json)
    assert (401, "credential_revoked") == (refused.status, refused.code)
    assert 'error="invalid_token"' in refused.headers["www-authenticate"]


def test_other_reason_needs_words(world: World) -> None:
    """
    The reason ``other`` says nothing without its text; the key stays as it is.
    """
    path = f"/v1/keys/{issue(world, world.account().id).json['key']['id']}"
    refused = world.owner.post(f"{path}/revoke", {"reason": "other", "text": " "})

    assert (400, "missing_field", "body.text") == (refused.status, refused.code, refused.field)
    assert "active" == world.owner.get(path).json["state"]


def test_repeated_revoke_that_changed_nothing_is_answered(world: World) -> None:
    """
    A revoke of a revoked key made no revision; its repetition is answered like it.
    """
    path = f"/v1/keys/{issue(world, world.account().id).json['key']['id']}/revoke"
    world.owner.post(path)
    answers = [world.owner.post(path, {}, {"Idempotency-Key": "k-1"}) for _ in range(2)]

    assert [200, 200] == [each.status for each in answers]
    assert answers[0].json == answers[1].json


def test_only_what_has_ended_is_deleted(world: World) -> None:
    """
    A usable key cannot be deleted; a revoked one leaves the lists and stays known.
    """
    issued = issue(world, world.account().id)
    path = f"/v1/keys/{issued.json['key']['id']}"
    early = world.owner.delete(path)
    world.owner.post(f"{path}/revoke")
    deleted, again = world.owner.delete(path), world.owner.delete(path)

    assert (409, "state_conflict") == (early.status, early.code)
    assert [(200, "deleted")] * 2 == [(each.status, each.json["state"]) for each in (deleted, again)]
    assert "retinue-revision" not in again.headers
    assert [] == world.owner.get("/v1/keys").json["items"]
    assert "deleted" == world.owner.get(path).json["state"]


def test_rotation_overlaps(world: World) -> None:
    """
    After a rotation both keys work until the old one retires; without overlap the old one ends at once.
    """
    first = issue(world, world.account().id)
    second = world.owner.post(f"/v1/keys/{first.json['key']['id']}/rotate", {"overlap": "1h"})
    third = world.owner.post(f"/v1/keys/{second.json['key']['id']}/rotate", {"overlap": "0s"})
    old = world.owner.get(f"/v1/keys/{first.json['key']['id']}").json

    assert ("retiring", second.json["key"]["id"]) == (old["status"], old["rotated_to"])
    assert old["id"] == second.json["key"]["rotated_from"]
    assert [200, 401, 200] == [holder(each).get("/v1/me").status for each in (first, second, third)]


def test_regenerated_key_keeps_its_id(world: World) -> None:
    """
    Regenerating replaces the secret under the same id; the old token is unknown from then on.
    """
    first = issue(world, world.account().id)
    second = world.owner.post(f"/v1/keys/{first.json['key']['id']}/regenerate")

    assert (200, first.json["key"]["id"]) == (second.status, second.json["key"]["id"])
    assert (401, "token_unknown") == (holder(first).get("/v1/me").status, holder(first).get("/v1/me").code)
    assert 200 == holder(second).get("/v1/me").status


def test_account_rotates_its_own_key_only(world: World) -> None:
    """
    Without any permission a service account rotates its own key, and no other.
    """
    issued = issue(world, world.account().id)
    other = issue(world, world.account("other").id)
    own = holder(issued).post(f"/v1/keys/{issued.json['key']['id']}/rotate")
    foreign = holder(issued).post(f"/v1/keys/{other.json['key']['id']}/rotate")
    unknown = holder(issued).post(f"/v1/keys/{MISSING}/rotate")

    assert 201 == own.status, own.text
    assert (403, "permission_missing", ["credential:rotate"]) == (
        foreign.status, foreign.code, foreign.json["required"],
    )  # fmt: skip
    assert (403, "permission_missing") == (unknown.status, unknown.code)


def test_rename_keeps_the_id(world: World) -> None:
    """
    A key gets another name under the same id.
    """
    key = issue(world, world.account().id).json["key"]
    renamed = world.owner.patch(f"/v1/keys/{key['id']}", {"name": "weekly"})

    assert (200, key["id"], "weekly") == (renamed.status, renamed.json["id"], renamed.json["name"])


@pytest.mark.parametrize(
    ("method", "tail"),
    [
        ("GET", ""),
        ("PATCH", ""),
        ("DELETE", ""),
        ("POST", "/rotate"),
        ("POST", "/regenerate"),
        ("POST", "/revoke"),
        ("POST", "/restore"),
        ("POST", "/expire"),
        ("POST", "/restrict"),
        ("POST", "/finish-rotation"),
    ],
)
def test_keys_of_others_do_not_exist(world: World, method: str, tail: str) -> None:
    """
    A key of another organization is answered exactly like one that never was, and stays as it was.
    """
    other = World.create()
    theirs = issue(other, other.account().id).json["key"]
    bodies: dict[str, dict[str, object]] = {"PATCH": {"name": "mine"}, "POST": {}}
    body = {"restrictions": {"methods": ["GET"]}} if tail == "/restrict" else bodies.get(method)
    answers = [world.owner.call(method, f"/v1/keys/{each}{tail}", body) for each in (MISSING, theirs["id"])]

    assert [(404, "not_found")] * 2 == [(each.status, each.code) for each in answers]
    assert theirs == other.owner.get(f"/v1/keys/{theirs['id']}").json


def test_list_narrows_by_status(world: World) -> None:
    """
    The list of keys gives exactly the keys of a status.
    """
    account = world.account()
    ids = [issue(world, account.id, name=f"k{n}").json["key"]["id"] for n in range(3)]
    issue(world, account.id, name="short", expires="1d")
    world.owner.post(f"/v1/keys/{ids[0]}/revoke")
    world.owner.post(f"/v1/keys/{ids[1]}/rotate", {"name": "new"})

    def names(status: str) -> list[str]:
        return sorted(key["name"] for key in world.owner.get(f"/v1/keys?status={status}").json["items"])

    assert ["k0"] == names("revoked")
    assert ["k1"] == names("retiring")
    assert ["short"] == names("expiring")
    assert ["k2", "new"] == names("never_used")
    assert [] == names("expired") + names("active") + names("blocked")
    assert ["k1", "k2", "new", "short"] == names("usable")


@pytest.mark.parametrize("ends", ["key", "grant"])
def test_what_ends_in_between_ends_a_call_that_was_let_in(
    world: World, monkeypatch: pytest.MonkeyPatch, ends: str
) -> None:
    """
    Between the headers and the body of a change its caller's key may end, or its right: it is decided again
    where the change is made, and nothing is.
    """
    caller = world.caller("user:create", name="slow")
    account = f"/v1/service-accounts/{caller.id}"
    key = world.owner.get(f"{account}/keys").json["items"][0]["id"]
    grant = world.owner.get(f"{account}/grants").json["items"][0]["id"]
    whole: Callable[..., object] = reading.body

    def body(request: HttpRequest, model: object) -> object:
        monkeypatch.setattr(reading, "body", whole)
        found = whole(request, model)
        if ends == "key":
            world.owner.post(f"/v1/keys/{key}/revoke", {})
        else:
            world.owner.delete(f"{account}/grants/{grant}")
        return found

    monkeypatch.setattr(reading, "body", body)
    answer = caller.post("/v1/users", {"email": "new@acme.example", "name": "New"})

    expected = (401, "credential_revoked") if ends == "key" else (403, "permission_missing")
    assert expected == (answer.status, answer.code)
    assert [] == world.owner.get("/v1/users?email=new@acme.example").json["items"]
