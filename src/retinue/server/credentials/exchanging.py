"""Access tokens: what a key is exchanged for, where the policy offers it. No row is written."""

from __future__ import annotations

from datetime import datetime

from retinue import access_token
from retinue.replica.records import Digest
from retinue.server.credentials.models import Credential
from retinue.server.credentials.writing import peppers
from retinue.server.errors import Refused
from retinue.server.policies.queries import policy_of
from retinue.token import Token


def exchange(credential: Credential, now: datetime) -> tuple[Token, int]:
    """Return a new access token for a key that is in force, and for how many seconds it is good.

    It never outlives the key. Refuses where the policy offers none.
    """
    seconds = policy_of(credential.organization_id).credentials_exchange_seconds
    if seconds is None:
        raise Refused("state_conflict", "credentials.exchange_seconds: this organization offers none")
    ends = int(now.timestamp()) + seconds
    for limit in (credential.expires_at, credential.retires_at):
        if limit is not None:
            ends = min(ends, int(limit.timestamp()))
    pepper = peppers().get(credential.pepper_id)
    if pepper is None:
        raise Refused("state_conflict", "the pepper of this key is not held any more: regenerate the key")
    digest = Digest(bytes(credential.digest), credential.pepper_id)
    token = access_token.make(digest, pepper, credential.brand, credential.kid, ends)
    return token, max(ends - int(now.timestamp()), 0)
