"""The registry of policy keys: type, what is allowed, what it means.

Which of them are enforced stands in :mod:`retinue.server.policies.enforced`.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from retinue.presented import TAKEN
from retinue.server.policies import policy as p
from retinue.server.policies.patterns import PATTERN, is_pattern
from retinue.server.policies.terminology import PACKS
from retinue.server.policies.values import (
    Bool,
    Choice,
    ListOf,
    MapOf,
    Members,
    Number,
    OneNumber,
    OrNull,
    Text,
    Type,
    like,
)

#: Families of keys that an environment may override.
BY_ENVIRONMENT = ("expiry", "rotation", "idle", "limits", "network")
ENVIRONMENT = like(r"[a-z0-9][a-z0-9_-]{0,63}", "a label of a-z, 0-9, _ and -", most=64)

_HANDLE = like(r"[a-z0-9][a-z0-9._-]{0,62}", "a handle in lower case", most=63)
_PERMISSION = like(r"[a-z0-9_.*]+:[a-z0-9_*]+", "a permission such as report:read", most=160)
_NAME = Text("a name of 1 to 255 characters", str.strip)
_ENDPOINT_MOST = 365 * 10


@dataclass(frozen=True, slots=True)
class Key:
    """One key of the policy document."""

    name: str
    type: Type
    meaning: str

    @property
    def field(self) -> str:
        """The field of :class:`~retinue.server.policies.policy.Policy` that holds its value."""
        return self.name.replace(".", "_")

    @property
    def is_by_environment(self) -> bool:
        """Whether an environment may override it."""
        family = self.name.partition(".")[0]
        return family in BY_ENVIRONMENT and self.name != "expiry.by_environment"


def _is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text)
    except ValueError:
        return False
    return True


def _is_template(text: str) -> bool:
    return bool(re.fullmatch(r"[^{}\s]*\{(name|slug)\}[^{}\s]*", text))


def _words(*values: str) -> ListOf:
    return ListOf(Choice(values), most=len(values))


_DAYS = Number(1, _ENDPOINT_MOST)
_DAYS_OR_NULL = Number(1, _ENDPOINT_MOST, null="null")
_DAYS_OR_NEVER = Number(1, _ENDPOINT_MOST, null="never")
_SCHEME = like(
    rf"bearer|basic_pair|basic_token|apikey|header:(?!(?i:{'|'.join(sorted(TAKEN))})$)[A-Za-z0-9-]{{1,64}}",
    "bearer, basic_pair, basic_token, apikey or header:NAME, a field that means nothing else to HTTP",
)
_COUNT_OR_NULL = Number(1, 1_000_000, null="null")

_KEYS = (
    Key("features.service_accounts", Bool(), "The organization may create service accounts."),
    Key(
        "terminology",
        Choice(tuple(PACKS)),
        "The words that people are shown; never the fields of the API.",
    ),
    Key(
        "accounts.id_template",
        Text("text with {name} or {slug} in it, without spaces", _is_template, most=64),
        "How the handle of an account is made from its name.",
    ),
    Key(
        "accounts.slug",
        Members(
            p.Slug,
            {
                "case": Choice(("lower",)),
                "space": like(r"[._-]?", "one of - _ . or nothing", most=1),
                "strip": Bool(),
            },
        ),
        "How a name becomes a slug, folded: what replaces spaces, whether other characters go.",
    ),
    Key(
        "accounts.unique",
        Choice(("handle", "name", "none")),
        "What must be unique in the organization, compared after folding; deleted accounts keep theirs.",
    ),
    Key(
        "accounts.name_pattern",
        Text(PATTERN, is_pattern, null=True, most=512),
        "Names must match the whole of it: refused on create and rename.",
    ),
    Key(
        "accounts.max", Number(0, 1_000_000, null="null"), "Service accounts that the organization may have."
    ),
    Key(
        "accounts.required",
        _words("name", "owner", "purpose", "role", "group", "description", "systems", "environment"),
        "What an account must state.",
    ),
    Key(
        "accounts.attributes",
        ListOf(
            Members(
                p.Attribute,
                {
                    "name": like(r"[a-z][a-z0-9_]{0,62}", "a-z, 0-9 and _, a letter first", most=63),
                    "type": Choice(("text", "number", "flag")),
                    "values": ListOf(_NAME),
                    "default": Text("text, or null", bool, null=True),
                },
                needed=("name",),
            ),
            most=64,
        ),
        "Typed attributes of accounts. A condition on a missing attribute is false.",
    ),
    Key(
        "accounts.list_with_users",
        Choice(("separate", "badged", "hidden")),
        "Where accounts stand: on a page of their own, among users with a badge, or never in lists of users.",
    ),
    Key(
        "accounts.initial_credential",
        Choice(("auto", "prompt", "none")),
        "Whether the first key is issued with the account, offered, or not.",
    ),
    Key(
        "accounts.copy_permissions",
        Members(p.CopyPermissions, {"from": _words("account", "role"), "modes": _words("copy", "link")}),
        "Where permissions of a new account may be copied from, and how.",
    ),
    Key(
        "accounts.approval",
        Choice(("none", "four_eyes")),
        "four_eyes: an account is created disabled, until a second principal approves.",
    ),
    Key(
        "accounts.restore_days",
        Number(0, _ENDPOINT_MOST),
        "Days in which a deleted account can be restored; 0 is final.",
    ),
    Key(
        "accounts.disable_confirm",
        Choice(("none", "dialog", "typed")),
        "What people confirm before an account is disabled.",
    ),
    Key("accounts.delete_bulk", Bool(), "One call may delete more than one account."),
    Key("idle.days", _DAYS_OR_NULL, "Days without use after which something is idle."),
    Key("idle.action", Choice(("report", "disable")), "What happens to what is idle."),
    Key(
        "credentials.format",
        Choice(("native", "pair", "jwt", "uuid", "sk_hex")),
        "How tokens of service accounts are spelled.",
    ),
    Key(
        "credentials.prefix",
        like(r"[a-z][a-z0-9]{1,9}", "2 to 10 characters of a-z and 0-9, a letter first", most=10),
        "How tokens begin; fixed once the first credential exists.",
    ),
    Key("credentials.schemes", ListOf(_SCHEME, most=16, least=1), "How a token may be presented."),
    Key("credentials.reveal", Choice(("once",)), "When a token is shown: in the answer that makes it."),
    Key(
        "credentials.mask_last", Number(0, 5), "How many of the last characters are shown beside the prefix."
    ),
    Key(
        "credentials.name",
        Members(
            p.CredentialName,
            {"required": Bool(), "unique": Choice(("account", "none")), "renameable": Bool()},
        ),
        "What is asked of the name of a key.",
    ),
    Key("credentials.max_usable", _COUNT_OR_NULL, "Usable keys that a service account may have."),
    Key(
        "credentials.restrictions",
        _words("endpoint", "method", "cidr", "time"),
        "How a credential may be narrowed.",
    ),
    Key("credentials.self_rotation", Bool(), "A service account may rotate and regenerate its own keys."),
    Key(
        "credentials.exchange_seconds",
        Number(60, 86_400, null="null"),
        "Life of a short token that is got for a key (OAuth client_credentials).",
    ),
    Key("expiry.required", Bool(), "Every credential must expire."),
    Key("expiry.enforce", Choice(("new", "all")), "all: present credentials get the shorter expiry too."),
    Key("expiry.choices", ListOf(_DAYS_OR_NEVER, most=16), "Lifetimes that forms offer, in days."),
    Key("expiry.default_days", _DAYS_OR_NEVER, "The lifetime where none is asked for, in days."),
    Key("expiry.max_days", _DAYS_OR_NULL, "The longest lifetime, in days."),
    Key(
        "expiry.by_environment",
        MapOf(ENVIRONMENT, _DAYS),
        "The longest lifetime for accounts that name the environment, even where none is required.",
    ),
    Key("expiry.warn_days", ListOf(_DAYS, most=8), "Days before the expiry at which people are warned."),
    Key("rotation.modes", _words("rotate", "regenerate"), "How a key gets a new secret."),
    Key(
        "rotation.overlap_seconds", Number(0, 7_776_000), "How long the old token lives on after a rotation."
    ),
    Key(
        "rotation.regenerate_overlap_seconds",
        Number(0, 7_776_000),
        "How long the old token lives on after a regeneration.",
    ),
    Key(
        "rotation.retire_on",
        Choice(("deadline", "first_use")),
        "first_use: the old key retires when the new one is first allowed, at the latest at the deadline.",
    ),
    Key("rotation.every_days", _DAYS_OR_NULL, "Days after which a key should be rotated."),
    Key(
        "rotation.lead_days",
        Number(0, _ENDPOINT_MOST),
        "Days before its expiry that a key should be rotated.",
    ),
    Key(
        "revoke.restore_hours",
        Number(0, 87_600, null="null"),
        "Hours in which a revoked key can be restored; 0 is final, null is always.",
    ),
    Key("revoke.delete_requires_revoked", Bool(), "Only what is revoked or expired can be deleted."),
    Key(
        "grants.sources",
        ListOf(Choice(("direct", "role", "group", "team", "policy")), most=5, least=1),
        "Where permissions of service accounts may come from; users have any source.",
    ),
    Key(
        "grants.roles_per_account",
        Members(p.RolesPerAccount, {"min": Number(0, 100), "max": Number(0, 1_000, null="null")}),
        "How many roles a service account holds directly.",
    ),
    Key(
        "grants.group_roles_from",
        Choice(("any", "policy")),
        "policy: custom groups get roles through access policies alone.",
    ),
    Key("grants.ceiling", Bool(), "Nobody hands out more than they hold."),
    Key(
        "forbidden_for_service",
        Members(
            p.ForbiddenForService,
            {"roles": ListOf(_HANDLE), "groups": ListOf(_HANDLE), "permissions": ListOf(_PERMISSION)},
        ),
        "What a service account can never have.",
    ),
    Key(
        "elevated",
        Members(
            p.Elevated,
            {
                "permissions": ListOf(_PERMISSION),
                "justification": Choice(("required", "optional")),
                "approval": Choice(("none", "four_eyes")),
            },
        ),
        "What counts as elevated, and what is asked when it is handed out.",
    ),
    Key("elevated.expires_days", _DAYS_OR_NULL, "Days after which an elevated grant ends by itself."),
    Key(
        "elevated.step_up_minutes",
        Number(1, 1_440, null="null"),
        "A user must have signed in again within so many minutes to use one; browser sessions only.",
    ),
    Key(
        "system_groups",
        ListOf(
            Members(
                p.SystemGroup,
                {
                    "name": _NAME,
                    "kind": Choice(("group", "team")),
                    "members": Choice(("users", "service_accounts", "all", "chosen")),
                    "locked": _words("membership", "name", "grants", "deletion"),
                },
                needed=("name",),
            ),
            most=64,
        ),
        "Groups and teams whose members follow a rule, which stays once they exist, and their locked parts.",
    ),
    Key("default_groups", ListOf(_HANDLE), "Groups that every new service account joins, and may leave."),
    Key(
        "roles.templates",
        ListOf(
            Members(
                p.RoleTemplate,
                {
                    "handle": _HANDLE,
                    "name": _NAME,
                    "like": Choice(("", *(each.handle for each in p.NATIVE_ROLES))),
                    "permissions": ListOf(_PERMISSION, most=1_000),
                },
                needed=("handle", "name"),
            ),
            most=64,
            least=1,
        ),
        "Roles that are created with the organization.",
    ),
    Key("pat.enabled", Bool(), "Users may hold personal access tokens."),
    Key(
        "pat.production_warning",
        Bool(),
        "Forms advise against personal access tokens in production; used there, they are a finding.",
    ),
    Key(
        "pat.on_role_change",
        Choice(("follow", "suspend")),
        "What becomes of a user's tokens with another role.",
    ),
    Key(
        "pat.on_permission_loss",
        Choice(("keep", "suspend")),
        "What becomes of them when the user loses pat:issue.",
    ),
    Key(
        "pat.admin_visibility",
        Choice(("none", "metadata", "metadata_and_revoke")),
        "What pat:read and pat:revoke reach of others' tokens.",
    ),
    Key("pat.max_usable", _COUNT_OR_NULL, "Usable personal access tokens that a user may have."),
    Key("pat.max_days", _DAYS_OR_NULL, "Their longest lifetime in days, beside expiry.*."),
    Key("ingest.enabled", Bool(), "The organization may have ingest tokens."),
    Key(
        "ingest.presentation",
        ListOf(Choice(("header", "basic", "path")), most=3, least=1),
        "Where an ingest token may stand.",
    ),
    Key(
        "limits.per_account",
        OrNull(
            Members(
                p.Limits,
                {"per_minute": _COUNT_OR_NULL, "per_second": _COUNT_OR_NULL, "parallel": _COUNT_OR_NULL},
            )
        ),
        "The rate of one account: answered with 429 and Retry-After.",
    ),
    Key(
        "network",
        Members(
            p.Network,
            {
                each: ListOf(Text("a network such as 192.0.2.0/24", _is_network, most=64), most=1_000)
                for each in ("allow", "deny")
            },
        ),
        "Networks from which tokens of the organization are accepted; an empty allow is anywhere.",
    ),
    Key(
        "responses.status",
        Members(
            p.ResponseStatus,
            {
                "unauthenticated": OneNumber((401, 403)),
                "forbidden": OneNumber((403, 404)),
                "limited": OneNumber((429, 503)),
            },
        ),
        "The HTTP status of a denial by the protected API.",
    ),
    Key(
        "responses.errors",
        Choice(("problem", "flat")),
        "The body of a denial: problem details, or status_code, message and request_id.",
    ),
    Key(
        "request_log",
        Members(
            p.RequestLog,
            {"enabled": Bool(), "retention_days": _DAYS, "sample_allowed": Number(0, 1, whole=False)},
        ),
        "What is kept of decisions; denied ones are never sampled away.",
    ),
    Key(
        "audit_log",
        Members(p.AuditLog, {"retention_days": _DAYS_OR_NULL}),
        "For how many days events are kept; null is for ever. That some went is an event, which stays.",
    ),
    Key(
        "reviews",
        Members(
            p.Reviews,
            {"every_days": _DAYS, "grace_days": Number(0, 365), "no_answer": Choice(("report", "disable"))},
        ),
        "The rhythm of access reviews, and what silence means.",
    ),
    Key("findings.kinds", _words(*p.FINDING_KINDS), "Which findings are raised."),
    Key(
        "freshness.lease_seconds",
        Number(2, 3_600),
        "How long a node decides without contact; also how long a change waits for an unreachable node.",
    ),
)

#: Every key by name, in the order of the reference.
KEYS: dict[str, Key] = {key.name: key for key in _KEYS}


def members(key: Key) -> tuple[str, ...]:
    """Return the members of a key that is one object; none for any other."""
    type_ = key.type.of if isinstance(key.type, OrNull) else key.type
    return tuple(type_.members) if isinstance(type_, Members) else ()
