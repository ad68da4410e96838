"""The policy as rules read it: a field is a key with ``.`` written as ``_``; defaults are the native ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

DAY_SECONDS = 86_400


@dataclass(frozen=True, slots=True)
class Slug:
    """How a name becomes a slug: ``case`` is lower, ``space`` replaces spaces, ``strip`` the rest."""

    case: str = "lower"
    space: str = "-"
    strip: bool = True


@dataclass(frozen=True, slots=True)
class Attribute:
    """A typed attribute of accounts. ``type`` is text, number or flag; ``values`` limits it unless empty."""

    name: str
    type: str = "text"
    values: tuple[str, ...] = ()
    default: str | None = None


@dataclass(frozen=True, slots=True)
class CopyPermissions:
    """From what permissions may be copied on create (account, role), and in which modes (copy, link)."""

    from_: tuple[str, ...] = ("account", "role")
    modes: tuple[str, ...] = ("copy", "link")


@dataclass(frozen=True, slots=True)
class CredentialName:
    """What is asked of a credential's name; ``unique`` is account or none."""

    required: bool = True
    unique: str = "account"
    renameable: bool = True


@dataclass(frozen=True, slots=True)
class RolesPerAccount:
    """How many roles a service account holds directly."""

    min: int = 0
    max: int | None = None


@dataclass(frozen=True, slots=True)
class ForbiddenForService:
    """What a service account can never have: handles of roles and groups, names of permissions."""

    roles: tuple[str, ...] = ("owner",)
    groups: tuple[str, ...] = ()
    permissions: tuple[str, ...] = ("pat:issue", "organization:delete")


@dataclass(frozen=True, slots=True)
class Elevated:
    """What counts as elevated and what is asked when it is handed out, directly or inside a role.

    ``justification`` is required or optional, ``approval`` none or four_eyes.
    """

    permissions: tuple[str, ...] = (
        "role:create",
        "role:update",
        "role:delete",
        "grant:create",
        "grant:delete",
        "access_policy:create",
        "access_policy:update",
        "access_policy:delete",
        "policy:update",
        "credential:issue",
    )
    justification: str = "required"
    approval: str = "none"


@dataclass(frozen=True, slots=True)
class SystemGroup:
    """A group or team whose members follow a rule.

    ``kind`` is group or team; ``members`` is users, service_accounts, all or chosen (people put members in);
    ``locked`` names the parts nobody changes: membership, name, grants, deletion.
    """

    name: str
    kind: str = "group"
    members: str = "chosen"
    locked: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RoleTemplate:
    """A role that is created with the organization.

    ``like`` names the native role whose permissions it starts with; beside it stand ``permissions``.
    """

    handle: str
    name: str
    like: str = ""
    permissions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Limits:
    """The rate of one account; ``None`` where there is no limit."""

    per_minute: int | None = None
    per_second: int | None = None
    parallel: int | None = None


@dataclass(frozen=True, slots=True)
class Network:
    """CIDR lists for the whole organization; an empty ``allow`` is anywhere, ``deny`` wins."""

    allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ResponseStatus:
    """The HTTP status of a denial by the protected API."""

    unauthenticated: int = 401
    forbidden: int = 403
    limited: int = 429


@dataclass(frozen=True, slots=True)
class RequestLog:
    """What is kept of decisions. Denied ones are never sampled away."""

    enabled: bool = True
    retention_days: int = 90
    sample_allowed: float = 1.0


@dataclass(frozen=True, slots=True)
class AuditLog:
    """How long events are kept; ``None`` is for ever."""

    retention_days: int | None = None


@dataclass(frozen=True, slots=True)
class Reviews:
    """Rhythm of access reviews; ``no_answer`` is report or disable."""

    every_days: int = 90
    grace_days: int = 14
    no_answer: str = "disable"


PEOPLE = SystemGroup("People", members="users", locked=("membership", "name", "grants", "deletion"))
SERVICE_ACCOUNTS = SystemGroup(
    "Service accounts", members="service_accounts", locked=("membership", "name", "deletion")
)
NATIVE_ROLES = tuple(
    RoleTemplate(handle, name, like=handle)
    for handle, name in (
        ("owner", "Owner"),
        ("administrator", "Administrator"),
        ("access-manager", "Access manager"),
        ("auditor", "Auditor"),
        ("member", "Member"),
    )
)
FINDING_KINDS = (
    "ownerless",
    "undocumented",
    "naming",
    "no_expiry",
    "expires_soon",
    "rotation_due",
    "rotation_stalled",
    "policy_violation",
    "idle_account",
    "idle_credential",
    "never_used",
    "over_permitted",
    "expired_in_use",
    "disabled_in_use",
    "pat_in_production",
    "shared_token",
    "new_network",
    "unexpected_use",
    "repeated_denials",
    "elevated_unjustified",
    "leaked",
)


