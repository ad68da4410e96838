"""Turns rows into what the API answers; every list in a handful of queries."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.utils import timezone

from retinue import formats
from retinue.formats import Format
from retinue.server import status
from retinue.server.access import queries as access
from retinue.server.access.beginning import begin_list
from retinue.server.api.answers import instant
from retinue.server.credentials import invitations, needing
from retinue.server.credentials import queries as credentials
from retinue.server.credentials.queries import Credential
from retinue.server.directory import queries as directory
from retinue.server.directory import signing_in
from retinue.server.directory.queries import Principal
from retinue.server.policies import remembering
from retinue.server.policies.environments import warned_days
from retinue.server.policies.policy import Policy
from retinue.server.policies.queries import in_force
from retinue.server.policies.rules import Compiled
from retinue.server.traffic import queries as traffic
from retinue.token import Kind

JSON = dict[str, Any]


def ref(principal: Principal | None) -> JSON | None:
    """Return a principal by name."""
    if principal is None:
        return None
    return {"id": principal.id, "kind": principal.kind, "handle": principal.handle, "name": principal.name}


def service_accounts(rows: Sequence[Principal], now: datetime) -> list[JSON]:
    """Return service accounts as the API answers them."""
    ids = [row.id for row in rows]
    remembering.learn("principals", {row.id: row for row in rows})
    owners = directory.owners_of(ids)
    begin_list(rows)
    roles = access.roles_of(ids)
    policies = _policies(rows)
    counts = _counts(policies, now)
    used = traffic.last_used_by_account(ids)
    creators = directory.principals(row.created_by for row in rows)
    return [
        {
            **_stated(row),
            "owners": [ref(owner) for owner in owners[row.id]],
            "roles": roles[row.id],
            "state": row.state,
            "status": status.account(
                state=row.state,
                owners=len(owners[row.id]),
                created_at=row.created_at,
                last_used_at=used.get(row.id),
                keys_needing_action=counts[row.id].needing,
                idle_days=policies[row.id].idle_days,
                now=now,
            ),
            "status_reason": row.state_reason or None,
            "awaits_approval": row.awaits_approval,
            "created_at": instant(row.created_at),
            "created_by": ref(creators.get(row.created_by)),
            "updated_at": instant(row.updated_at),
            "keys": counts[row.id].told,
            "last_used_at": instant(used.get(row.id)),
        }
        for row in rows
    ]


def _stated(row: Principal) -> JSON:
    """Return what is said of an account: its names, its purpose, and where it runs."""
    names = ("id", "kind", "handle", "name", "description", "purpose", "documentation", "environment")
    return {name: getattr(row, name) for name in (*names, "systems", "attributes")}


def _policies(rows: Sequence[Principal]) -> dict[str, Policy]:
    """Return what is in force for each account, by its organization and environment."""
    held = {ident: in_force(ident) for ident in {row.organization_id for row in rows}}
    return {row.id: held[row.organization_id].of(row.environment) for row in rows}


def _counts(policies: dict[str, Policy], now: datetime) -> dict[str, needing.Counts]:
    """Return the counts of keys of accounts: one query for each number of days that policies warn ahead."""
    found: dict[str, needing.Counts] = {}
    for days in {warned_days(policy) for policy in policies.values()}:
        own = [ident for ident, policy in policies.items() if warned_days(policy) == days]
        found |= needing.counts(own, now, days)
    return found


def keys(rows: Sequence[Credential], now: datetime) -> list[JSON]:
    """Return API keys as the API answers them. Rows carry their account and organization."""
    usage = traffic.usage((row.id for row in rows), (row.principal_id or "" for row in rows))
    lost = credentials.without_permission(rows)
    people = directory.principals(
        ident for row in rows for ident in (row.issued_by, row.revoked_by, row.principal_id or "") if ident
    )
    policies = {ident: in_force(ident) for ident in {row.organization_id for row in rows}}
    made = [
        _key(row, usage.get(row.id), people, policies[row.organization_id], now, row.id in lost)
        for row in rows
    ]
    for row, key in zip(rows, made, strict=True):
        if row.id in lost and row.state != "suspended" and key["status"] == "suspended":
            key |= {"state": "suspended", "reason": "permission_lost"}
    return made


def _key(
    row: Credential,
    used: traffic.Usage | None,
    people: dict[str, Principal],
    compiled: Compiled,
    now: datetime,
    lost_permission: bool,
) -> JSON:
    account = people.get(row.principal_id or "")
    policy = compiled.of("" if account is None else account.environment)
    retired = row.state == "active" and row.retires_at is not None and row.retires_at <= now
    return {
        "id": row.id,
        "key_id": row.kid,
        "kind": kind_of(row),
        "account": ref(account),
        "account_state": None if account is None else account.state,
        "name": row.name,
        "format": row.format,
        "display": formats.display(
            Format(row.format), row.brand, Kind(row.kind), row.kid, row.last_characters
        ),
        "state": "revoked" if retired else row.state,
        "status": status.credential(
            state=row.state,
            expires_at=row.expires_at,
            retires_at=row.retires_at,
            owner_state=account.state if account is not None else "enabled",
            last_used_at=used.last_used_at if used is not None else None,
            warn_days=warned_days(policy),
            idle_days=policy.idle_days,
            now=now,
            lost_permission=lost_permission,
        ),
        "reason": "superseded" if retired else row.reason or None,
        "reason_text": row.reason_text or None,
        "restrictions": row.restrictions,
        **_times(row, people, now),
        "first_used_at": instant(used.first_used_at) if used is not None else None,
        "last_used_at": instant(used.last_used_at) if used is not None else None,
        "use_count": used.count if used is not None else 0,
    }


def _times(row: Credential, people: dict[str, Principal], now: datetime) -> JSON:
    """When a credential came, changes and ends, and by whom."""
    retires_on = "first_use" if row.retires_on_first_use else "deadline"
    previous = [datetime.fromisoformat(each["valid_until"]) for each in row.previous]
    return {
        "issued_at": instant(row.issued_at),
        "issued_by": ref(people.get(row.issued_by)),
        "expires_at": instant(row.expires_at),
        "rotate_by": instant(row.rotate_by),
        "retires_at": instant(row.retires_at),
        "retires_on": retires_on if row.retires_at is not None else None,
        "rotated_from": row.rotated_from or None,
        "rotated_to": row.rotated_to or None,
        "regenerated_at": instant(row.regenerated_at),
        "previous_until": instant(max((at for at in previous if at > now), default=None)),
        "suspended_at": instant(row.suspended_at),
        "revoked_at": instant(row.revoked_at),
        "revoked_by": ref(people.get(row.revoked_by)),
        "restored_at": instant(row.restored_at),
    }


_KINDS = {Kind.API_KEY: "api_key", Kind.PERSONAL: "personal_access_token", Kind.INGEST: "ingest_token"}


def kind_of(row: Credential) -> str:
    """Return the kind of a credential in words."""
    return _KINDS[Kind(row.kind)]


def users(rows: Sequence[Principal]) -> list[JSON]:
    """Return users as the API answers them."""
    ids = [row.id for row in rows]
    invited = invitations.pending(ids, timezone.now())
    roles = access.roles_of(ids)
    creators = directory.principals(row.created_by for row in rows)
    methods, owned = signing_in.methods(ids), signing_in.owned(ids)
    tokens = credentials.usable_tokens(ids, timezone.now())
    signed_in = signing_in.last(ids)
    return [
        {
            "id": row.id,
            "kind": row.kind,
            "email": row.email or None,
            "handle": row.handle,
            "name": row.name,
            "roles": roles[row.id],
            "state": row.state,
            "status": _status_of_user(row, row.id in invited),
            "operator": row.is_operator,
            "created_at": instant(row.created_at),
            "created_by": ref(creators.get(row.created_by)),
            "can_sign_in": row.id in methods,
            "sign_in_methods": methods.get(row.id, []),
            "last_sign_in_at": instant(signed_in.get(row.id)),
            "tokens": tokens.get(row.id, 0),
            "accounts": owned.get(row.id, 0),
            "invitation_expires_at": instant(invited[row.id].expires_at) if row.id in invited else None,
        }
        for row in rows
    ]


def _status_of_user(row: Principal, is_invited: bool) -> str:
    if row.state != "enabled":
        return row.state
    return "invited" if is_invited else "active"
