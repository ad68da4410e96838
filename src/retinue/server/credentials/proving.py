"""The first token that is presented for a key of which only a slow hash is known.

The hash stands sealed under the pepper until then: who reads the database cannot try tokens against it, and
who writes it cannot plant one. When it fits, our own digest takes its place, and it is forgotten.
"""

from __future__ import annotations

from retinue.foreign import public_key
from retinue.replica.records import Kind as RecordKind
from retinue.sealing import seal, unseal
from retinue.server.credentials import lookups, slow
from retinue.server.credentials.models import Credential, ImportScheme, Lookup, SlowHash
from retinue.server.credentials.writing import called, peppers
from retinue.server.errors import Refused
from retinue.server.ledger.transaction import Actor, Transaction, transaction


def keep(tx: Transaction, key: Credential, by: ImportScheme, public: str, text: str) -> None:
    """Keep the hash of a new key, and let the public part of its token find it."""
    active = peppers().active
    SlowHash.objects.create(credential=key, sealed=seal(active, text.encode(), key.id), pepper_id=active.id)
    lookups.add_key(tx, key, public_key(active, by.id, public.encode()))


def known(by: ImportScheme, public: str) -> Credential | None:
    """Return the key that the public part of a token finds already."""
    keys = [public_key(each, by.id, public.encode()) for each in peppers().all]
    row = Lookup.objects.filter(key__in=keys).select_related("credential").first()
    return None if row is None else row.credential


def forget(key: Credential) -> None:
    """Drop the hash of a key that has a digest of ours now."""
    SlowHash.objects.filter(credential=key).delete()


def fits(kid: str, token: bytes) -> bool:
    """Tell whether the hash that is kept for a key was made of this token. Takes up to a second."""
    row = SlowHash.objects.select_related("credential").filter(credential__kid=kid).first()
    if row is None:
        return False
    pepper = peppers().get(row.pepper_id)
    opened = None if pepper is None else unseal(pepper, bytes(row.sealed), row.credential_id)
    if opened is None:
        return False
    algorithm = ImportScheme.objects.get(id=row.credential.scheme).algorithm
    return slow.is_genuine(algorithm, opened.decode(), token)


def put(actor: Actor, kid: str, token: bytes) -> None:
    """Put our own digest of a token in the place of the hash that it fits; again it changes nothing."""
    with transaction(actor) as tx:
        key = Credential.objects.select_for_update(no_key=True).get(kid=kid)
        if bytes(key.digest) or key.state == "deleted":
            return
        active = peppers().active
        key.digest, key.pepper_id, key.scheme = active.digest(token), active.id, ""
        key.save()
        try:
            lookups.add(tx, key, bytes(key.digest))
        except Refused:
            # Imported twice, by different hashes: the token is the other key's already.
            raise Refused("state_conflict", "another credential has this token already") from None
        forget(key)
        tx.record("key.proven", key.id, name=called(key), organization=key.organization_id)
        tx.touch(RecordKind.CREDENTIAL, key.kid)
