"""What is wrong with an account or credential: a way to make each kind of finding true."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from retinue.server.access.models import Grant
from retinue.server.credentials.models import Credential
from retinue.server.directory.models import Ownership, Principal
from retinue.server.ledger.guard import suspended_for_schema_changes
from retinue.server.traffic.actions import Entry, ingest
from tests.api.world import STRANGER, World


def days(count: float) -> datetime:
    return timezone.now() - timedelta(days=count)


def put(model: type[Any], ident: str, **values: object) -> None:
    """Make a row older than it can be in a test."""
    with suspended_for_schema_changes():
        model.objects.filter(pk=ident).update(**values)


def documented(world: World, name: str = "etl", **values: object) -> Principal:
    account = world.account(name, permissions=("report:read", "report:write"))
    put(Principal, account.id, documentation="https://docs.example", systems=["erp"], **values)
    return account


def issued(world: World, account: Principal, **values: object) -> Credential:
    credential = world.key(account)[0]
    put(Credential, credential.id, **values)
    return credential


def use(
    world: World, account: Principal, credential: Credential, at: datetime, times: int = 1, **said: object
) -> None:
    """A node ships one decision about a key."""
    told: dict[str, Any] = {"allowed": True, "permission": "report:read", "address": "192.0.2.1"} | said
    entry = Entry(
        at_ms=int(at.timestamp() * 1000), organization=world.organization.id, account=account.id,
        account_name=account.name, account_kind=account.kind, credential_id=credential.id, **told,
    )  # fmt: skip
    ingest("node", secrets.token_hex(8), 0, [entry] * times)


def ownerless(world: World) -> str:
    account = documented(world)
    with suspended_for_schema_changes():
        Ownership.objects.filter(account_id=account.id).delete()
    return account.id


def _undocumented(world: World) -> str:
    account = documented(world)
    put(Principal, account.id, purpose="")
    return account.id


def _idle_account(world: World) -> str:
    account = documented(world, created_at=days(200))
    use(world, account, issued(world, account), days(91))
    return account.id


def _over_permitted(world: World) -> str:
    account = documented(world, created_at=days(200))
    use(world, account, issued(world, account), days(1))
    return account.id


def _disabled_in_use(world: World) -> str:
    account = documented(world, state="disabled")
    use(world, account, issued(world, account), days(1), allowed=False, reason="account_disabled")
    return account.id


def _elevated_unjustified(world: World) -> str:
    account = world.account("strong", permissions=("grant:create",))
    put(Principal, account.id, documentation="https://docs.example", systems=["erp"])
    with suspended_for_schema_changes():
        Grant.objects.filter(subject=account.id).update(justification="")
    return account.id


def _idle_credential(world: World) -> str:
    account = documented(world)
    key = issued(world, account, issued_at=days(200))
    use(world, account, key, days(91))
    return key.id


def _never_used(world: World) -> str:
    return issued(world, documented(world), issued_at=days(91)).id


def _no_expiry(world: World) -> str:
    return issued(world, documented(world), expires_at=None).id


def _policy_violation(world: World) -> str:
    return issued(world, documented(world), expires_at=days(-400)).id


def _expires_soon(world: World) -> str:
    account = documented(world)
    key = issued(world, account, expires_at=days(-20))
    use(world, account, key, days(1))
    return key.id


def _rotation_due(world: World) -> str:
    return issued(world, documented(world), rotate_by=days(1)).id


def _rotation_stalled(world: World) -> str:
    account = documented(world)
    key = world.key(account)[0]
    assert 201 == world.owner.post(f"/v1/keys/{key.id}/rotate", {"overlap": "24h"}).status
    put(Credential, Credential.objects.get(rotated_from=key.id).id, issued_at=days(0.9))
    put(Credential, key.id, retires_at=days(-0.1))
    return key.id


def _expired_in_use(world: World) -> str:
    account = documented(world)
    key = issued(world, account, expires_at=days(2))
    use(world, account, key, days(1), allowed=False, reason="credential_expired")
    return key.id


def _repeated_denials(world: World) -> str:
    account = documented(world)
    key = issued(world, account)
    for _ in range(50):
        use(world, account, key, days(0.1), allowed=False, reason="permission_missing")
    return key.id


def _shared_token(world: World) -> str:
    account = documented(world)
    key = issued(world, account)
    for network in (1, 2, 3):
        use(world, account, key, days(0.1), address=f"192.0.{network}.7")
    return key.id


def _new_network(world: World) -> str:
    account = documented(world)
    key = issued(world, account)
    use(world, account, key, days(30))
    use(world, account, key, days(2), address="198.51.100.7")
    return key.id


def _pat_in_production(world: World) -> str:
    user, _ = world.user()
    token = Credential.objects.get(principal_id=user.id)
    use(world, user, token, days(1), times=1_000)
    return token.id


def _unexpected_use(world: World) -> str:
    account = documented(world)
    key = issued(world, account)
    use(world, account, key, days(1), allowed=False, reason="endpoint_not_allowed")
    return key.id


def _leaked(world: World) -> str:
    key, token = world.key(documented(world))
    assert 202 == STRANGER.post("/v1/leaks/revoke", {"tokens": [token.reveal()]}).status
    return key.id


CASES: dict[str, Callable[[World], str]] = {
    "ownerless": ownerless,
    "undocumented": _undocumented,
    "idle_account": _idle_account,
    "over_permitted": _over_permitted,
    "disabled_in_use": _disabled_in_use,
    "elevated_unjustified": _elevated_unjustified,
    "idle_credential": _idle_credential,
    "never_used": _never_used,
    "no_expiry": _no_expiry,
    "policy_violation": _policy_violation,
    "expires_soon": _expires_soon,
    "rotation_due": _rotation_due,
    "rotation_stalled": _rotation_stalled,
    "expired_in_use": _expired_in_use,
    "repeated_denials": _repeated_denials,
    "shared_token": _shared_token,
    "new_network": _new_network,
    "pat_in_production": _pat_in_production,
    "unexpected_use": _unexpected_use,
    "leaked": _leaked,
}
