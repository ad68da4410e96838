"""A valid call of each operation on personal access tokens, ingest tokens, and on what is compromised."""

from __future__ import annotations

import secrets
from collections.abc import Callable

from retinue.server.credentials import actions as credentials
from retinue.server.credentials.queries import Credential
from retinue.server.ledger.transaction import SYSTEM, transaction
from tests.api import epoch_cases, view_cases
from tests.api.world import JSON, Caller, World

ACCOUNTS, KEYS, OWN = "/v1/service-accounts", "/v1/keys", "/v1/me/tokens"
OTHERS, INGEST = "/v1/personal-access-tokens", "/v1/ingest-tokens"
Call = tuple[str, JSON | None]
_POST = {"restrictions": {"methods": ["POST"], "endpoints": ["/events/new"]}}
_GET = {"restrictions": {"methods": ["GET"]}}


def own_token(world: World, caller: Caller, *, revoked: bool = False) -> str:
    """Return the address of a token of the caller; of the owner, for a caller who has none in ``world``."""
    principal = caller.principal
    if principal is None or principal.kind != "user" or principal.organization_id != world.organization.id:
        principal = world.owner.principal
    assert principal is not None
    with transaction(SYSTEM, reason="test") as tx:
        issued = credentials.issue_personal_token(tx, principal, name=f"t-{secrets.token_hex(4)}", days=1)
    _revoke(issued.credential, revoked)
    return f"{OWN}/{issued.credential.id}"


def _revoke(token: Credential, revoked: bool) -> None:
    if revoked:
        with transaction(SYSTEM, reason="test") as tx:
            credentials.revoke(tx, token)


def _rotated(world: World, caller: Caller) -> str:
    """Return the address of a token of the caller that has a successor beside it."""
    path = own_token(world, caller)
    with transaction(SYSTEM, reason="test") as tx:
        credentials.rotate(tx, Credential.objects.get(id=path.rpartition("/")[2]))
    return path


def _others_token(world: World) -> str:
    user, _ = world.user()
    token = Credential.objects.get(principal=user, state="active")
    return f"{OTHERS}/{token.id}"


def ingest_token(world: World, *, revoked: bool = False, rotated: bool = False) -> str:
    """Return the address of a new ingest token."""
    body = {"name": f"i-{secrets.token_hex(4)}", "endpoints": ["/events/*"]}
    path = f"{INGEST}/{world.owner.post(INGEST, body).json['key']['id']}"
    if rotated:
        world.owner.post(f"{path}/rotate", {})
    if revoked:
        world.owner.post(f"{path}/revoke", {})
    return path


def _account(world: World) -> str:
    made = world.account(f"specimen-{secrets.token_hex(6)}")
    world.key(made)
    return f"{ACCOUNTS}/{made.id}"


def _token(world: World) -> str:
    return world.key(world.account(f"specimen-{secrets.token_hex(6)}"))[1].reveal()


def _key(world: World) -> str:
    return f"{KEYS}/{world.key(world.account(f'specimen-{secrets.token_hex(6)}'))[0].id}"


def _journal() -> JSON:
    applied = {"epoch": 1, "revision": 0}
    return {"node": "", "incarnation": secrets.token_hex(16), "epoch": 1, "applied": applied, "lines": [],
            "more": False}  # fmt: skip


def _rotated_key(world: World) -> str:
    """Return the address of a key that retires soon."""
    path = _key(world)
    world.owner.post(f"{path}/rotate", {"overlap": "10m"})
    return path


