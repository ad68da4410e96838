"""Lookup records: how a token that does not name its key id finds its credential.

They are rows of their own, since a credential may be found in several ways at a time: by the digest of its
token, and by that of its former token while this is still accepted.
"""

from __future__ import annotations

from retinue.pepper import lookup_key
from retinue.replica import records
from retinue.replica.records import Kind
from retinue.server.credentials.models import Credential, ImportScheme, Lookup
from retinue.server.errors import Refused
from retinue.server.ledger.feed import Selection, narrow, select
from retinue.server.ledger.transaction import Transaction


def add(tx: Transaction, credential: Credential, digest: bytes) -> None:
    """Let tokens with this keyed digest find ``credential``. Refuses a digest that finds another one."""
    add_key(tx, credential, lookup_key(digest))


def add_key(tx: Transaction, credential: Credential, key: str) -> None:
    """Let ``key`` find ``credential``. Refuses one that finds another credential."""
    row, _ = Lookup.objects.get_or_create(key=key, defaults={"credential": credential})
    if row.credential_id != credential.id:
        raise Refused("state_conflict", "another credential has this token already")
    tx.touch(Kind.LOOKUP, key)


def remove(tx: Transaction, credential: Credential, digest: bytes | None = None) -> None:
    """Forget the lookups of ``credential``: that of one digest, or all of them."""
    rows = Lookup.objects.filter(credential=credential)
    if digest is not None:
        rows = rows.filter(key=lookup_key(digest))
    for key in rows.values_list("key", flat=True):
        tx.touch(Kind.LOOKUP, key)
    rows.delete()


def lookups(selection: Selection) -> dict[str, bytes]:
    """Return the lookup records by key."""
    statement = """
        SELECT l.key, c.kid FROM credentials_lookup l JOIN credentials_credential c ON c.id = l.credential_id
        WHERE true
    """
    rows = select(statement, "l.key", selection)
    return {key: records.encode(records.Lookup(kid)) for key, kid in rows}


def import_schemes(selection: Selection) -> dict[str, bytes]:
    """Return the records of import schemes by id."""
    rows = narrow(ImportScheme.objects.all(), "id", selection)
    return {row.id: records.encode(_scheme(row)) for row in rows}


def _scheme(row: ImportScheme) -> records.ImportScheme:
    return records.ImportScheme(
        id=row.id,
        organization=row.organization_id,
        algorithm=row.algorithm,
        prefix=row.prefix,
        sealed=bytes(row.sealed),
        pepper_id=row.pepper_id,
        public=row.public,
    )
