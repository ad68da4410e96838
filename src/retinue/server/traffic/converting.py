"""From an integration that uses a person's token to a service account with what it really used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from retinue.server.access import actions as access
from retinue.server.access import queries as held
from retinue.server.credentials import actions as credentials
from retinue.server.credentials import rules, writing
from retinue.server.credentials.queries import Credential
from retinue.server.credentials.writing import Issued
from retinue.server.directory.queries import Principal
from retinue.server.directory.rules import AccountFields
from retinue.server.errors import Refused
from retinue.server.ledger.transaction import Transaction
from retinue.server.policies.queries import policy_of
from retinue.server.traffic.models import Request


@dataclass(frozen=True, slots=True)
class Used:
    """What was done with a token, as far as the request log goes back; what of it can be handed on."""

    permissions: tuple[str, ...]
    #: Not held by the user any more, or not for service accounts.
    left_out: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Conversion:
    """The account, and how its key replaces the token. ``permissions`` ``None``: those that were used."""

    fields: AccountFields
    permissions: Sequence[str] | None = None
    justification: str = ""
    key_name: str | None = None
    expires: str | None = None
    overlap_seconds: int | None = None


@dataclass(frozen=True, slots=True)
class Converted:
    """The new account with its key, and what it was not given."""

    account: Principal
    issued: Issued
    permissions: tuple[str, ...] = field(default=())
    left_out: tuple[str, ...] = field(default=())


def used_with(token: Credential) -> Used:
    """Return the permissions that were allowed to a token, from the request log."""
    rows = Request.objects.filter(
        organization=token.organization_id, account=token.principal_id, credential=token.id, allowed=True
    )
    names = set(rows.exclude(permission="").order_by().values_list("permission", flat=True).distinct())
    user = Principal.objects.get(id=token.principal_id)
    forbidden = set(policy_of(token.organization_id).forbidden_for_service.permissions)
    may = names & set(held.effective(user)) - forbidden
    return Used(tuple(sorted(may)), tuple(sorted(names - may)))


def convert(tx: Transaction, token: Credential, wanted: Conversion) -> Converted:
    """Make a service account that does what a personal access token did, and let its key replace the token.

    The token is accepted beside the key for the overlap, then it is revoked as superseded. Refuses a token
    that is not in use any more, and what the actor may not hand out.
    """
    token = Credential.objects.select_for_update(no_key=True).get(id=token.id)
    if token.retires_at is not None or not rules.is_usable(token.state, token.expires_at, None, tx.now):
        raise Refused("state_conflict", f"{token.id} is not in use any more")
    policy = policy_of(token.organization_id, wanted.fields.environment)
    overlap = policy.rotation_overlap_seconds if wanted.overlap_seconds is None else wanted.overlap_seconds
    if overlap > policy.rotation_overlap_seconds:
        most = policy.rotation_overlap_seconds
        raise Refused("invalid_value", f"the overlap is at most {most} seconds here", field="overlap")
    used = used_with(token)
    permissions = used.permissions if wanted.permissions is None else tuple(dict.fromkeys(wanted.permissions))
    account = access.create_account(
        tx,
        token.organization_id,
        wanted.fields,
        permissions=permissions,
        justification=wanted.justification or f"used by {writing.called(token)} ({token.id})",
    )
    issued = credentials.issue(
        tx,
        account,
        name=wanted.key_name or token.name,
        expires=wanted.expires,
        restrictions=token.restrictions,
    )
    _retire(tx, token, issued.credential, overlap)
    left_out = tuple(sorted({*used.permissions, *used.left_out} - set(permissions)))
    return Converted(account, issued, permissions, left_out)


def _retire(tx: Transaction, token: Credential, successor: Credential, overlap: int) -> None:
    until = tx.now + timedelta(seconds=overlap)
    token.retires_at = until if token.expires_at is None else min(until, token.expires_at)
    token.rotated_to = successor.id
    policy = policy_of(token.organization_id)
    token.retires_on_first_use = overlap > 0 and policy.rotation_retire_on == "first_use"
    if overlap == 0:
        writing.end(token, "superseded", "", tx)
    token.save()
    after = {
        "state": token.state,
        "retires_at": writing.text(token.retires_at),
        "rotated_to": token.rotated_to,
    }
    writing.say(tx, token, "rotated", before={"state": "active", "retires_at": None}, after=after)
