"""``/v1/bulk``: one act on many objects, with a preview that is exact and a result for each."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from retinue.server.directory.models import Principal
from retinue.server.ledger.guard import suspended_for_schema_changes
from retinue.server.ledger.models import AuditEvent
from tests.api.world import JSON, World

A, K = "/v1/bulk/service-accounts", "/v1/bulk/keys"


def _accounts(world: World, *names: str) -> list[str]:
    return [world.account(name).id for name in names]


def _states(world: World) -> dict[str, str]:
    rows = Principal.objects.filter(organization=world.organization, kind="service_account")
    return dict(rows.values_list("handle", "state"))


def _counts(answer: JSON) -> tuple[int, int, int, int]:
    return answer["matched"], answer["done"], answer["unchanged"], answer["refused"]


def test_many_are_disabled_with_one_receipt(world: World) -> None:
    """
    Each account gets its result, and the change holds everywhere when the call returns.
    """
    ids = _accounts(world, "a", "b", "c")
    world.owner.post(f"/v1/service-accounts/{ids[2]}/disable")
    answer = world.owner.post(f"{A}/disable", {"accounts": ["a", ids[1], ids[2]]})

    assert (200, (3, 2, 1, 0)) == (answer.status, _counts(answer.json))
    assert answer.json["receipt"]["complete"]
    assert {"a": "disabled", "b": "disabled", "c": "disabled"} == _states(world)
    again = world.owner.post(f"{A}/enable", {"accounts": ids})
    assert (3, 3, 0, 0) == _counts(again.json)


def test_a_preview_says_what_would_happen_and_changes_nothing(world: World) -> None:
    """
    The same results as the act has, no event, and the next act finds everything as it was.
    """
    ids = _accounts(world, "a", "b")
    before = AuditEvent.objects.count()
    told = world.owner.post(f"{A}/disable", {"accounts": ids, "preview": True})
    events = AuditEvent.objects.count() - before
    done = world.owner.post(f"{A}/disable", {"accounts": ids})

    assert (0, {"a": "disabled", "b": "disabled"}) == (events, _states(world))
    assert told.json["preview"]
    assert told.json["items"] == done.json["items"]
    assert ["disabled", "disabled"] == [item["state"] for item in told.json["items"]]


def test_a_filter_needs_the_number_that_is_meant(world: World) -> None:
    """
    Whoever acts by a filter says how many; another account that came meanwhile refuses the act.
    """
    _accounts(world, "etl-a", "etl-b", "web")
    where = {"where": {"search": "etl"}}
    preview = world.owner.post(f"{A}/disable", {**where, "preview": True})
    unsaid = world.owner.post(f"{A}/disable", where)
    wrong = world.owner.post(f"{A}/disable", {**where, "expected": 3})
    right = world.owner.post(f"{A}/disable", {**where, "expected": preview.json["matched"]})

    assert 2 == preview.json["matched"]
    assert (400, "body.expected") == (unsaid.status, unsaid.field)
    assert (409, "body.expected") == (wrong.status, wrong.field)
    assert 200 == right.status
    assert {"etl-a": "disabled", "etl-b": "disabled", "web": "enabled"} == _states(world)


def test_accounts_are_deleted_one_at_a_time_unless_the_policy_lets_more(world: World) -> None:
    """
    The native policy refuses two; one is deleted.
    """
    ids = _accounts(world, "a", "b")
    two = world.owner.post(f"{A}/delete", {"accounts": ids})
    one = world.owner.post(f"{A}/delete", {"accounts": ids[:1]})

    assert (409, "body.accounts") == (two.status, two.field)
    assert (200, {"a": "deleted", "b": "enabled"}) == (one.status, _states(world))


def test_what_is_refused_says_why_and_leaves_the_rest(world: World) -> None:
    """
    A key that is active cannot be deleted; the one that is revoked is.
    """
    account = world.account()
    live, dead = (world.key(account, name)[0] for name in ("k1", "k2"))
    world.owner.post(f"/v1/keys/{dead.id}/revoke")
    answer = world.owner.post(f"{K}/delete", {"keys": [live.id, dead.id]})
    results = {item["id"]: (item["result"], item["code"]) for item in answer.json["items"]}

    assert (2, 1, 0, 1) == _counts(answer.json)
    assert {live.id: ("refused", "state_conflict"), dead.id: ("done", None)} == results
    assert 200 == world.owner.get(f"/v1/keys/{live.id}").status


def test_many_keys_are_revoked_by_a_filter(world: World) -> None:
    """
    All never used keys of an account end, with the reason that was given; others stay.
    """
    etl, web = world.account("etl"), world.account("web")
    ended = [world.key(etl, name)[0].id for name in ("k1", "k2")]
    other = world.key(web)[0].id
    where = {"account": "etl", "status": "never_used"}
    answer = world.owner.post(
        f"{K}/revoke", {"where": where, "expected": 2, "reason": "owner_left", "text": "left in May"}
    )

    assert (2, 2, 0, 0) == _counts(answer.json)
    assert answer.json["receipt"]["complete"]
    assert {"owner_left"} == {world.owner.get(f"/v1/keys/{ident}").json["reason"] for ident in ended}
    assert "active" == world.owner.get(f"/v1/keys/{other}").json["state"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "body.where"),
        ({"accounts": ["a"], "where": {}}, "body.where"),
        ({"accounts": ["a"] * 1001}, "body.accounts"),
        ({"where": {"colour": "red"}, "expected": 1}, "body.where.colour"),
        ({"where": {"state": "sleepy"}, "expected": 1}, "body.where.state"),
    ],
)
def test_a_bad_call_is_refused_and_changes_nothing(world: World, body: JSON, field: str) -> None:
    """
    What is at fault is named.
    """
    _accounts(world, "a")
    answer = world.owner.post(f"{A}/disable", body)

    assert (400, field) == (answer.status, answer.field), answer.text
    assert {"a": "enabled"} == _states(world)


def test_what_does_not_exist_here_ends_the_call(world: World) -> None:
    """
    An account of another organization is not told apart from none, and nothing is done to the others.
    """
    other = World.create()
    theirs = other.account("theirs")
    _accounts(world, "a")
    answer = world.owner.post(f"{A}/disable", {"accounts": ["a", theirs.id]})
    found = world.owner.post(f"{A}/disable", {"where": {}, "expected": 1})

    assert (404, "body.accounts.1") == (answer.status, answer.field)
    assert (1, {"theirs": "enabled"}) == (found.json["matched"], _states(other))


def test_more_than_may_be_done_at_once_are_refused(world: World) -> None:
    """
    A filter that finds more than a thousand says how many it found.
    """
    with suspended_for_schema_changes():
        Principal.objects.bulk_create(
            Principal(
                id=f"sa_{world.organization.id[-8:]}{n}", organization=world.organization, kind="service_account",
                handle=f"n{n}", name=f"n{n}", created_at=world.organization.created_at,
                updated_at=world.organization.created_at,
            )
            for n in range(1_001)
        )  # fmt: skip
    answer = world.owner.post(f"{A}/disable", {"where": {}, "preview": True})

    assert (400, "body.where") == (answer.status, answer.field)
    assert "1001" in answer.json["detail"]


def test_what_was_shown_is_what_is_acted_on(world: World) -> None:
    """
    With the digest of a preview an act refuses another set, even one of the same number; and takes the same one.
    """
    first, _second = _accounts(world, "etl-a", "etl-b")
    where = {"where": {"search": "etl", "state": "enabled"}}
    shown = world.owner.post(f"{A}/disable", {**where, "preview": True}).json
    world.owner.post(f"/v1/service-accounts/{first}/disable")
    (late,) = _accounts(world, "etl-c")
    other = world.owner.post(f"{A}/disable", {**where, "expected": 2, "digest": shown["digest"]})
    untouched = _states(world)
    world.owner.post(f"/v1/service-accounts/{first}/enable")
    world.owner.delete(f"/v1/service-accounts/{late}")
    same = world.owner.post(f"{A}/disable", {**where, "digest": shown["digest"]})

    assert (409, "state_conflict", "body.digest") == (other.status, other.code, other.field)
    assert {"etl-a": "disabled", "etl-b": "enabled", "etl-c": "enabled"} == untouched
    assert (200, 2) == (same.status, same.json["done"])


def test_an_act_by_name_keeps_to_the_digest_too(world: World) -> None:
    """
    Objects by name whose digest is another one are refused, and nothing is done.
    """
    ids = _accounts(world, "a", "b")
    wrong = world.owner.post(f"{A}/disable", {"accounts": ids, "digest": "0" * 64})

    assert (409, "body.digest") == (wrong.status, wrong.field)
    assert {"a": "enabled", "b": "enabled"} == _states(world)


def test_many_keys_get_another_end(world: World) -> None:
    """
    All usable keys of the accounts end at one instant; what has ended is refused, and another account's key stays.
    """
    etl, web = world.account("etl"), world.account("web")
    live, ended, other = world.key(etl, "k1")[0], world.key(etl, "k2")[0], world.key(web)[0]
    world.owner.post(f"/v1/keys/{ended.id}/revoke")
    before = world.owner.get(f"/v1/keys/{other.id}").json["expires_at"]
    at = (timezone.now() + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    where = {"accounts": ["etl"], "status": "usable"}
    found = world.owner.post(f"{K}/expire", {"where": where, "expected": 1, "expires": at})
    named = world.owner.post(f"{K}/expire", {"keys": [live.id, ended.id], "expires": at})

    assert (1, 1, 0, 0) == _counts(found.json)
    assert (2, 0, 1, 1) == _counts(named.json)
    assert at[:19] == world.owner.get(f"/v1/keys/{live.id}").json["expires_at"][:19]
    assert before == world.owner.get(f"/v1/keys/{other.id}").json["expires_at"]


def test_many_keys_are_narrowed_and_keep_what_was_not_said(world: World) -> None:
    """
    The kinds of restrictions that are named change; the others stay as each key has them.
    """
    account = world.account()
    keys = [world.key(account, name)[0].id for name in ("k1", "k2")]
    own = {"networks": ["10.0.0.0/8"], "methods": ["GET", "POST"]}
    world.owner.post(f"/v1/keys/{keys[0]}/restrict", {"restrictions": own})
    answer = world.owner.post(f"{K}/restrict", {"keys": keys, "methods": ["GET"]})
    held = [world.owner.get(f"/v1/keys/{ident}").json["restrictions"] for ident in keys]

    assert (2, 2, 0, 0) == _counts(answer.json)
    assert [["10.0.0.0/8"], []] == [each["networks"] for each in held]
    assert [["GET"], ["GET"]] == [each["methods"] for each in held]


def test_many_keys_are_rotated_and_their_tokens_told_once(world: World) -> None:
    """
    Each token of the answer is accepted, the old ones too for the overlap. Neither a preview nor a repetition
    tells any, and nothing is made twice.
    """
    account = world.account(permissions=("report:read",))
    keys = [world.key(account, name)[0].id for name in ("k1", "k2")]
    body, once = {"keys": keys, "overlap": "1h"}, {"Idempotency-Key": "many"}
    preview = world.owner.post(f"{K}/rotate", {**body, "preview": True}).json
    made = world.owner.post(f"{K}/rotate", body, once)
    again = world.owner.post(f"{K}/rotate", body, once)
    accepted = [
        world.owner.post("/v1/credentials/identify", {"token": each["token"]}).json["accepted"]
        for each in made.json["issued"]
    ]

    assert (2, None) == (preview["done"], preview["issued"])
    assert [True, True] == accepted
    assert None is again.json["issued"]
    assert 4 == len(world.owner.get("/v1/keys?account=etl").json["items"])
    assert {"retiring"} == {world.owner.get(f"/v1/keys/{ident}").json["status"] for ident in keys}


def test_many_accounts_get_other_owners(world: World) -> None:
    """
    The named users own each account, and nobody else does; who owned it so already is no change.
    """
    user, _ = world.user()
    ids = _accounts(world, "a", "b")
    answer = world.owner.post(f"{A}/set-owners", {"accounts": ids, "owners": [user.email]})
    again = world.owner.post(f"{A}/set-owners", {"accounts": ids, "owners": [user.email]})
    owners = [world.owner.get(f"/v1/service-accounts/{ident}").json["owners"] for ident in ids]

    assert (2, 2, 0, 0) == _counts(answer.json)
    assert (2, 0, 2, 0) == _counts(again.json)
    assert [[user.id], [user.id]] == [[each["id"] for each in held] for held in owners]
