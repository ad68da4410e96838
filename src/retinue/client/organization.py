"""What the API answers about organizations and their policy, as types."""

from __future__ import annotations

from typing import Any

from msgspec import UNSET, Struct, UnsetType, field

from retinue.client.models import PrincipalRef, Receipt, Secret, User


class Organization(Struct, kw_only=True):
    """A customer of the host, or the host itself."""

    id: str
    handle: str
    name: str = ""
    state: str = ""
    installation: bool = False
    preset: str = ""
    policy_version: int = 0
    created_at: str | None = None
    receipt: Receipt | UnsetType = UNSET


class FoundedOrganization(Struct, kw_only=True):
    """A new organization, and the token with which its first administrator begins; told this once."""

    organization: Organization
    administrator: User | None = None
    service_account: PrincipalRef | None = None
    credential_id: str = ""
    token: Secret
    expires_at: str | None = None
    page: str | None = None
    receipt: Receipt | UnsetType = UNSET


class Invitation(Struct, kw_only=True):
    """A user who is invited, with the token that is told this once."""

    user: User
    token: Secret
    expires_at: str | None = None
    page: str = ""
    receipt: Receipt | UnsetType = UNSET


class OwnedAccount(Struct, kw_only=True):
    """A service account of a user, and who else answers for it."""

    account: PrincipalRef
    state: str = ""
    other_owners: list[PrincipalRef] = field(default_factory=list)


class UserImpact(Struct, kw_only=True):
    """What hangs on a user."""

    user: User
    tokens_usable: int = 0
    tokens_used_last_30_days: int = 0
    owned: list[OwnedAccount] = field(default_factory=list)
    ownerless_without: int = 0


class Reassigned(Struct, kw_only=True):
    """The accounts that have another owner."""

    items: list[PrincipalRef]


class Policy(Struct, kw_only=True):
    """The policy of the organization: its document, and what is in force."""

    organization: str
    version: int
    preset: str
    overrides: dict[str, Any] = field(default_factory=dict)
    environments: dict[str, dict[str, Any]] = field(default_factory=dict)
    in_force: dict[str, Any] = field(default_factory=dict)
    waiting: list[str] = field(default_factory=list)
    consequences: list[str] = field(default_factory=list)
    changed_at: str | None = None
    changed_by: str | None = None
    receipt: Receipt | UnsetType = UNSET


class ChangedKey(Struct, kw_only=True):
    """A key whose value in force would differ."""

    key: str
    before: Any = None
    after: Any = None


class BrokenObject(Struct, kw_only=True):
    """An object that a change would break, with its live use."""

    key: str
    kind: str
    id: str
    name: str = ""
    effect: str = ""
    why: str = ""
    last_used_at: str | None = None
    use_count: int = 0


class PolicyCheck(Struct, kw_only=True):
    """What a change would do."""

    version: int
    changed: list[ChangedKey] = field(default_factory=list)
    broken: list[BrokenObject] = field(default_factory=list)
    broken_total: int = 0
    consequences: list[str] = field(default_factory=list)


class PolicyKey(Struct, kw_only=True):
    """A key of the policy document."""

    name: str
    allowed: str = ""
    default: Any = None
    meaning: str = ""
    enforced: bool = True
    by_environment: bool = False
    #: What is in force, filled in by who asks for both.
    value: Any = None


class PolicyPreset(Struct, kw_only=True):
    """A ready policy: what it says other than the native one."""

    name: str
    values: dict[str, Any] = field(default_factory=dict)
    waiting: list[str] = field(default_factory=list)


class PolicyVersion(Struct, kw_only=True):
    """One version of the document."""

    id: str
    version: int
    preset: str = ""
    overrides: dict[str, Any] = field(default_factory=dict)
    environments: dict[str, dict[str, Any]] = field(default_factory=dict)
    changed: list[str] = field(default_factory=list)
    reason: str | None = None
    created_at: str | None = None
    created_by: str | None = None


class DisablePreview(Struct, kw_only=True):
    """What would stop with an account; ``confirm`` is none, dialog or typed, and ``phrase`` is typed then."""

    account: PrincipalRef
    state: str = ""
    confirm: str = "dialog"
    phrase: str | None = None
    uses_24h: int = 0
    last_used_at: str | None = None
    keys_usable: int = 0


class Term(Struct, kw_only=True):
    """What one thing is called; of an act, the act and what it has become."""

    one: str
    many: str


class Terminology(Struct, kw_only=True):
    """The words that people are shown, by the name that the API has."""

    pack: str = ""
    words: dict[str, Term] = field(default_factory=dict)


class Presentation(Struct, kw_only=True):
    """What clients show to people of the organization; the parts are as the API has them."""

    terminology: Terminology = field(default_factory=Terminology)
    accounts: dict[str, Any] = field(default_factory=dict)
    keys: dict[str, Any] = field(default_factory=dict)
    personal_tokens: dict[str, Any] = field(default_factory=dict)
    warn_days: list[int] = field(default_factory=list)
    step_up_minutes: int | None = None
