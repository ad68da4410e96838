"""A decision: allowed, or denied for one reason from a closed set.

"No" is a normal answer and therefore a value. The order of the reasons is the order of the checks.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Reason(StrEnum):
    """Why a verification was denied, in the order of the checks. The set is closed."""

    TOKEN_MISSING = "token_missing"  # noqa: S105
    SCHEME_NOT_ACCEPTED = "scheme_not_accepted"
    TOKEN_MALFORMED = "token_malformed"  # noqa: S105
    REPLICA_STALE = "replica_stale"
    TOKEN_UNKNOWN = "token_unknown"  # noqa: S105
    ORGANIZATION_DISABLED = "organization_disabled"
    ACCOUNT_DELETED = "account_deleted"
    ACCOUNT_DISABLED = "account_disabled"
    CREDENTIAL_REVOKED = "credential_revoked"
    CREDENTIAL_SUSPENDED = "credential_suspended"
    CREDENTIAL_EXPIRED = "credential_expired"
    KIND_NOT_ACCEPTED = "kind_not_accepted"
    NETWORK_NOT_ALLOWED = "network_not_allowed"
    ENDPOINT_NOT_ALLOWED = "endpoint_not_allowed"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    TIME_NOT_ALLOWED = "time_not_allowed"
    PERMISSION_MISSING = "permission_missing"
    RESOURCE_NOT_COVERED = "resource_not_covered"
    RATE_LIMITED = "rate_limited"

    @property
    def status(self) -> int:
        """The HTTP status that a protected API sends for this reason (native ``responses.status``)."""
        return _STATUS.get(self, 401)


_STATUS = {
    Reason.REPLICA_STALE: 503,
    Reason.KIND_NOT_ACCEPTED: 403,
    Reason.NETWORK_NOT_ALLOWED: 403,
    Reason.ENDPOINT_NOT_ALLOWED: 403,
    Reason.METHOD_NOT_ALLOWED: 403,
    Reason.TIME_NOT_ALLOWED: 403,
    Reason.PERMISSION_MISSING: 403,
    Reason.RESOURCE_NOT_COVERED: 403,
    Reason.RATE_LIMITED: 429,
}


#: Denials of what is no token of ours: somebody may be guessing.
GUESSES = frozenset({Reason.SCHEME_NOT_ACCEPTED, Reason.TOKEN_MALFORMED, Reason.TOKEN_UNKNOWN})


class Warning(StrEnum):
    """What a caller should know although the call is allowed."""

    EXPIRES_SOON = "expires_soon"
    RETIRING = "retiring"
    ROTATION_DUE = "rotation_due"


class Terms(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """How an organization wants its decisions told and kept.

    The statuses are what a protected API sends; ``flat`` asks for error bodies of the form ``{status_code,
    message, request_id}``. ``challenges`` are the schemes of HTTP that an answer 401 names.
    """

    unauthenticated: int = 401
    forbidden: int = 403
    limited: int = 429
    flat: bool = False
    challenges: tuple[str, ...] = ("Bearer",)

    def status(self, reason: Reason) -> int:
        """Return the HTTP status for a denial."""
        usual = reason.status
        if usual == 401:
            return self.unauthenticated
        if usual == 403:
            return self.forbidden
        return self.limited if usual == 429 else usual


#: What holds where no organization is known.
NATIVE_TERMS = Terms()


class Caller(msgspec.Struct, frozen=True, gc=False):
    """Who presented a genuine token. Instants are milliseconds since 1970 in UTC; 0 means never."""

    kind: str
    id: str
    name: str
    organization: str
    credential_id: str
    revision: int
    expires_at_ms: int = 0
    retires_at_ms: int = 0
    rotate_by_ms: int = 0
    warnings: tuple[Warning, ...] = ()
    #: The end of the access token that was presented in the place of the credential's own; 0 if it was not.
    access_until_ms: int = 0


class Quota(msgspec.Struct, frozen=True, gc=False):
    """What an account may still ask here: ``limit`` in ``window`` seconds, which end in ``reset`` seconds.

    ``retry_after`` is 0, or after how many seconds a refused call may be repeated.
    """

    limit: int
    remaining: int
    window: int
    reset: int
    retry_after: int = 0


class Allowed(msgspec.Struct, frozen=True, gc=False):
    """The token may do this, now. ``permission`` is what was asked for, ``None`` if nothing was."""

    caller: Caller
    permission: str | None = None
    terms: Terms = NATIVE_TERMS
    quota: Quota | None = None


class Denied(msgspec.Struct, frozen=True, gc=False):
    """The token may not. ``caller`` is known only for a genuine token; ``permission`` is the missing one.

    ``terms`` are those of the credential's organization, before it is known of the one that is protected.
    """

    reason: Reason
    caller: Caller | None = None
    permission: str | None = None
    terms: Terms = NATIVE_TERMS
    quota: Quota | None = None
    #: The key id whose token it may be all the same: only a slow hash of that is known.
    claim: str = ""


Decision = Allowed | Denied
