"""What operations on credentials of every kind share: a new token is told, one of the caller is taken in."""

from __future__ import annotations

from retinue.server.api import render, schemas
from retinue.server.api.answers import instant
from retinue.server.api.call import Call
from retinue.server.api.credential_schemas import HeldToken, RegenerateKey, RotateKey
from retinue.server.credentials import actions, rules, writing
from retinue.server.credentials.queries import Credential
from retinue.server.credentials.writing import Issued, Secret
from retinue.server.policies.queries import policy_of
from retinue.server.policies.words import personal_token_warning
from retinue.token import Kind


def issued(call: Call, made: Issued) -> schemas.JSON:
    """Return the answer that holds a token, and let a repetition of the call replace it."""
    if made.made is not None:
        call.credential = made.credential.id
    told: schemas.JSON = {}
    if made.credential.kind == Kind.PERSONAL.value:
        told["warning"] = personal_token_warning(policy_of(call.organization))
    return {
        **told,
        "key": render.keys([made.credential], call.now)[0],
        "token": None if made.made is None else made.token.reveal(),
        "expiry": {"at": instant(made.expiry.at), "because": made.expiry.because},
    }


def ended(call: Call, key: Credential, end: rules.Expiry) -> schemas.JSON:
    """Return a credential with its new end."""
    return {
        "key": render.keys([key], call.now)[0],
        "expiry": {"at": instant(end.at), "because": end.because},
    }


def rotated(call: Call, key: Credential, body: RotateKey) -> schemas.JSON:
    """Rotate a credential and answer its successor."""
    made = actions.rotate(
        call.tx,
        key,
        overlap_seconds=overlap(body.overlap),
        name=body.name,
        expires=body.expires,
        is_compromised=body.compromised,
        secret=held(call, body.digest),
    )
    return issued(call, made)


def regenerated(call: Call, key: Credential, body: RegenerateKey) -> schemas.JSON:
    """Give a credential another secret and answer it."""
    made = actions.regenerate(
        call.tx,
        key,
        overlap_seconds=overlap(body.overlap),
        is_compromised=body.compromised,
        secret=held(call, body.digest, key),
    )
    return issued(call, made)


def one(call: Call, key: Credential) -> schemas.JSON:
    """Return a credential as the API answers it."""
    return render.keys([key], call.now)[0]


def overlap(text: str | None) -> int | None:
    """Return an overlap in seconds; ``None`` for that of the policy."""
    return None if text is None else rules.duration_seconds(text, "overlap", zero=True)


def held(call: Call, digest: HeldToken | None, of: Credential | None = None) -> Secret | None:
    """Return what is kept of a token that the caller made; ``None`` if it shall be made here."""
    if digest is None:
        return None
    told = writing.Held(digest.key_id, digest.value, digest.prefix)
    return writing.secret_of_holder(policy_of(call.organization), told, of)
