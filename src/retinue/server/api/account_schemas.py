"""What operations on service accounts take and answer."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from retinue.server.api import schemas
from retinue.server.api.copying import CopyFrom
from retinue.server.api.credential_schemas import EXPIRES, EffectiveExpiry, Key

#: As ``status.ACCOUNT_STATUSES`` names them.
AccountStatus = Literal["deleted", "disabled", "ownerless", "idle", "attention", "active"]
#: Values by name, as the policy declares them.
Attributes = dict[str, str | int | float | bool]


class KeyCounts(schemas.Answer):
    """How many API keys an account has."""

    usable: int
    total: int


class ServiceAccount(schemas.Answer):
    """A service account."""

    id: str
    kind: Literal["service_account"]
    handle: str
    name: str
    description: str
    purpose: str
    documentation: str
    environment: str
    systems: list[str]
    attributes: dict[str, str | int | float | bool]
    owners: list[schemas.PrincipalRef]
    roles: list[str]
    state: Literal["enabled", "disabled", "deleted"]
    status: AccountStatus
    status_reason: str | None
    awaits_approval: bool
    created_at: str
    created_by: schemas.PrincipalRef | None
    updated_at: str
    keys: KeyCounts
    last_used_at: str | None


class ServiceAccountList(schemas.Answer):
    """A page of service accounts."""

    items: list[ServiceAccount]
    next: str | None


class AccountFilter(schemas.ListQuery):
    """Filters of the list of service accounts."""

    state: Literal["enabled", "disabled", "deleted"] | None = None
    handle: str | None = None
    search: str | None = None
    role: str | None = None
    owner: str | None = Field(None, description="Id or e-mail address of an owner; `me` for the caller.")
    awaits_approval: bool | None = Field(None, description="Whether a second principal has yet to approve.")
    status: AccountStatus | None = None
    environment: str | None = None
    group: str | None = Field(None, description="Id or name of a group that it is in.")
    team: str | None = Field(None, description="Id or name of a team that it is in.")
    unused_for: schemas.Whole | None = Field(
        None, ge=1, le=schemas.DAYS_MAX, description="Neither used nor made in these days."
    )
    expires_within: schemas.Whole | None = Field(
        None, ge=1, le=schemas.DAYS_MAX, description="With a key in force that ends in these days."
    )
    sort: Literal["name", "-name", "created_at", "-created_at"] = "name"


class AccountsCounted(schemas.Filters):
    """Which service accounts to count: as the filters of their list."""

    search: str | None = None
    role: str | None = None
    owner: str | None = None


class AccountCounts(schemas.Answer):
    """How many service accounts have each status; `deleted` ones can be restored for a time."""

    deleted: int
    disabled: int
    ownerless: int
    idle: int
    attention: int
    active: int


class FirstKey(schemas.Body):
    """The first key of a new account."""

    name: str | None = None
    expires: str | None = Field(None, description=EXPIRES)


class CreatedServiceAccount(ServiceAccount):
    """A new account, and its first key if one was issued with it; the token is shown here and never again."""

    key: Key | None = None
    token: str | None = None
    expiry: EffectiveExpiry | None = None


class CreateServiceAccount(schemas.WithReason):
    """A new service account."""

    name: str
    handle: str | None = None
    description: str = ""
    purpose: str = ""
    documentation: str = ""
    environment: str = ""
    systems: list[str] = []
    attributes: Attributes = {}
    owners: list[str] = Field([], description="Users, each by id, e-mail address or handle.")
    roles: list[str] = []
    permissions: list[str] = Field([], description="Permissions to grant directly.")
    groups: list[str] = Field([], max_length=100, description="Groups to be in, each by id or name.")
    teams: list[str] = Field([], max_length=100, description="Teams to be in, each by id or name.")
    justification: str = ""
    copy_from: CopyFrom | None = None
    key: FirstKey | None = Field(None, description="Issue a first key with the account.")


class UpdateServiceAccount(schemas.WithReason):
    """The fields to change; what is left out stays."""

    name: str = ""
    handle: str = ""
    description: str = ""
    purpose: str = ""
    documentation: str = ""
    environment: str = ""
    systems: list[str] = []
    attributes: Attributes = {}
    owners: list[str] = []
    roles: list[str] = []
    justification: str = ""


class Duplicate(schemas.WithReason):
    """The name of the copy."""

    name: str
    justification: str = ""
