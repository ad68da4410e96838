"""Whether a credential that let a call in is still in force."""

from __future__ import annotations

from datetime import datetime

from retinue.decision import Reason
from retinue.server.credentials.models import Credential
from retinue.server.prepared import Prepared

_STATE = Prepared(
    lambda ident: Credential.objects.filter(id=ident).values_list(
        "state", "expires_at", "retires_at", "principal__state", "organization__state"
    )
)


def ended(ident: str, now: datetime) -> Reason | None:
    """Return why a credential is not in force any more, as the verifier says it; ``None`` while it is.

    For a call that was let in some time ago; one query, inside whatever transaction is open.
    """
    found = _STATE.first(ident)
    if found is None:
        return Reason.TOKEN_UNKNOWN
    state, expires_at, retires_at, account, organization = found
    if organization != "enabled":
        return Reason.ORGANIZATION_DISABLED
    if account not in (None, "enabled"):
        return Reason.ACCOUNT_DELETED if account == "deleted" else Reason.ACCOUNT_DISABLED
    if state in ("revoked", "deleted") or (retires_at is not None and retires_at <= now):
        return Reason.CREDENTIAL_REVOKED
    if state != "active":
        return Reason.CREDENTIAL_SUSPENDED
    return Reason.CREDENTIAL_EXPIRED if expires_at is not None and expires_at <= now else None
