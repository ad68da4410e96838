"""The document of an organization's access, as the API takes and answers it."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    AfterValidator,
    Discriminator,
    Field,
    SerializerFunctionWrapHandler,
    Tag,
    model_serializer,
)

from retinue.server import instants
from retinue.server.api import schemas
from retinue.server.api.answers import instant
from retinue.server.api.collecting import Condition
from retinue.server.errors import Refused

#: Objects in one section of a document.
MOST = 10_000


def _end(text: str) -> str:
    try:
        return str(instant(instants.read(text, "expires_at")))
    except Refused as refused:
        raise ValueError(refused.detail) from None  # pydantic adds where it stands


#: When something ends by itself, as the documents of this server write it.
End = Annotated[str, AfterValidator(_end)]


class Ending(schemas.Body):
    """A role or member that ends by itself."""

    name: str
    expires_at: End


#: A role or member: its name, or its name and its end.
Held = Annotated[
    Annotated[str, Tag("name")] | Annotated[Ending, Tag("ending")],
    Discriminator(lambda given: "name" if isinstance(given, str) else "ending"),
]


class GrantEntry(schemas.Body):
    """A permission that is held directly, and on which resources."""

    permission: str
    resource: Any = Field("*", description="As in grants: `*`, `own`, `team`, `{ids}` or `{where}`.")
    expires_at: End | None = None
    justification: str = ""


class PolicyEntry(schemas.Body):
    """The policy document: a preset and what differs from it."""

    preset: str
    overrides: dict[str, Any] = {}
    environments: dict[str, dict[str, Any]] = {}


class UserEntry(schemas.Body):
    """A person, by e-mail address."""

    email: str
    name: str = ""
    state: Literal["enabled", "disabled"] = "enabled"
    roles: list[Held] = []
    grants: list[GrantEntry] = []


class RoleEntry(schemas.Body):
    """A role, by handle."""

    handle: str
    name: str = ""
    description: str = ""
    bypass_scopes: bool = False
    permissions: list[str] = []
    like: str | None = Field(None, description="The native role whose permissions it has.")
    grants: list[GrantEntry] = []
    is_kept: bool = Field(False, description="Comes with the preset and is never pruned.")


class GroupEntry(schemas.Body):
    """A group, by name."""

    name: str
    description: str = ""
    rule: Literal["", "users", "service_accounts", "all", "condition"] = ""
    match: Literal["all", "any"] = "all"
    conditions: list[Condition] = []
    members: list[Held] = Field([], description="`user:ada@acme.example`, `account:etl`.")
    roles: list[Held] = []
    grants: list[GrantEntry] = []
    is_kept: bool = False


class TeamEntry(GroupEntry):
    """A team, by name, and its resources."""

    resources: list[str] = []


class AccountEntry(schemas.Body):
    """A service account, by handle. Its keys are not in it."""

    handle: str
    id: str = Field("", description="Which of them, where several have the handle.")
    name: str = ""
    description: str = ""
    purpose: str = ""
    documentation: str = ""
    environment: str = ""
    systems: list[str] = []
    attributes: dict[str, Any] = {}
    owners: list[str] = Field([], description="E-mail addresses.")
    state: Literal["enabled", "disabled"] = "enabled"
    roles: list[Held] = []
    grants: list[GrantEntry] = []

    @model_serializer(mode="wrap")
    def _without_id(self, handler: SerializerFunctionWrapHandler):  # type: ignore[no-untyped-def]
        found = handler(self)
        if not self.id:
            found.pop("id", None)
        return found


class AccessPolicyEntry(schemas.Body):
    """An access policy, by name."""

    name: str
    description: str = ""
    match: Literal["all", "any"] = "all"
    conditions: list[Condition] = []
    subjects: list[str] = Field([], description="`user:…`, `account:…`, `group:…`, `team:…`.")
    enabled: bool = True
    locked: bool = False
    roles: list[Held] = []
    grants: list[GrantEntry] = []
    is_kept: bool = False


class Document(schemas.Body):
    """An organization's access: everything but secrets. A section that is left out is not looked at."""

    version: Literal[1] = 1
    policy: PolicyEntry | None = None
    users: list[UserEntry] = Field([], max_length=MOST)
    roles: list[RoleEntry] = Field([], max_length=MOST)
    groups: list[GroupEntry] = Field([], max_length=MOST)
    teams: list[TeamEntry] = Field([], max_length=MOST)
    service_accounts: list[AccountEntry] = Field([], max_length=MOST)
    access_policies: list[AccessPolicyEntry] = Field([], max_length=MOST)


class PlanConfiguration(schemas.WithReason):
    """A document to compare with what is there."""

    MOST_ITEMS: ClassVar[int] = MOST

    document: Document
    prune: bool = Field(False, description="Delete what is there and not in the document; people never.")
    justification: str = ""


class ApplyConfiguration(PlanConfiguration):
    """A document to apply, and the digest of the plan that was looked at."""

    digest: str
    accept: int = Field(0, description="How many accounts and credentials may break by a stricter policy.")


class PlannedField(schemas.Answer):
    """One field of a step."""

    field: str
    before: Any
    after: Any


class PlannedStep(schemas.Answer):
    """One change of a plan."""

    act: Literal["create", "update", "delete"]
    section: str
    key: str
    fields: list[PlannedField]


class Obstacle(schemas.Answer):
    """Why a plan could not be applied now."""

    code: str
    detail: str
    field: str | None
    required: list[str]


class ConfigurationPlan(schemas.Answer):
    """What a document would change."""

    steps: list[PlannedStep]
    digest: str
    needs: list[str] = Field(description="The permissions that applying it needs.")
    broken_total: int = Field(description="Accounts and credentials that a stricter policy would break.")
    refused: Obstacle | None = Field(description="What would refuse it, if anything.")


class ConfigurationApplied(schemas.Answer):
    """What was changed."""

    steps: list[PlannedStep]
    digest: str
