"""Compromise of a key, an account, a user, an organization: counted first, then ended at once and for good."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connections

from retinue.server.credentials.queries import Credential
from retinue.server.ledger import rows
from retinue.server.ledger.models import AuditEvent
from tests.api.policies import set_policy
from tests.api.test_key_life import key_of
from tests.api.test_key_rotation import use
from tests.api.test_personal_tokens import issue, member
from tests.api.world import Answer, Caller, World


def test_an_account_ends_with_all_its_keys(world: World) -> None:
    """
    A dry run counts the keys of an account and which are in use, and changes nothing; then all of them are revoked
    as compromised with one receipt: overlaps end, nothing can be restored, and other accounts keep theirs.
    """
    set_policy(world, revoke__restore_hours=None)
    account = world.account()
    path = f"/v1/service-accounts/{account.id}"
    holders = {name: Caller(world.key(account, name)[1], account) for name in ("live", "spare", "gone")}
    keys = {each["name"]: each["id"] for each in world.owner.get(f"{path}/keys").json["items"]}
    world.owner.post(f"/v1/keys/{keys['gone']}/revoke")
    world.owner.post(f"/v1/keys/{keys['live']}/rotate", {"name": "next"})
    use(world, keys["live"], account.id)
    _, other = key_of(world, "other")
    dry = world.owner.get(f"{path}/compromise")
    before = holders["live"].get("/v1/me").status
    done = world.owner.post(
        f"{path}/compromise", {"confirm": dry.json["credentials"], "reason": "laptop lost"}
    )

    assert (4, 1, 200) == (dry.json["credentials"], dry.json["in_use"], before)
    assert (200, 4, "complete", account.id) == (
        done.status, done.json["credentials"], done.json["receipt"]["state"], done.json["id"],
    )  # fmt: skip
    assert {("revoked", "compromised", "laptop lost")} == {
        (each["state"], each["reason"], each["reason_text"]) for each in done.json["items"]
    }
    assert ["credential_revoked"] * 2 == [holders[name].get("/v1/me").code for name in ("live", "spare")]
    assert [409] * 4 == [
        world.owner.post(f"/v1/keys/{each['id']}/restore").status for each in done.json["items"]
    ]
    assert 200 == other.get("/v1/me").status


def test_another_number_than_counted_does_nothing(world: World) -> None:
    """
    Where there is more or less than the dry run counted nothing happens, and the refusal says how much there is.
    """
    account = world.account()
    path = f"/v1/service-accounts/{account.id}/compromise"
    token = Caller(world.key(account)[1], account)
    refused = world.owner.post(path, {"confirm": 2})

    assert (409, "state_conflict", "body.confirm") == (refused.status, refused.code, refused.field)
    assert "1 credentials" in refused.json["detail"]
    assert 200 == token.get("/v1/me").status


def test_one_key_ends_alone(world: World) -> None:
    """
    A compromised key ends for good, the others of its account do not.
    """
    account = world.account()
    key, token = world.key(account, "leaked")
    spare = Caller(world.key(account, "spare")[1], account)
    done = world.owner.post(f"/v1/keys/{key.id}/compromise", {"confirm": 1})

    assert (200, 1) == (done.status, done.json["credentials"])
    assert [401, 200] == [Caller(token, account).get("/v1/me").status, spare.get("/v1/me").status]


def test_a_user_ends_with_all_tokens(world: World) -> None:
    """
    All tokens of a user end; where the policy lets administrators revoke none, none does.
    """
    user, caller = member(world)
    issue(caller)
    set_policy(world, pat__admin_visibility="metadata")
    path = f"/v1/users/{user.id}/compromise"
    refused = world.owner.post(path, {"confirm": 2})
    set_policy(world, pat__admin_visibility="metadata_and_revoke")
    done = world.owner.post(path, {"confirm": 2})

    assert (409, 200, 401) == (refused.status, done.status, caller.get("/v1/me").status)


def test_an_organization_ends_with_everything(world: World) -> None:
    """
    Every credential of the organization ends, of every kind, the caller's own too; another organization keeps its.
    """
    far = World.create()
    key_of(world)
    member(world)
    dry = world.owner.get("/v1/organization/compromise").json
    done = world.owner.post("/v1/organization/compromise", {"confirm": dry["credentials"]})
    left = Credential.objects.filter(organization=world.organization).exclude(state="revoked")

    assert (3, 200, 3, 0) == (dry["credentials"], done.status, done.json["credentials"], left.count())
    assert (401, 200) == (world.owner.get("/v1/me").status, far.owner.get("/v1/me").status)


@pytest.mark.parametrize("scope", ["service-accounts", "organization"])
def test_nothing_is_issued_meanwhile(world: World, scope: str) -> None:
    """
    Of keys that are issued while an account or an organization is compromised those of before end with it, or
    make its count wrong; and who calls with a credential that ended with it gets none afterwards.
    """
    account = world.account()
    world.key(account, "first")
    path = (
        "/v1/organization/compromise"
        if scope == "organization"
        else f"/v1/service-accounts/{account.id}/compromise"
    )
    count = world.owner.get(path).json["credentials"]

    def act(number: int) -> Answer:
        try:
            if number == 3:
                return Caller(world.owner.token).post(path, {"confirm": count})
            return Caller(world.owner.token).post(
                f"/v1/service-accounts/{account.id}/keys", {"name": f"k{number}"}
            )
        finally:
            connections.close_all()

    with ThreadPoolExecutor(6) as threads:
        answers = list(threads.map(act, range(6)))
    compromised = answers.pop(3)
    issued = {each.json["key"]["id"]: each for each in answers if each.status == 201}
    live = {each.id for each in Credential.objects.filter(principal=account, state="active")}

    assert compromised.status in (200, 409), compromised.text
    assert {201, 401, 409} >= {each.status for each in answers}, [each.text for each in answers]
    if compromised.status == 200:
        at = int(compromised.headers["retinue-revision"])
        later = {ident for ident, each in issued.items() if int(each.headers["retinue-revision"]) > at}
        assert later == live
    else:
        assert issued.keys() <= live


def test_much_at_once_is_told_as_a_few(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Rows of many events, which go to the database in another way, say of each key what those of a few say.
    """
    account = world.account()
    for name in ("one", "two"):
        world.key(account, name)
    path = f"/v1/service-accounts/{account.id}/compromise"
    monkeypatch.setattr(rows, "MANY", 1)
    done = world.owner.post(path, {"confirm": 2, "reason": "laptop 'lost' \\N"})
    ended = {each["id"] for each in done.json["items"]}
    told = AuditEvent.objects.filter(subject__in=ended, type="key.revoked")

    assert (200, "complete", 2) == (done.status, done.json["receipt"]["state"], len(ended))
    assert sorted((ident, "active", "compromised", "laptop 'lost' \\N") for ident in ended) == sorted(
        (each.subject, each.before["state"], each.after["reason_code"], each.personal.data["after"]["reason"])
        for each in told
    )
    assert ended == set(
        Credential.objects.filter(state="revoked", principal=account).values_list("id", flat=True)
    )
