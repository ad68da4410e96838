"""What the operations of the policy take and answer."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from retinue.server.api import schemas
from retinue.server.policies import presets


class Policy(schemas.Answer):
    """The document, and the value in force of every key."""

    organization: str
    version: int
    preset: str
    overrides: dict[str, Any]
    environments: dict[str, dict[str, Any]]
    in_force: dict[str, Any]
    waiting: list[str] = Field(description="What the preset says otherwise and nothing enforces yet.")
    consequences: list[str] = Field(description="What the values in force mean, in words.")
    changed_at: str | None
    changed_by: str | None


class PolicyDocument(schemas.Body):
    """A whole document."""

    preset: str = presets.NATIVE
    overrides: dict[str, Any] = {}
    environments: dict[str, dict[str, Any]] = {}


class PolicyChange(schemas.WithReason):
    """A change: a whole document, or another preset, keys to set and keys to give back to the preset."""

    document: PolicyDocument | None = Field(None, description="The whole document, instead of the rest.")
    preset: str | None = None
    set: dict[str, Any] = Field({}, description="Values by key; of an object, the members to set.")
    unset: list[str] = Field([], description="Keys that the preset, or native, decides again.")
    environment: str | None = Field(None, description="Label whose values `set` and `unset` mean.")
    version: int | None = Field(None, ge=0, description="The version that was seen; any other is refused.")


class ChangePolicy(PolicyChange):
    """A change, and how many objects may break by it, as its dry run has counted them."""

    accept: int = Field(0, ge=0, description="So many accounts and credentials may break, as `check` says.")


class ChangedKey(schemas.Answer):
    """A key whose value in force differs."""

    key: str
    before: Any
    after: Any


class BrokenObject(schemas.Answer):
    """What a change would break, and its live use."""

    key: str
    kind: str
    id: str
    name: str
    effect: Literal["refused", "shortened", "finding"] = Field(
        description="It works no longer or can do less; it gets an earlier end; it goes on as it is."
    )
    why: str
    last_used_at: str | None
    use_count: int


class PolicyCheck(schemas.Answer):
    """What a change would do."""

    version: int
    changed: list[ChangedKey]
    broken: list[BrokenObject]
    broken_total: int
    consequences: list[str]


class PolicyPreset(schemas.Answer):
    """A ready policy: what it says other than the native one."""

    name: str
    values: dict[str, Any]
    waiting: list[str]


class PolicyPresets(schemas.Answer):
    """All presets."""

    items: list[PolicyPreset]
    next: None


class PolicyKey(schemas.Answer):
    """A key of the document."""

    name: str
    allowed: str
    default: Any
    meaning: str
    enforced: bool
    by_environment: bool


class PolicyKeys(schemas.Answer):
    """All keys."""

    items: list[PolicyKey]
    next: None


class PolicyVersion(schemas.Answer):
    """One version of the document."""

    id: str
    version: int
    preset: str
    overrides: dict[str, Any]
    environments: dict[str, dict[str, Any]]
    changed: list[str]
    reason: str | None
    created_at: str
    created_by: str | None


class PolicyVersions(schemas.Answer):
    """A page of the versions, the newest first."""

    items: list[PolicyVersion]
    next: str | None
