"""INV5: credentials own no permissions; they only narrow what their account may do."""

from __future__ import annotations

import msgspec

from retinue.replica import records
from retinue.replica.records import Kind
from retinue.server.credentials.models import Credential
from tests.invariants.ground import ALLOWED, Ground, done

NAMES = ("report:read", "report:write", "report:export")


def _allowed(ground: Ground, *tokens: object) -> list[set[str]]:
    ground.follow()
    return [{name for name in NAMES if ground.decide(token, name) == ALLOWED} for token in tokens]  # type: ignore[arg-type]


def test_inv5_every_key_may_what_its_account_may(ground: Ground) -> None:
    """
    Keys issued before and after a change of the account's permissions, rotated and regenerated ones, may exactly
    what the account may, at every moment.
    """
    account = ground.world.account(permissions=("report:read",))
    path = f"/v1/service-accounts/{account.id}"
    early, token = ground.world.key(account, "early")
    done(ground.owner.post(f"{path}/grants", {"permission": "report:write"}))
    late = done(ground.owner.post(f"{path}/keys", {"name": "late"}))
    second = done(ground.owner.post(f"/v1/keys/{late['key']['id']}/rotate"))["token"]
    more = _allowed(ground, token, late["token"], second)
    [first, *_] = done(ground.owner.get(f"{path}/grants"))["items"]
    done(ground.owner.delete(f"{path}/grants/{first['id']}"))
    fresh = done(ground.owner.post(f"/v1/keys/{early.id}/regenerate"))["token"]

    assert [{"report:read", "report:write"}] * 3 == more
    assert [{"report:write"}] * 3 == _allowed(ground, fresh, late["token"], second)


def test_inv5_a_credential_has_no_place_for_a_permission(ground: Ground) -> None:
    """
    Neither the row of a credential nor its record on a node has a field that could give a permission, and no
    other table points at a credential to give it one.
    """
    account = ground.world.account(permissions=NAMES)
    key, _ = ground.world.key(account)
    ground.follow()
    value = ground.follower.rows()[Kind.CREDENTIAL, key.kid]
    giving = {"permission", "permissions", "role", "roles", "holder", "holders", "grants", "groups", "teams"}
    names = {field.name for field in Credential._meta.get_fields()}

    assert set() == giving & names
    assert set() == giving & {field.name for field in msgspec.structs.fields(records.Credential)}
    assert [] == [name for name in NAMES if name.encode() in value]
    assert {"access"}.isdisjoint(
        each.related_model._meta.app_label for each in Credential._meta.related_objects
    )


def test_inv5_a_key_of_an_account_without_permissions_may_nothing(ground: Ground) -> None:
    """
    A key is genuine and gives nothing by itself; whoever issued it may all, and lends it nothing.
    """
    account = ground.world.account()
    token = done(ground.owner.post(f"/v1/service-accounts/{account.id}/keys", {"name": "k"}))["token"]

    assert [set()] == _allowed(ground, token)
    assert ALLOWED == ground.decide(token)
    assert set(NAMES) == _allowed(ground, ground.owner.token)[0]
