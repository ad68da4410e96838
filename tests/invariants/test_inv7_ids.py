"""INV7: every object has an opaque id that never changes; names, handles and tokens may change under it."""

from __future__ import annotations

import re

from ninja import Schema

from retinue.server.api import routes  # noqa: F401  (fills the table)
from retinue.server.api.operations import OPERATIONS
from tests.api.world import World
from tests.invariants.ground import ALLOWED, Ground, done

_OPAQUE = re.compile(r"[a-z]{2,6}_[0-9A-Za-z]{12,16}")


def test_inv7_an_account_keeps_its_id(ground: Ground) -> None:
    """
    Renamed, under another handle, disabled, deleted, restored and enabled: the same id, under which all of its
    past stands.
    """
    account = ground.world.account("first")
    path = f"/v1/service-accounts/{account.id}"
    seen = [
        done(ground.owner.patch(path, {"name": "Second", "handle": "second"})),
        done(ground.owner.post(f"{path}/disable")),
        done(ground.owner.delete(path)),
        done(ground.owner.post(f"{path}/restore")),
        done(ground.owner.post(f"{path}/enable")),
    ]
    events = done(ground.owner.get(f"/v1/audit-events?subject={account.id}"))["items"]

    assert {account.id} == {each["id"] for each in seen}
    assert [account.id] == [
        each["id"] for each in done(ground.owner.get("/v1/service-accounts?handle=second"))["items"]
    ]
    assert [] == done(ground.owner.get("/v1/service-accounts?handle=first"))["items"]
    assert ["first", "second"] == sorted({each["subject"]["name"] for each in events})


def test_inv7_a_key_keeps_its_id(ground: Ground) -> None:
    """
    Renamed and with another secret a key has the id and key id that it had; a successor has its own.
    """
    account = ground.world.account(permissions=("report:read",))
    key, token = ground.world.key(account)
    path = f"/v1/keys/{key.id}"
    renamed = done(ground.owner.patch(path, {"name": "other"}))
    again = done(ground.owner.post(f"{path}/regenerate"))
    successor = done(ground.owner.post(f"{path}/rotate"))["key"]

    assert [(key.id, key.kid)] * 2 == [(each["id"], each["key_id"]) for each in (renamed, again["key"])]
    assert "token_unknown" == ground.decide_now(token)
    assert ALLOWED == ground.decide_now(again["token"])
    assert (key.id, key.id) != (successor["id"], successor["rotated_from"])
    assert key.id == successor["rotated_from"]


def test_inv7_ids_tell_nothing(ground: Ground) -> None:
    """
    An id is a prefix that tells the noun, and random characters: no name stands in it, and the same names
    elsewhere have other ids.
    """
    there = World.create()
    ids = []
    for world in (ground.world, there):
        account = world.account("same-name")
        ids += [account.id, world.organization.id, world.owner.id, world.key(account, "same-name")[0].id]
        grant = done(
            world.owner.post(f"/v1/service-accounts/{account.id}/grants", {"permission": "report:read"})
        )
        ids.append(grant["id"])

    assert len(ids) == len(set(ids))
    assert [] == [ident for ident in ids if not _OPAQUE.fullmatch(ident)]


def test_inv7_nobody_chooses_or_changes_an_id(ground: Ground) -> None:
    """
    No operation takes the id of an object that it makes or changes; one that is sent is refused by name.
    """
    account = ground.world.account()
    bodies = [
        each.body for each in OPERATIONS if isinstance(each.body, type) and issubclass(each.body, Schema)
    ]
    answers = [
        ground.owner.patch(f"/v1/service-accounts/{account.id}", {"id": "sa_0000000000000000"}),
        ground.owner.post("/v1/service-accounts", {"name": "x", "id": "sa_0000000000000000"}),
        ground.owner.patch(
            f"/v1/keys/{ground.world.key(account)[0].id}", {"name": "x", "id": "key_000000000000"}
        ),
    ]

    assert [] == [body.__name__ for body in bodies if {"id", "kid", "key_id"} & set(body.model_fields)]
    assert [(400, "unknown_field", "body.id")] * 3 == [
        (each.status, each.code, each.field) for each in answers
    ]
