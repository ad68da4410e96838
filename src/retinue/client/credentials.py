"""Credentials as the API answers them: keys, personal access tokens, ingest tokens. None holds its token."""

from __future__ import annotations

from msgspec import UNSET, Struct, UnsetType, field

from retinue.client.basics import PrincipalRef, Receipt, Secret


class TimeWindow(Struct):
    """A span of some days of the week."""

    days: list[str] = field(default_factory=list)
    start: str = ""
    end: str = ""
    zone: str = ""


class Restrictions(Struct):
    """What a credential is narrowed to."""

    networks: list[str] = field(default_factory=list)
    endpoints: list[str] = field(default_factory=list)
    methods: list[str] = field(default_factory=list)
    times: list[TimeWindow] = field(default_factory=list)


class Key(Struct, kw_only=True):
    """An API key of a service account, without its secret."""

    id: str
    key_id: str
    kind: str = "api_key"
    account: PrincipalRef | None = None
    account_state: str | None = None
    name: str
    format: str = "native"
    display: str = ""
    state: str
    status: str = ""
    reason: str | None = None
    reason_text: str | None = None
    restrictions: Restrictions = field(default_factory=lambda: Restrictions())
    issued_at: str | None = None
    issued_by: PrincipalRef | None = None
    expires_at: str | None = None
    rotate_by: str | None = None
    retires_at: str | None = None
    retires_on: str | None = None
    previous_until: str | None = None
    rotated_from: str | None = None
    rotated_to: str | None = None
    revoked_at: str | None = None
    revoked_by: PrincipalRef | None = None
    first_used_at: str | None = None
    last_used_at: str | None = None
    use_count: int = 0
    receipt: Receipt | UnsetType = UNSET


class Expiry(Struct, kw_only=True):
    """When a new key ends, and why then."""

    at: str | None = None
    because: str = ""


class IssuedKey(Struct, kw_only=True):
    """A new key (or a new secret of one) with its token, which is told this once."""

    key: Key
    #: ``None`` if the caller made the token, and sent its digest.
    token: Secret | None
    expiry: Expiry = field(default_factory=Expiry)
    #: What its holder should be told now.
    warning: str | None = None
    receipt: Receipt | UnsetType = UNSET


class ExpiringKey(Struct, kw_only=True):
    """A key with its new end."""

    key: Key
    expiry: Expiry = field(default_factory=Expiry)
    receipt: Receipt | UnsetType = UNSET


class ImportItem(Struct, kw_only=True):
    """What became, or would become, of one imported key."""

    account: str
    name: str
    result: str
    id: str | None = None
    expires_at: str | None = None
    code: str | None = None
    field: str | None = None
    detail: str | None = None


class ImportResult(Struct, kw_only=True):
    """What became of each key of an import."""

    preview: bool
    done: int
    unchanged: int
    refused: int
    items: list[ImportItem]
    receipt: Receipt | UnsetType = UNSET


class Compromised(Struct, kw_only=True):
    """What a compromise ends, or has ended."""

    id: str
    credentials: int
    in_use: int = 0
    last_used_at: str | None = None
    items: list[Key] = field(default_factory=list)
    receipt: Receipt | UnsetType = UNSET


class Identified(Struct, kw_only=True):
    """Which credential a token is."""

    key: Key
    accepted: bool
    reason: str | None = None


class ConversionPlan(Struct, kw_only=True):
    """What a token was used for."""

    token: Key
    permissions: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


class Converted(Struct, kw_only=True):
    """The service account that takes the place of a token, with its key."""

    account: PrincipalRef
    key: Key
    token: Secret | None
    expiry: Expiry = field(default_factory=Expiry)
    permissions: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    replaced: Key
    receipt: Receipt | UnsetType = UNSET
