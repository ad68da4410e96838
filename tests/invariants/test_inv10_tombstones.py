"""INV10: deleting leaves a tombstone, so that no log line points to nothing and no credential outlives its account."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.apps import apps
from django.db import connection, models

from retinue.server.credentials.models import Credential
from retinue.server.directory.queries import Principal
from retinue.server.ledger.guard import writes
from tests.api.world import World
from tests.invariants.ground import Ground, done

ACCOUNTS = "/v1/service-accounts"
#: Objects that logs point to: their rows are never deleted.
KEPT = {"directory_principal", "credentials_credential", "directory_organization", "nodes_node"}


def test_inv10_a_deleted_account_is_still_known(ground: Ground) -> None:
    """
    A deleted account keeps id, name and last state; its handle stays taken, its keys keep their digests and
    answer why they are refused, and every event about any of them still names what it was.
    """
    account = ground.world.account("etl", permissions=("report:read",))
    key, token = ground.world.key(account)
    digest = bytes(Credential.objects.get(id=key.id).digest)
    done(ground.owner.delete(f"{ACCOUNTS}/{account.id}"))
    kept = done(ground.owner.get(f"{ACCOUNTS}/{account.id}"))
    again = ground.owner.post(ACCOUNTS, {"name": "etl", "purpose": "x", "owners": [ground.owner.id]})
    row = Credential.objects.get(id=key.id)

    assert (account.id, "etl", "deleted") == (kept["id"], kept["name"], kept["state"])
    assert "duplicate_name" == again.code
    assert (digest, "revoked", "account_deleted") == (bytes(row.digest), row.state, row.reason)
    assert "account_deleted" == ground.decide_now(token, "report:read")
    assert "account_deleted" == ground.decide_now(token)


def test_inv10_a_deleted_key_keeps_its_last_reason(ground: Ground) -> None:
    """
    A deleted key leaves the lists; its row, digest and reason stay, decisions still say that it was revoked, and
    it is found by its id.
    """
    account = ground.world.account()
    key, token = ground.world.key(account)
    done(ground.owner.post(f"/v1/keys/{key.id}/revoke", {"reason": "owner_left"}))
    before = Credential.objects.get(id=key.id)
    done(ground.owner.delete(f"/v1/keys/{key.id}"))
    after = Credential.objects.get(id=key.id)
    listed = done(ground.owner.get(f"{ACCOUNTS}/{account.id}/keys"))["items"]

    assert [] == listed
    assert ("deleted", "owner_left", bytes(before.digest)) == (after.state, after.reason, bytes(after.digest))
    assert "k1" == done(ground.owner.get(f"/v1/keys/{key.id}"))["name"]
    assert "credential_revoked" == ground.decide_now(token)


def test_inv10_no_line_of_a_log_points_to_nothing(world: World) -> None:
    """
    After everything that can be deleted was deleted, each id in the audit log of the organization still finds a
    row, or the event itself says what it was called.
    """
    account = world.account("etl", permissions=("report:read",))
    key, _ = world.key(account)
    [grant] = done(world.owner.get(f"{ACCOUNTS}/{account.id}/grants"))["items"]
    done(world.owner.delete(f"{ACCOUNTS}/{account.id}/grants/{grant['id']}"))
    done(world.owner.post(f"/v1/keys/{key.id}/revoke"))
    done(world.owner.delete(f"/v1/keys/{key.id}"))
    done(world.owner.delete(f"{ACCOUNTS}/{account.id}"))
    events = done(world.owner.get("/v1/audit-events?limit=200"))["items"]
    actors = {each["actor"]["id"] for each in events} - {"system"}
    used = {each["credential_id"] for each in events} - {None}

    assert [] == [each for each in events if not each["subject"]["name"]]
    assert actors == set(Principal.objects.filter(id__in=actors).values_list("id", flat=True))
    assert used == set(Credential.objects.filter(id__in=used).values_list("id", flat=True))
    assert {key.id, account.id, grant["id"]} <= {each["subject"]["id"] for each in events}


class _Statements:
    """Sees every statement, and keeps what it deletes."""

    def __init__(self) -> None:
        self.deleted: set[str] = set()

    def __call__(self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        self.deleted |= {table for verb, table in writes(str(sql)) if verb in ("DELETE", "TRUNCATE", "DROP")}
        return execute(sql, params, many, context)


def test_inv10_no_operation_deletes_a_row_that_logs_point_to(world: World) -> None:
    """
    Of all statements that the deletions of the API send, none deletes an account, a credential, an organization
    or a node; a grant, which owns nothing, does go.
    """
    account = world.account(permissions=("report:read",))
    key, _ = world.key(account)
    seen = _Statements()
    with connection.execute_wrapper(seen):
        [grant] = done(world.owner.get(f"{ACCOUNTS}/{account.id}/grants"))["items"]
        done(world.owner.delete(f"{ACCOUNTS}/{account.id}/grants/{grant['id']}"))
        done(world.owner.post(f"/v1/keys/{key.id}/revoke"))
        done(world.owner.delete(f"/v1/keys/{key.id}"))
        done(world.owner.delete(f"{ACCOUNTS}/{account.id}"))

    assert "access_grant" in seen.deleted
    assert set() == seen.deleted & KEPT


def test_inv10_nothing_takes_a_kept_row_with_it() -> None:
    """
    No relation of any table deletes an account, a credential, an organization or a node when something else
    goes, and no such row goes while something points to it.
    """
    found = [
        f"{model.__name__}.{field.name}"
        for model in apps.get_models(include_auto_created=True)
        for field in model._meta.get_fields()
        if isinstance(field, models.ForeignKey)
        and (model._meta.db_table in KEPT or field.related_model._meta.db_table in KEPT)
        and field.remote_field.on_delete is not models.PROTECT
        and model.__module__.startswith("retinue.server")
    ]

    assert [] == found


@pytest.mark.parametrize("state", ["enabled", "disabled"])
def test_inv10_no_credential_outlives_its_account(ground: Ground, state: str) -> None:
    """
    With the account every credential of it ends, active, retiring and disabled alike, in one transaction.
    """
    account = ground.world.account(permissions=("report:read",))
    tokens = [ground.world.key(account, name)[1] for name in ("k1", "k2")]
    first = Credential.objects.get(kid=tokens[0].kid)
    tokens.append(done(ground.owner.post(f"/v1/keys/{first.id}/rotate"))["token"])
    path = f"{ACCOUNTS}/{account.id}"
    if state == "disabled":
        done(ground.owner.post(f"{path}/disable"))
    done(ground.owner.delete(path))
    done(ground.owner.post(f"{path}/restore"))
    done(ground.owner.post(f"{path}/enable"))

    assert ["credential_revoked"] * 3 == [ground.decide_now(token, "report:read") for token in tokens]
    assert {"revoked"} == set(Credential.objects.filter(principal=account).values_list("state", flat=True))


def test_inv10_a_deleted_user_is_still_known(ground: Ground) -> None:
    """
    A deleted user keeps id, name and last state, the accounts and events that name it still do, and its tokens
    are revoked for good.
    """
    user, caller = ground.world.user("Uma User")
    account = ground.world.account("etl")
    done(ground.owner.patch(f"{ACCOUNTS}/{account.id}", {"owners": [user.id]}))
    done(ground.owner.delete(f"/v1/users/{user.id}"))
    kept = done(ground.owner.get(f"/v1/users/{user.id}"))
    events = done(ground.owner.get(f"/v1/audit-events?subject={account.id}"))["items"]

    assert (user.id, "Uma User", "deleted") == (kept["id"], kept["name"], kept["state"])
    assert user.id in str(events)
    assert "account_deleted" == ground.decide_now(caller.token or "")
    assert {"revoked"} == set(Credential.objects.filter(principal=user).values_list("state", flat=True))
    assert "duplicate_name" == ground.owner.post("/v1/users", {"email": user.email, "name": "Again"}).code


def test_inv10_a_deleted_organization_is_still_known(server_database: str) -> None:
    """
    An organization that is deleted keeps its row, accounts and credentials, its handle stays taken, and nothing
    of it works or comes back.
    """
    ground = Ground.create()
    organization = ground.world.organization
    account = ground.world.account(permissions=("report:read",))
    _, token = ground.world.key(account)
    operator = World.create(operator=True).owner
    done(ground.owner.delete(f"/v1/organization?confirm={organization.handle}"))
    kept = done(operator.get(f"/v1/organizations/{organization.id}"))
    body = {"handle": organization.handle, "name": "Again", "service_account": "first"}

    assert (organization.id, organization.handle, "deleted") == (kept["id"], kept["handle"], kept["state"])
    assert "organization_disabled" == ground.decide_now(token)
    assert Principal.objects.filter(id=account.id).exists()
    assert "duplicate_name" == operator.post("/v1/organizations", body).code
    assert "state_conflict" == operator.post(f"/v1/organizations/{organization.id}/enable", {}).code