CALLS: dict[str, Callable[[World, Caller], Call]] = {
    "claim_token": lambda world, _: ("/v1/feed/claim", {"token": "old_0123456789abcdef"}),
    "announce_node": lambda world, _: (
        "/v1/feed/announce",
        {"node": "", "identity_key": {"kid": secrets.token_hex(4), "x": secrets.token_urlsafe(32)}},
    ),
    "list_epochs": lambda world, _: ("/v1/epochs", None),
    "begin_epoch": lambda world, _: ("/v1/epochs", {}),
    "get_epoch": lambda world, _: ("/v1/epochs/current", None),
    "skip_journals": lambda world, _: epoch_cases.skipping(world)[1:],
    "list_lost": lambda world, _: ("/v1/epochs/1/lost", None),
    "take_journal": lambda world, _: ("/v1/feed/journal", _journal()),
    **view_cases.SPECIMENS,
    "list_my_tokens": lambda world, _: (OWN, None),
    "issue_my_token": lambda world, _: (OWN, {"name": f"t-{secrets.token_hex(4)}"}),
    "get_my_token": lambda world, caller: (own_token(world, caller), None),
    "rename_my_token": lambda world, caller: (own_token(world, caller), {"name": secrets.token_hex(4)}),
    "rotate_my_token": lambda world, caller: (f"{own_token(world, caller)}/rotate", {}),
    "finish_my_rotation": lambda world, caller: (f"{_rotated(world, caller)}/finish-rotation", {}),
    "regenerate_my_token": lambda world, caller: (f"{own_token(world, caller)}/regenerate", {}),
    "expire_my_token": lambda world, caller: (f"{own_token(world, caller)}/expire", {"expires": "1h"}),
    "restrict_my_token": lambda world, caller: (f"{own_token(world, caller)}/restrict", _GET),
    "revoke_my_token": lambda world, caller: (f"{own_token(world, caller)}/revoke", {}),
    "restore_my_token": lambda world, caller: (f"{own_token(world, caller, revoked=True)}/restore", {}),
    "delete_my_token": lambda world, caller: (own_token(world, caller, revoked=True), None),
    "list_personal_tokens": lambda world, _: (OTHERS, None),
    "get_personal_token": lambda world, _: (_others_token(world), None),
    "revoke_personal_token": lambda world, _: (f"{_others_token(world)}/revoke", {}),
    "list_ingest_tokens": lambda world, _: (INGEST, None),
    "issue_ingest_token": lambda world, _: (INGEST, {"name": secrets.token_hex(4), "endpoints": ["/e"]}),
    "get_ingest_token": lambda world, _: (ingest_token(world), None),
    "rename_ingest_token": lambda world, _: (ingest_token(world), {"name": secrets.token_hex(4)}),
    "rotate_ingest_token": lambda world, _: (f"{ingest_token(world)}/rotate", {}),
    "finish_ingest_rotation": lambda world, _: (f"{ingest_token(world, rotated=True)}/finish-rotation", {}),
    "regenerate_ingest_token": lambda world, _: (f"{ingest_token(world)}/regenerate", {}),
    "expire_ingest_token": lambda world, _: (f"{ingest_token(world)}/expire", {"expires": "1h"}),
    "restrict_ingest_token": lambda world, _: (f"{ingest_token(world)}/restrict", _POST),
    "revoke_ingest_token": lambda world, _: (f"{ingest_token(world)}/revoke", {}),
    "restore_ingest_token": lambda world, _: (f"{ingest_token(world, revoked=True)}/restore", {}),
    "delete_ingest_token": lambda world, _: (ingest_token(world, revoked=True), None),
    "list_credentials": lambda world, _: ("/v1/credentials", None),
    "get_expiry_plan": lambda world, _: ("/v1/credentials/expiry-plan", None),
    "plan_conversion": lambda world, _: (f"{_others_token(world)}/convert", None),
    "convert_token": lambda world, _: (
        f"{_others_token(world)}/convert",
        {"name": f"made-{secrets.token_hex(6)}", "purpose": "x", "owners": [world.owner.id]},
    ),
    "identify_credential": lambda world, _: ("/v1/credentials/identify", {"token": _token(world)}),
    "extend_rotation": lambda world, _: (f"{_rotated_key(world)}/extend-rotation", {"by": "10m"}),
    "undo_rotation": lambda world, _: (f"{_rotated_key(world)}/undo-rotation", {}),
    "check_names": lambda world, _: ("/v1/service-accounts/names/check", {"names": ["loader"]}),
    "tally_requests": lambda world, _: ("/v1/requests/tally", None),
    "preview_key_compromise": lambda world, _: (f"{_key(world)}/compromise", None),
    "compromise_key": lambda world, _: (f"{_key(world)}/compromise", {"confirm": 1}),
    "preview_account_compromise": lambda world, _: (f"{_account(world)}/compromise", None),
    "compromise_account": lambda world, _: (f"{_account(world)}/compromise", {"confirm": 1}),
    "preview_user_compromise": lambda world, _: (f"/v1/users/{world.user()[0].id}/compromise", None),
    "compromise_user": lambda world, _: (f"/v1/users/{world.user()[0].id}/compromise", {"confirm": 1}),
    "preview_organization_compromise": lambda world, _: ("/v1/organization/compromise", None),
    "compromise_organization": lambda world, _: ("/v1/organization/compromise", {"confirm": 1_000_000}),
}
