"""How a credential's row is made and changed, and what is said of it in the ledger.

The plain token exists in :class:`Issued`, on its way to the answer; rows hold keyed digests.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from django.conf import settings

from retinue import pepper
from retinue.formats import Format, last, mint_as
from retinue.replica.records import Kind as RecordKind
from retinue.server.credentials import lookups, rules
from retinue.server.credentials.models import Credential, SlowHash
from retinue.server.directory import rules as names
from retinue.server.directory.queries import Principal
from retinue.server.errors import Refused
from retinue.server.ledger.transaction import Transaction
from retinue.server.policies.policy import Policy
from retinue.server.policies.queries import policy_of
from retinue.token import DEFAULT_BRAND, EXAMPLE_KID_PREFIX, Kind, Token, is_kid

_ID_PREFIX = {
    Kind.API_KEY: "key",
    Kind.PERSONAL: "pat",
    Kind.INGEST: "ing",
    Kind.NODE: "nkey",
    Kind.SETUP: "boot",
    Kind.INVITATION: "inv",
}
_NOUN = {
    Kind.API_KEY: "key",
    Kind.PERSONAL: "pat",
    Kind.INGEST: "ingest_token",
    Kind.NODE: "node_credential",
    Kind.SETUP: "setup_code",
    Kind.INVITATION: "invitation",
}
_ORGANIZATIONS_OWN = frozenset({Kind.API_KEY, Kind.PERSONAL, Kind.INGEST})
#: The digest that the holder of a token makes of it.
SHA256 = "sha256"
#: Older digests of one credential: each makes every verification of its token dearer.
PREVIOUS_KEPT = 3


@dataclass(frozen=True, slots=True)
class Issued:
    """A credential with its token (shown once), and which rule decided its end.

    ``made`` is ``None`` if its holder made the token, and sent its digest alone.
    """

    credential: Credential
    made: Token | None
    expiry: rules.Expiry

    @property
    def token(self) -> Token:
        """The token that was made here. Raises ``RuntimeError`` if its holder made it."""
        if self.made is None:
            raise RuntimeError("its holder has the token")
        return self.made


@dataclass(frozen=True, slots=True)
class Secret:
    """What a row keeps of a new token, and the token itself while it is on its way to its holder."""

    kid: str
    brand: str
    digest: bytes
    pepper_id: str
    token: Token | None = None
    scheme: str = ""
    format: Format = Format.NATIVE
    last_characters: str = ""


def mint_secret(policy: Policy, kind: Kind, *, of: Credential | None = None) -> Secret:
    """Make a new token, in the format of the policy, and its digest.

    ``of`` is a credential that gets another secret: key id and brand stay.
    """
    form, brand = Format.NATIVE, settings.INSTALLATION.brand
    if kind in _ORGANIZATIONS_OWN:
        form, brand = Format(policy.credentials_format), brand_of(policy)
    if of is not None and of.format != Format.IMPORTED:
        brand = of.brand
    token = mint_as(form, kind, brand, None if of is None else of.kid)
    active = peppers().active
    return Secret(
        token.kid,
        token.brand,
        active.digest(token.as_bytes()),
        active.id,
        token,
        format=form,
        last_characters=last(form, token.reveal(), policy.credentials_mask_last),
    )


@dataclass(frozen=True, slots=True)
class Held:
    """What the holder of a native token says of it: key id, SHA-256 of the whole in hexadecimal, brand."""

    kid: str
    sha256: str
    brand: str


def secret_of_holder(policy: Policy, held: Held, of: Credential | None = None) -> Secret:
    """Return what is kept of a token that its holder made and never sends: its digest, wrapped.

    ``of`` is a credential that gets another secret. Refuses what is no digest, a key id that is taken,
    another brand than the organization's, and a format whose tokens name no key id.
    """
    if policy.credentials_format != Format.NATIVE:
        raise Refused("state_conflict", "only tokens of the native format are made by their holder")
    brand = brand_of(policy) if of is None or of.format == Format.IMPORTED else of.brand
    if held.brand != brand:
        raise Refused("invalid_value", f"tokens begin with {brand} here", field="digest.prefix")
    if not is_kid(held.kid) or held.kid.startswith(EXAMPLE_KID_PREFIX):
        raise Refused("invalid_value", "12 base62 characters, drawn at random", field="digest.key_id")
    if re.fullmatch(r"[0-9a-f]{64}", held.sha256, re.ASCII) is None:
        raise Refused("invalid_value", "64 hexadecimal characters in lower case", field="digest.value")
    if of is not None and of.kid != held.kid:
        raise Refused("invalid_value", f"the key id stays: {of.kid}", field="digest.key_id")
    if of is None and Credential.objects.filter(kid=held.kid).exists():
        raise Refused("duplicate_name", "this key id is taken; draw another one", field="digest.key_id")
    active = peppers().active
    return Secret(held.kid, brand, active.wrap(SHA256, bytes.fromhex(held.sha256)), active.id, scheme=SHA256)


def brand_of(policy: Policy) -> str:
    """Return the brand of an organization's tokens: its own, or that of the installation."""
    installed: str = settings.INSTALLATION.brand
    return installed if policy.credentials_prefix == DEFAULT_BRAND else policy.credentials_prefix


