"""Issuing and naming credentials.

The plain token exists in the answer of the call that makes it, and nowhere else: rows hold keyed digests.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from retinue.server.access import actions as access
from retinue.server.credentials import narrowing, owners, present, rules, writing
from retinue.server.credentials.models import Credential
from retinue.server.credentials.owners import Owner
from retinue.server.credentials.writing import Issued, Secret
from retinue.server.directory import rules as names
from retinue.server.directory.queries import Organization, Principal
from retinue.server.errors import Refused
from retinue.server.ledger.transaction import Transaction
from retinue.server.policies.queries import policy_of
from retinue.token import Kind


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked of a new credential; ``secret`` if its holder made the token."""

    name: str | None = None
    expires: str | None = None
    restrictions: Mapping[str, Any] | None = None
    secret: Secret | None = None


def issue(
    tx: Transaction,
    account: Principal,
    *,
    name: str | None = None,
    expires: str | None = None,
    restrictions: Mapping[str, Any] | None = None,
    secret: Secret | None = None,
) -> Issued:
    """Issue an API key for a service account.

    Refuses a taken name, one key too many, a deleted account, an account that is stronger than the actor,
    and a service account that issues for itself.
    """
    if tx.actor.id == account.id:
        raise Refused("forbidden_for_service", "a service account never issues a key for itself; rotate one")
    access.check_stronger(tx.actor, account)
    owner = Owner(Kind.API_KEY, account.organization_id, account)
    return _issue(tx, owner, Wanted(name, expires, restrictions, secret))


def issue_own_token(
    tx: Transaction,
    user: Principal,
    *,
    name: str | None = None,
    expires: str | None = None,
    restrictions: Mapping[str, Any] | None = None,
) -> Issued:
    """Issue a personal access token that a user asks for. Refuses where users hold none."""
    if user.kind != Principal.USER:
        raise Refused("forbidden_for_service", "personal access tokens are for people")
    owner = Owner(Kind.PERSONAL, user.organization_id, user)
    check_personal_tokens(owner)
    return _issue(tx, owner, Wanted(name, expires, restrictions))


def check_in_force(tx: Transaction) -> None:
    """Refuse to hand out a token to who calls with a credential that ended while this call waited for a lock.

    Without it the call of a thief would wait for the end of a compromise, and get a token then.
    """
    if tx.actor.credential and present.ended(tx.actor.credential, tx.now) is not None:
        raise Refused("state_conflict", "the credential that calls has ended meanwhile")


def check_own_narrowness(tx: Transaction, owner: Owner, restrictions: Mapping[str, Any]) -> None:
    """Refuse to hand out, of one's own credentials, one that is narrowed less than the one that acts."""
    if owner.principal is None or tx.actor.id != owner.principal.id or not tx.actor.credential:
        return
    acting = Credential.objects.filter(id=tx.actor.credential).first()
    if acting is not None and not narrowing.is_within(restrictions, acting.restrictions):
        raise Refused(
            "ceiling_exceeded",
            f"{acting.id}, which calls, is narrowed itself: nothing wider is handed out by it",
            field="restrictions",
        )


def check_personal_tokens(owner: Owner) -> None:
    """Refuse where the policy gives users no personal access tokens."""
    if not owner.policy.pat_enabled:
        raise Refused("state_conflict", "there are no personal access tokens here (pat.enabled is false)")


def issue_ingest_token(
    tx: Transaction,
    organization_id: str,
    *,
    endpoints: list[str],
    name: str | None = None,
    expires: str | None = None,
    restrictions: Mapping[str, Any] | None = None,
) -> Issued:
    """Issue an ingest token of an organization, bound to its endpoints. Refuses where there are none."""
    owner = Owner(Kind.INGEST, organization_id, None)
    if not owner.policy.ingest_enabled:
        raise Refused("state_conflict", "there are no ingest tokens here (ingest.enabled is false)")
    if not endpoints:
        raise Refused("missing_field", "an ingest token names its endpoints", field="endpoints")
    narrowed = {**(restrictions or {}), "endpoints": endpoints}
    return _issue(tx, owner, Wanted(name, expires, narrowed))


