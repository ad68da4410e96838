"""How a credential's row is made and changed, and what is said of it in the ledger.

The plain token exists in :class:`Issued`, on its way to the answer; rows hold keyed digests.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from django.conf import settings

from retinue import pepper
from retinue.replica.records import Kind as RecordKind
from retinue.server.credentials import rules
from retinue.server.credentials.models import Credential
from retinue.server.directory import rules as names
from retinue.server.directory.queries import Principal
from retinue.server.ledger.transaction import Transaction
from retinue.server.policies.policy import policy_of
from retinue.token import Kind, Token, mint

_ID_PREFIX = {Kind.API_KEY: "key", Kind.PERSONAL: "pat", Kind.NODE: "nkey", Kind.SETUP: "boot"}
_NOUN = {
    Kind.API_KEY: "key",
    Kind.PERSONAL: "pat",
    Kind.NODE: "node_credential",
    Kind.SETUP: "setup_code",
}


@dataclass(frozen=True, slots=True)
class Issued:
    """A credential with its token (shown once), and which rule decided its end."""

    credential: Credential
    token: Token
    expiry: rules.Expiry


def make(
    tx: Transaction,
    organization_id: str,
    principal: Principal | None,
    kind: Kind,
    name: str,
    ends: rules.Expiry,
    *,
    rotated_from: str = "",
) -> Issued:
    token = mint(kind, settings.INSTALLATION.brand)
    active = peppers().active
    made = Credential.objects.create(
        id=f"{_ID_PREFIX[kind]}_{token.kid}",
        kid=token.kid,
        kind=kind.value,
        brand=token.brand,
        organization_id=organization_id,
        principal=principal,
        name=name,
        name_folded=names.fold(name),
        digest=active.digest(token.as_bytes()),
        pepper_id=active.id,
        issued_at=tx.now,
        issued_by=tx.actor.id,
        expires_at=ends.at,
        rotate_by=rules.rotate_by(tx.now, ends.at, policy_of(organization_id)),
        rotated_from=rotated_from,
    )
    after = {
        "name": name,
        "account": made.principal_id,
        "expires_at": text(ends.at),
        "rotated_from": rotated_from or None,
    }
    say(tx, made, "issued", before={}, after=after)
    return Issued(made, token, ends)


def replace_secret(tx: Transaction, key: Credential, event: str) -> Issued:
    kind = Kind(key.kind)
    token = mint(kind, key.brand, kid=key.kid)
    active, before_id = peppers().active, key.pepper_id
    key.digest = active.digest(token.as_bytes())
    key.pepper_id = active.id
    key.save()
    before, after = {"pepper": before_id}, {"pepper": key.pepper_id}
    tx.record(event, key.id, name=called(key), organization=key.organization_id, before=before, after=after)
    tx.touch(RecordKind.CREDENTIAL, key.kid)
    return Issued(key, token, rules.Expiry(key.expires_at, "unchanged"))


def say(
    tx: Transaction, key: Credential, verb: str, *, before: dict[str, Any], after: dict[str, Any]
) -> None:
    event = f"{_NOUN[Kind(key.kind)]}.{verb}"
    tx.record(event, key.id, name=called(key), organization=key.organization_id, before=before, after=after)
    tx.touch(RecordKind.CREDENTIAL, key.kid)


def called(key: Credential) -> str:
    """Return what a credential is called in the audit log: ``etl/k1``; a node's has the node's name."""
    return key.name if key.principal is None else f"{key.principal.handle}/{key.name}"


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