def make(
    tx: Transaction,
    organization_id: str,
    principal: Principal | None,
    kind: Kind,
    name: str,
    ends: rules.Expiry,
    *,
    rotated_from: str = "",
    secret: Secret | None = None,
    restrictions: dict[str, Any] | None = None,
    claim: str | None = None,
) -> Issued:
    """Write the row of a new credential. ``claim`` keeps its name from being given twice."""
    policy = policy_of(organization_id, "" if principal is None else principal.environment)
    secret = secret or mint_secret(policy, kind)
    made = Credential.objects.create(
        id=f"{_ID_PREFIX[kind]}_{secret.kid}",
        kid=secret.kid,
        kind=kind.value,
        brand=secret.brand,
        organization_id=organization_id,
        principal=principal,
        name=name,
        name_folded=names.fold(name),
        name_claim=claim,
        format=secret.format.value,
        last_characters=secret.last_characters,
        digest=secret.digest,
        pepper_id=secret.pepper_id,
        scheme=secret.scheme,
        restrictions=restrictions or {},
        issued_at=tx.now,
        issued_by=tx.actor.id,
        expires_at=ends.at,
        rotate_by=rules.rotate_by(tx.now, ends.at, policy),
        rotated_from=rotated_from,
    )
    after: dict[str, Any] = {
        "name": name,
        "account": made.principal_id,
        "expires_at": text(ends.at),
        "rotated_from": rotated_from or None,
    }
    after |= {"restrictions": restrictions} if restrictions else {}
    say(tx, made, "issued", before={}, after=after)
    if not secret.format.names_key and secret.digest:
        lookups.add(tx, made, secret.digest)
    return Issued(made, secret.token, ends)


def put_secret(tx: Transaction, key: Credential, secret: Secret, event: str) -> Issued:
    """Give a credential another secret; what becomes of the one before is decided by the caller."""
    before, was = {"pepper": key.pepper_id}, bytes(key.digest)
    key.digest, key.pepper_id, key.scheme = secret.digest, secret.pepper_id, secret.scheme
    key.format, key.last_characters = secret.format.value, secret.last_characters
    key.brand = secret.brand
    key.save()
    SlowHash.objects.filter(credential=key).delete()
    after: dict[str, Any] = {"pepper": key.pepper_id}
    if key.previous:
        after["previous_valid_until"] = key.previous[-1]["valid_until"]
    tx.record(event, key.id, name=called(key), organization=key.organization_id, before=before, after=after)
    tx.touch(RecordKind.CREDENTIAL, key.kid)
    if was.hex() not in [each["digest"] for each in key.previous]:
        lookups.remove(tx, key, was)
    if not secret.format.names_key:
        lookups.add(tx, key, secret.digest)
    return Issued(key, secret.token, rules.Expiry(key.expires_at, "unchanged"))


def keep_previous(key: Credential, until: datetime, now: datetime) -> None:
    """Let the present digest be accepted until ``until``, beside the one that takes its place."""
    if not bytes(key.digest):
        return  # Only a slow hash was known of it, and that is gone with it.
    kept = [each for each in key.previous if datetime.fromisoformat(each["valid_until"]) > now]
    present = {
        "digest": bytes(key.digest).hex(),
        "pepper_id": key.pepper_id,
        "scheme": key.scheme,
        "valid_until": text(until),
    }
    key.previous = [*kept, present][-PREVIOUS_KEPT:]


def say(
    tx: Transaction, key: Credential, verb: str, *, before: dict[str, Any], after: dict[str, Any]
) -> None:
    event = f"{_NOUN[Kind(key.kind)]}.{verb}"
    tx.record(event, key.id, name=called(key), organization=key.organization_id, before=before, after=after)
    tx.touch(RecordKind.CREDENTIAL, key.kid)


def called(key: Credential) -> str:
    """Return what a credential is called in the audit log: ``etl/k1``; a node's has the node's name."""
    return key.name if key.principal is None else f"{key.principal.handle}/{key.name}"


def noun(key: Credential) -> str:
    """Return what events call a credential of this kind: ``key``, ``pat``, ``ingest_token``."""
    return _NOUN[Kind(key.kind)]


def end(key: Credential, reason: str, text: str, tx: Transaction) -> None:
    key.state = "revoked"
    key.reason = reason
    key.reason_text = text
    key.revoked_at = tx.now
    key.revoked_by = tx.actor.id


def text(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


@lru_cache(maxsize=4)
def _peppers(path: Path) -> pepper.Peppers:
    return pepper.load(path)


def peppers() -> pepper.Peppers:
    """Return the peppers of this installation."""
    return _peppers(settings.INSTALLATION.pepper_file)