def _issue(tx: Transaction, owner: Owner, wanted: Wanted) -> Issued:
    """Issue a credential: everything is decided while the owner's row is locked."""
    narrowed = check_restrictions(owner, wanted.restrictions or {})
    check_own_narrowness(tx, owner, narrowed)
    ends = rules.expiry(wanted.expires, tx.now, owner.bounds)
    owner = owner.locked()
    check_in_force(tx)
    name = owner.name(wanted.name, tx.now)
    present = owner.present(tx.now, name)
    owner.check_room(present, tx.now)
    owner.check_name_free(present, name)
    return writing.make(
        tx,
        owner.organization_id,
        owner.principal,
        owner.kind,
        name,
        ends,
        secret=wanted.secret,
        restrictions=narrowed,
        claim=owner.claim(name),
    )


def check_restrictions(
    owner: Owner, given: Mapping[str, Any], kept: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return restrictions in their one form; to be bound to endpoints is the nature of an ingest token."""
    if owner.kind is not Kind.INGEST:
        return narrowing.check(given, owner.policy, kept=kept)
    bound = {"endpoints": narrowing.endpoints(given.get("endpoints") or ())}
    return narrowing.check(given, owner.policy, kept={**(kept or {}), **bound})


def issue_personal_token(tx: Transaction, user: Principal, *, name: str, days: int) -> Issued:
    """Issue the first personal access token of a user, ``days`` long: for Retinue itself, past every rule."""
    owner = Owner(Kind.PERSONAL, user.organization_id, user)
    name = names.check_name(name)
    ends = rules.Expiry(tx.now + timedelta(days=days), "requested")
    return writing.make(tx, user.organization_id, user, Kind.PERSONAL, name, ends, claim=owner.claim(name))


def issue_for_node(
    tx: Transaction, organization: Organization, name: str, *, rotated_from: str = ""
) -> Issued:
    """Issue the credential of a node, bound to the node's name."""
    ends = rules.Expiry(tx.now + timedelta(days=rules.NODE_CREDENTIAL_DAYS), "default")
    return writing.make(tx, organization.id, None, Kind.NODE, name, ends, rotated_from=rotated_from)


def reissue_for_node(tx: Transaction, credential_id: str) -> Issued:
    """Replace the secret of a node's new credential, whose token was lost with the answer."""
    key = Credential.objects.select_for_update(no_key=True).get(id=credential_id, kind=Kind.NODE.value)
    secret = writing.mint_secret(policy_of(key.organization_id), Kind.NODE, of=key)
    return writing.put_secret(tx, key, secret, "node_credential.reissued")


def rename(tx: Transaction, key: Credential, name: str) -> Credential:
    """Give a credential another name; its id stays. Refuses where the policy lets none be renamed."""
    name = names.check_name(name)
    owner = owners.of(key).locked()
    # What was read before the lock may have ended since, and would be written back with the name.
    key = Credential.objects.select_for_update(no_key=True).get(id=key.id)
    if key.state in ("revoked", "deleted"):
        raise Refused("state_conflict", f"{key.id} is {key.state}")
    if name == key.name:
        return key
    if not policy_of(key.organization_id).credentials_name.renameable:
        raise Refused("state_conflict", "names of credentials are fixed here (credentials.name.renameable)")
    owner.check_name_free(owner.present(tx.now, name), name, but=key)
    before = key.name
    key.name, key.name_folded, key.name_claim = name, names.fold(name), owner.claim(name)
    key.save()
    tx.record(
        f"{writing.noun(key)}.renamed",
        key.id,
        name=writing.called(key),
        organization=key.organization_id,
        before={"name": before},
        after={"name": name},
    )
    return key
