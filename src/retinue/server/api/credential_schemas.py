"""What operations on credentials of every kind take and answer."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from retinue.server.api import schemas

State = Literal["active", "suspended", "revoked", "deleted"]
Status = Literal[
    "active",
    "idle",
    "never_used",
    "expiring",
    "retiring",
    "expired",
    "blocked",
    "suspended",
    "revoked",
    "deleted",
    "usable",
]
EXPIRES = "A duration (`90d`), an RFC 3339 instant, or `never`."


class TimeWindow(schemas.Answer):
    """A span of each of some days; one that ends before it starts goes on into the next day."""

    days: list[str] = Field([], description="mon to sun; none: every day.")
    start: str = Field("00:00", description="Hours and minutes.")
    end: str = Field("24:00", description="Not contained.")
    zone: str = Field("UTC", description="Name in the time zone database.")


class Restrictions(schemas.Answer):
    """What a credential is narrowed to; an empty list narrows nothing."""

    networks: list[str] = Field([], description="CIDR networks.")
    endpoints: list[str] = Field([], description="Paths; `/reports/*` also covers what stands below.")
    methods: list[str] = Field([], description="HTTP methods.")
    times: list[TimeWindow] = []

    def given(self) -> dict[str, Any]:
        """Return them as plain data."""
        return self.model_dump()


class Key(schemas.Answer):
    """A credential. It never holds the token."""

    id: str
    key_id: str
    kind: Literal["api_key", "personal_access_token", "ingest_token"]
    account: schemas.PrincipalRef | None = Field(description="`null` for an ingest token.")
    account_state: Literal["enabled", "disabled", "deleted"] | None
    name: str
    format: str
    display: str
    state: State
    status: str
    reason: str | None
    reason_text: str | None
    restrictions: Restrictions
    issued_at: str
    issued_by: schemas.PrincipalRef | None
    expires_at: str | None
    rotate_by: str | None
    retires_at: str | None
    retires_on: Literal["deadline", "first_use"] | None
    rotated_from: str | None
    rotated_to: str | None
    regenerated_at: str | None
    previous_until: str | None = Field(description="Until then the secret before the last is accepted.")
    suspended_at: str | None
    revoked_at: str | None
    revoked_by: schemas.PrincipalRef | None
    restored_at: str | None
    first_used_at: str | None
    last_used_at: str | None
    use_count: int


class KeyList(schemas.Answer):
    """A page of credentials, the newest first."""

    items: list[Key]
    next: str | None


class EffectiveExpiry(schemas.Answer):
    """When a credential ends, and which rule decided it."""

    at: str | None
    because: str = Field(
        description="requested, default, maximum, environment, personal_maximum, or unchanged."
    )


class IssuedKey(schemas.Answer):
    """A key with its token, which is shown here and never again."""

    key: Key
    token: str | None = Field(description="`null` if the caller made it, and sent its digest.")
    expiry: EffectiveExpiry


class IssuedPersonalToken(IssuedKey):
    """A personal access token, which is shown here and never again."""

    warning: str | None = Field(None, description="What its user should be told now.")


class ExpiringKey(schemas.Answer):
    """A key with its new end."""

    key: Key
    expiry: EffectiveExpiry


class AccountKeyFilter(schemas.ListQuery):
    """Filters of the list of an account's keys."""

    state: State | None = None
    status: Status | None = None
    name: str | None = None
    search: str | None = None


class KeyFilter(AccountKeyFilter):
    """Filters of the organization's list of keys."""

    account: str | None = Field(None, description="Id or handle of an account.")


class HeldToken(schemas.Body):
    """The digest of a token that the caller made and keeps: it is never sent."""

    algorithm: Literal["sha256"] = "sha256"
    value: str = Field(description="SHA-256 of the whole token, 64 hexadecimal characters.")
    key_id: str = Field(description="The key id in the token: 12 random base62 characters.")
    prefix: str = Field("rtn", description="What the token begins with, before its kind.")


class IssueKey(schemas.WithReason):
    """A key to issue."""

    name: str | None = None
    expires: str | None = Field(None, description=EXPIRES)
    restrictions: Restrictions | None = None
    digest: HeldToken | None = None


class RenameKey(schemas.WithReason):
    """Another name for a key."""

    name: str


class RotateKey(schemas.WithReason):
    """A rotation."""

    overlap: str | None = Field(None, description="How long the old key is still accepted: `24h`, `0s`.")
    name: str | None = None
    expires: str | None = Field(None, description=EXPIRES)
    compromised: bool = Field(False, description="The old key ends at once, for good.")
    digest: HeldToken | None = None


class ExtendRotation(schemas.WithReason):
    """A longer overlap of a rotation that runs."""

    by: str = Field(description="How much longer the old key is accepted: `1h`.")


class RegenerateKey(schemas.WithReason):
    """A new secret under the same id."""

    overlap: str | None = Field(None, description="How long the old token is still accepted: `1h`, `0s`.")
    compromised: bool = Field(False, description="The old token ends at once.")
    digest: HeldToken | None = None


class ExpireKey(schemas.WithReason):
    """Another end."""

    expires: str = Field(
        "now", description="`now`, a duration from now (`30d`), an RFC 3339 instant, `never`."
    )


class RestrictKey(schemas.WithReason):
    """All restrictions from now on."""

    restrictions: Restrictions


class RevokeKey(schemas.WithReason):
    """Why a credential ends: the kind of reason, and the reason in words."""

    reason: str = "no_longer_needed"
    text: schemas.Reason = ""

    @property
    def why(self) -> str:
        """What the events of the change give as its reason."""
        return self.text
