"""A valid call of each operation, on an object made for it in a given organization."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from retinue.server.access import actions as access
from retinue.server.credentials import actions as credentials
from retinue.server.directory import actions as directory
from retinue.server.directory import organizations
from retinue.server.ledger.transaction import SYSTEM, transaction
from tests.api import webhook_cases
from tests.api.import_cases import imported
from tests.api.world import JSON, Caller, World
from tests.authorization import access as access_operations
from tests.authorization import events, governance, probes
from tests.authorization.credential_specimens import CALLS

ACCOUNTS, KEYS = "/v1/service-accounts", "/v1/keys"
#: What the account of a specimen is granted: everybody who hands it on holds it.
GRANTED = "grant:create"


@dataclass(frozen=True)
class Specimen:
    """Where an operation is called, and with what."""

    path: str
    body: JSON | None = None


Make = Callable[[World, Caller], Specimen]


def _new(world: World) -> JSON:
    return {"name": f"made-{secrets.token_hex(6)}", "purpose": "x", "owners": [world.user()[0].id]}


def account(world: World, *, state: str = "enabled", permissions: tuple[str, ...] = ()) -> str:
    """Return the address of a new service account."""
    made = world.account(f"specimen-{secrets.token_hex(6)}", permissions=permissions)
    with transaction(SYSTEM, reason="test") as tx:
        if state == "disabled":
            directory.disable(tx, made)
        if state == "deleted":
            credentials.delete_account(tx, made)
    return f"{ACCOUNTS}/{made.id}"


def key(world: World, *, revoked: bool = False) -> str:
    """Return the address of a key of a new account."""
    made, _ = world.key(world.account(f"specimen-{secrets.token_hex(6)}"))
    if revoked:
        with transaction(SYSTEM, reason="test") as tx:
            credentials.revoke(tx, made)
    return f"{KEYS}/{made.id}"


def _rotated(world: World) -> str:
    """Return the address of the successor of a key that is still accepted beside it."""
    return f"{KEYS}/{world.owner.post(f'{key(world)}/rotate', {}).json['key']['id']}"


def _grant(world: World) -> str:
    path = account(world, permissions=(GRANTED,))
    return f"{path}/grants/{world.owner.get(f'{path}/grants').json['items'][0]['id']}"


def _receipt(world: World) -> str:
    return f"/v1/receipts/{world.owner.post(f'{key(world)}/revoke').json['receipt']['id']}"


def _finding(world: World, *, accepted: bool = False) -> str:
    """Return the address of a finding: an account whose owner is gone."""
    made = world.account(f"specimen-{secrets.token_hex(6)}")
    with transaction(SYSTEM, reason="test") as tx:
        made.ownerships.all().delete()
        tx.record("account.updated", made.id, name=made.handle, organization=made.organization_id)
    path = f"/v1/findings/fnd_ownerless-{made.id}"
    if accepted:
        world.owner.post(f"{path}/accept", _exception())
    return path


def _exception() -> JSON:
    return {"reason": "known", "until": (datetime.now(UTC) + timedelta(days=7)).isoformat()}


def _node(world: World) -> str:
    return f"/v1/nodes/{world.node()[0]}"


def _poll() -> JSON:
    return {
        "node": "",
        "incarnation": secrets.token_hex(16),
        "applied": {"epoch": 0, "revision": 0},
        "wait": 0,
    }


def _user(world: World) -> JSON:
    return {"email": f"{secrets.token_hex(6)}@{world.organization.handle}.example", "name": "Uma"}


def _made_user(world: World, *, disabled: bool = False) -> str:
    path = f"/v1/users/{world.owner.post('/v1/users', _user(world)).json['id']}"
    if disabled:
        world.owner.post(f"{path}/disable", {})
    return path


def new_organization() -> JSON:
    """Return what a new organization is made of."""
    handle = f"o-{secrets.token_hex(6)}"
    return {"handle": handle, "name": "New", "administrator": {"email": f"a@{handle}.example", "name": "Ada"}}


def empty_organization(*, disabled: bool = False) -> str:
    """Return the id of an organization that nobody can enter."""
    with transaction(SYSTEM, reason="test") as tx:
        made = directory.create_organization(tx, handle=f"o-{secrets.token_hex(6)}", name="Empty")
        access.set_up_organization(tx, made)
    if disabled:
        with transaction(SYSTEM, reason="test") as tx:
            organizations.disable(tx, made)
    return made.id


def _another_policy() -> JSON:
    """Return a change of the policy that breaks nothing."""
    return {"set": {"rotation.overlap_seconds": 3600 + secrets.randbelow(3600)}}


def _policy_version(world: World) -> int:
    return int(world.owner.patch("/v1/policy", _another_policy()).json["version"])


def _accounts(path: str) -> JSON:
    return {"accounts": [path.rpartition("/")[2]]}


def _keys(path: str) -> JSON:
    return {"keys": [path.rpartition("/")[2]]}


def _plain(make: Callable[[World], tuple[Any, ...]]) -> Make:
    return lambda world, _: Specimen(*make(world))


def _governed(make: Callable[[World, str], tuple[str, JSON | None]]) -> Make:
    return lambda world, _: Specimen(*make(world, account(world).rpartition("/")[2]))


SPECIMENS: dict[str, Make] = {
    "get_openapi": lambda world, _: Specimen("/v1/openapi.json"),
    "report_leaked_tokens": lambda world, _: Specimen("/v1/leaks/revoke", {"tokens": ["no token"]}),
    "verify_found_tokens": lambda world, _: Specimen("/v1/leaks/verify", {"tokens": ["no token"]}),
    "list_identity_keys": lambda world, _: Specimen("/v1/identity-keys"),
    "poll_feed": lambda world, _: Specimen("/v1/feed/poll", _poll()),
    "get_snapshot": lambda world, _: Specimen("/v1/feed/snapshot"),
    "ship_requests": lambda world, _: Specimen(
        "/v1/feed/requests", {"node": "", "spool": secrets.token_hex(8), "first": 0, "records": []}
    ),
    "renew_credential": lambda world, _: Specimen("/v1/nodes/self/credential"),
    "get_terminology": lambda world, _: Specimen("/v1/terminology"),
    "get_presentation": lambda world, _: Specimen("/v1/presentation"),
    "list_principals": lambda world, _: Specimen("/v1/principals"),
    "get_me": lambda world, _: Specimen("/v1/me"),
    "list_service_accounts": lambda world, _: Specimen(ACCOUNTS),
    "count_service_accounts": lambda world, _: Specimen(f"{ACCOUNTS}/counts"),
    "create_service_account": lambda world, _: Specimen(ACCOUNTS, _new(world)),
    "get_service_account": lambda world, _: Specimen(account(world)),
    "update_service_account": lambda world, _: Specimen(account(world), {"purpose": "another"}),
    "delete_service_account": lambda world, _: Specimen(account(world)),
    "enable_service_account": lambda world, _: Specimen(f"{account(world, state='disabled')}/enable", {}),
    "preview_disable": lambda world, _: Specimen(f"{account(world)}/disable"),
    "disable_service_account": lambda world, _: Specimen(f"{account(world)}/disable", {}),
    "approve_service_account": lambda world, _: Specimen(f"{account(world)}/approve", {}),
    "restore_service_account": lambda world, _: Specimen(f"{account(world, state='deleted')}/restore", {}),
    "duplicate_service_account": lambda world, _: Specimen(
        f"{account(world)}/duplicate", {"name": f"copy-{secrets.token_hex(6)}"}
    ),
    "list_grants": lambda world, _: Specimen(f"{account(world)}/grants"),
    "create_grant": lambda world, _: Specimen(
        f"{account(world)}/grants", {"permission": GRANTED, "justification": "x"}
    ),
    "delete_grant": lambda world, _: Specimen(_grant(world)),
    "change_grants": lambda world, _: Specimen(f"{account(world)}/grants", {"take": [GRANTED]}),
    "list_effective_permissions": lambda world, _: Specimen(f"{account(world)}/permissions"),
    "list_keys": lambda world, _: Specimen(KEYS),
    "list_keys_of_account": lambda world, _: Specimen(f"{account(world)}/keys"),
    "get_key": lambda world, _: Specimen(key(world)),
    "issue_key": lambda world, _: Specimen(f"{account(world)}/keys", {"name": "k"}),
    "rename_key": lambda world, _: Specimen(key(world), {"name": "another"}),
    "rotate_key": lambda world, _: Specimen(f"{key(world)}/rotate", {}),
    "regenerate_key": lambda world, _: Specimen(f"{key(world)}/regenerate", {}),
    "finish_rotation": lambda world, _: Specimen(f"{_rotated(world)}/finish-rotation", {}),
    "expire_key": lambda world, _: Specimen(f"{key(world)}/expire", {"expires": "1d"}),
    "restrict_key": lambda world, _: Specimen(
        f"{key(world)}/restrict", {"restrictions": {"methods": ["GET"]}}
    ),
    "restore_key": lambda world, _: Specimen(f"{key(world, revoked=True)}/restore", {}),
    "revoke_key": lambda world, _: Specimen(f"{key(world)}/revoke", {}),
    "delete_key": lambda world, _: Specimen(key(world, revoked=True)),
    "get_receipt": lambda world, _: Specimen(_receipt(world)),
    "list_users": lambda world, _: Specimen("/v1/users"),
    "create_user": lambda world, _: Specimen("/v1/users", _user(world)),
    "get_user": lambda world, _: Specimen(f"/v1/users/{world.owner.id}"),
    "invite_user": lambda world, _: Specimen("/v1/invitations", _user(world)),
    "invite_again": lambda world, _: Specimen(f"{_made_user(world)}/invite", {}),
    "update_user": lambda world, _: Specimen(_made_user(world), {"name": "Another"}),
    "reset_sign_in": lambda world, _: Specimen(f"{_made_user(world)}/reset-sign-in", {}),
    "enable_user": lambda world, _: Specimen(f"{_made_user(world, disabled=True)}/enable", {}),
    "disable_user": lambda world, _: Specimen(f"{_made_user(world)}/disable", {}),
    "delete_user": lambda world, _: Specimen(_made_user(world)),
    "get_user_impact": lambda world, _: Specimen(f"/v1/users/{world.owner.id}/impact"),
    "reassign_accounts": lambda world, _: Specimen(f"{_made_user(world)}/reassign", {"to": world.owner.id}),
    "list_organizations": lambda world, _: Specimen("/v1/organizations"),
    "create_organization": lambda world, _: Specimen("/v1/organizations", new_organization()),
    "invite_administrator": lambda world, _: Specimen(
        f"/v1/organizations/{empty_organization()}/administrator", {"email": "a@x.example", "name": "Ada"}
    ),
    "get_organization": lambda world, _: Specimen(f"/v1/organizations/{world.organization.id}"),
    "enable_organization": lambda world, _: Specimen(
        f"/v1/organizations/{empty_organization(disabled=True)}/enable", {}
    ),
    "disable_organization": lambda world, _: Specimen(
        f"/v1/organizations/{empty_organization()}/disable", {}
    ),
    "get_own_organization": lambda world, _: Specimen("/v1/organization"),
    "update_own_organization": lambda world, _: Specimen("/v1/organization", {"name": secrets.token_hex(4)}),
    "delete_own_organization": lambda world, _: Specimen(
        f"/v1/organization?confirm=not-{world.organization.handle}"
    ),
    "list_nodes": lambda world, _: Specimen("/v1/nodes"),
    "enrol_node": lambda world, _: Specimen("/v1/nodes", {"name": f"n-{secrets.token_hex(6)}"}),
    "create_probe": lambda world, _: Specimen(probes.new(), {}),
    "get_probe": lambda world, _: Specimen(probes.one()),
    "get_node": lambda world, _: Specimen(_node(world)),
    "remove_node": lambda world, _: Specimen(_node(world)),
    "list_requests": lambda world, _: Specimen("/v1/requests"),
    "list_requests_of_account": lambda world, _: Specimen(f"{account(world)}/requests"),
    **{name: _plain(make) for name, make in events.CALLS.items()},
    "get_policy": lambda world, _: Specimen("/v1/policy"),
    "check_policy": lambda world, _: Specimen("/v1/policy/check", _another_policy()),
    "list_policy_presets": lambda world, _: Specimen("/v1/policy/presets"),
    "list_policy_keys": lambda world, _: Specimen("/v1/policy/keys"),
    "list_policy_versions": lambda world, _: Specimen("/v1/policy/versions"),
    "get_policy_version": lambda world, _: Specimen(f"/v1/policy/versions/{_policy_version(world)}"),
    "change_policy": lambda world, _: Specimen("/v1/policy", _another_policy()),
    "list_findings": lambda world, _: Specimen("/v1/findings"),
    "count_findings": lambda world, _: Specimen("/v1/findings/counts"),
    "get_finding": lambda world, _: Specimen(_finding(world)),
    "accept_finding": lambda world, _: Specimen(f"{_finding(world)}/accept", _exception()),
    "reopen_finding": lambda world, _: Specimen(f"{_finding(world, accepted=True)}/reopen", {}),
    **{name: _governed(make) for name, make in governance.CALLS.items()},
    "enable_service_accounts": lambda world, _: Specimen(
        "/v1/bulk/service-accounts/enable", _accounts(account(world, state="disabled"))
    ),
    "disable_service_accounts": lambda world, _: Specimen(
        "/v1/bulk/service-accounts/disable", _accounts(account(world))
    ),
    "delete_service_accounts": lambda world, _: Specimen(
        "/v1/bulk/service-accounts/delete", _accounts(account(world))
    ),
    "grant_to_service_accounts": lambda world, _: Specimen(
        "/v1/bulk/service-accounts/grant",
        _accounts(account(world)) | {"permission": GRANTED, "justification": "x"},
    ),
    "take_from_service_accounts": lambda world, _: Specimen(
        "/v1/bulk/service-accounts/take-back",
        _accounts(account(world, permissions=(GRANTED,))) | {"permission": GRANTED},
    ),
    "revoke_keys": lambda world, _: Specimen("/v1/bulk/keys/revoke", _keys(key(world))),
    "expire_keys": lambda world, _: Specimen("/v1/bulk/keys/expire", _keys(key(world)) | {"expires": "1d"}),
    "restrict_keys": lambda world, _: Specimen(
        "/v1/bulk/keys/restrict", _keys(key(world)) | {"methods": ["GET"]}
    ),
    "rotate_keys": lambda world, _: Specimen("/v1/bulk/keys/rotate", _keys(key(world))),
    "set_owners_of_service_accounts": lambda world, _: Specimen(
        "/v1/bulk/service-accounts/set-owners", _accounts(account(world)) | {"owners": [world.user()[0].id]}
    ),
    "import_keys": lambda world, _: Specimen("/v1/bulk/keys/import", imported(account(world))),
    "delete_keys": lambda world, _: Specimen("/v1/bulk/keys/delete", _keys(key(world, revoked=True))),
    **access_operations.as_specimens(Specimen),
}
SPECIMENS |= {
    name: lambda world, _, make=make: Specimen(*make(world))  # type: ignore[misc]
    for name, make in webhook_cases.SPECIMENS.items()
}
SPECIMENS |= {
    name: lambda world, caller, call=call: Specimen(*call(world, caller))  # type: ignore[misc]
    for name, call in CALLS.items()
}