@dataclass(frozen=True, slots=True)
class Policy:
    """The settings of one organization, in one environment."""

    preset: str = "native"
    features_service_accounts: bool = True
    terminology: str = "retinue"

    accounts_id_template: str = "{slug}"
    accounts_slug: Slug = Slug()
    accounts_unique: str = "handle"
    accounts_name_pattern: str | None = None
    accounts_max: int | None = None
    accounts_required: tuple[str, ...] = ("name", "owner", "purpose")
    accounts_attributes: tuple[Attribute, ...] = ()
    accounts_list_with_users: str = "separate"
    accounts_initial_credential: str = "prompt"
    accounts_copy_permissions: CopyPermissions = CopyPermissions()
    accounts_approval: str = "none"
    accounts_restore_days: int = 30
    accounts_disable_confirm: str = "dialog"
    accounts_delete_bulk: bool = False
    idle_days: int | None = 90
    idle_action: str = "report"

    credentials_format: str = "native"
    credentials_prefix: str = "rtn"
    credentials_schemes: tuple[str, ...] = ("bearer",)
    credentials_reveal: str = "once"
    credentials_mask_last: int = 0
    credentials_name: CredentialName = CredentialName()
    credentials_max_usable: int | None = 10
    credentials_restrictions: tuple[str, ...] = ("endpoint", "method", "cidr", "time")
    credentials_self_rotation: bool = True
    credentials_exchange_seconds: int | None = None

    expiry_required: bool = True
    expiry_enforce: str = "new"
    #: Days; ``None`` stands for ``never``, as in ``expiry_default_days``.
    expiry_choices: tuple[int | None, ...] = (30, 60, 90, 180, 365)
    expiry_default_days: int | None = 90
    expiry_max_days: int | None = 365
    expiry_by_environment: Mapping[str, int] = field(
        default_factory=lambda: {"production": 365, "staging": 180, "development": 90, "testing": 30}
    )
    expiry_warn_days: tuple[int, ...] = (30, 14, 7, 1)
    rotation_modes: tuple[str, ...] = ("rotate", "regenerate")
    rotation_overlap_seconds: int = DAY_SECONDS
    rotation_regenerate_overlap_seconds: int = 0
    rotation_retire_on: str = "deadline"
    rotation_every_days: int | None = None
    rotation_lead_days: int = 14
    #: ``None``: always; 0: never.
    revoke_restore_hours: int | None = 24
    revoke_delete_requires_revoked: bool = True

    grants_sources: tuple[str, ...] = ("direct", "role", "group", "team", "policy")
    grants_roles_per_account: RolesPerAccount = RolesPerAccount()
    grants_group_roles_from: str = "any"
    grants_ceiling: bool = True
    forbidden_for_service: ForbiddenForService = ForbiddenForService()
    elevated: Elevated = Elevated()
    elevated_expires_days: int | None = None
    elevated_step_up_minutes: int | None = 15
    system_groups: tuple[SystemGroup, ...] = (PEOPLE, SERVICE_ACCOUNTS)
    default_groups: tuple[str, ...] = ()
    roles_templates: tuple[RoleTemplate, ...] = NATIVE_ROLES

    pat_enabled: bool = True
    pat_production_warning: bool = True
    pat_on_role_change: str = "follow"
    pat_on_permission_loss: str = "suspend"
    pat_admin_visibility: str = "metadata_and_revoke"
    pat_max_usable: int | None = 10
    pat_max_days: int | None = 90
    ingest_enabled: bool = False
    ingest_presentation: tuple[str, ...] = ("header",)
    limits_per_account: Limits = Limits()
    network: Network = Network()
    responses_status: ResponseStatus = ResponseStatus()
    responses_errors: str = "problem"
    request_log: RequestLog = RequestLog()
    audit_log: AuditLog = AuditLog()
    reviews: Reviews = Reviews()
    findings_kinds: tuple[str, ...] = FINDING_KINDS
    freshness_lease_seconds: int = 10


NATIVE = Policy()
