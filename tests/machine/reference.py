"""What must be true, in memory: accounts, roles, grants and keys, and the one answer to each question.

Written from the model's words (states, order of a decision, union of sources), without the product's code.
"""

from __future__ import annotations

from dataclasses import dataclass, field

ALLOWED = "allowed"
HOST = ("report:read", "report:write", "report:export")
#: Asked about each token: permissions of the host, and some of Retinue's own.
ASKED = (*HOST, "credential:read", "credential:issue", "policy:update")
_READS = ("*:read", "*:export")
#: What the native roles give of the permissions that are asked about.
ROLES: dict[str, frozenset[str]] = {
    "administrator": frozenset({*HOST, "credential:read", "credential:issue"}),
    "access-manager": frozenset({"credential:read", "credential:issue"}),
    "auditor": frozenset({"credential:read"}),
    "member": frozenset({"pat:issue"}),
}
#: What no service account can have: roles with it are refused.
FORBIDDEN = frozenset({"pat:issue"})
#: Patterns that are granted directly; ``*`` as a resource never reaches Retinue's own permissions.
PATTERNS: dict[str, frozenset[str]] = {
    **{name: frozenset({name}) for name in (*HOST, "credential:read")},
    "report:*": frozenset(HOST),
    "*:read": frozenset({"report:read"}),
    "credential:*": frozenset({"credential:read", "credential:issue"}),
}
LIMIT = 10


def is_forbidden(roles: set[str]) -> bool:
    """Tell whether one of these roles gives what a service account can never have."""
    return any(ROLES.get(role, frozenset()) & FORBIDDEN for role in roles)


@dataclass
class Key:
    """A key: its token, and how it has ended, if it has."""

    id: str
    name: str
    token: str
    state: str = "active"
    retiring: bool = False
    #: Tokens that it had before it was regenerated.
    past: list[str] = field(default_factory=list)

    @property
    def is_usable(self) -> bool:
        """Whether it counts against the limit and can be rotated."""
        return self.state == "active"


@dataclass
class Account:
    """A service account."""

    id: str
    state: str = "enabled"
    roles: set[str] = field(default_factory=set)
    grants: dict[str, str] = field(default_factory=dict)
    keys: list[Key] = field(default_factory=list)

    @property
    def usable(self) -> list[Key]:
        """The keys that count against the limit."""
        return [key for key in self.keys if key.is_usable]

    def takes_name(self, name: str, *, but: Key | None = None) -> bool:
        """Whether a key bears the name; a key that retires has given it free."""
        return any(
            key.name == name and key.is_usable and not key.retiring and key is not but for key in self.keys
        )

    def end(self) -> None:
        """Delete the account: its keys end with it."""
        self.state = "deleted"
        for key in self.usable:
            key.state = "revoked"


@dataclass
class Giver:
    """What gives permissions: a role of the organization, a group, or an access policy."""

    id: str
    handle: str = ""
    patterns: set[str] = field(default_factory=set)
    roles: set[str] = field(default_factory=set)
    #: Ids of members of a group; of those whom a policy names, groups among them.
    members: set[str] = field(default_factory=set)
    is_enabled: bool = True


@dataclass
class Organization:
    """Accounts, and what they hold permissions by."""

    accounts: list[Account] = field(default_factory=list)
    roles: list[Giver] = field(default_factory=list)
    groups: list[Giver] = field(default_factory=list)
    policies: list[Giver] = field(default_factory=list)

    def of_roles(self, handles: set[str]) -> frozenset[str]:
        """What roles give, native ones and the organization's own; a role that is gone gives nothing."""
        own = {role.handle: _covered(role.patterns) for role in self.roles}
        return frozenset().union(*(ROLES.get(each, own.get(each, frozenset())) for each in handles))

    def permissions(self, account: Account) -> frozenset[str]:
        """The union over all ways: its own grants and roles, those of its groups, and of what names either."""
        groups = [group for group in self.groups if account.id in group.members]
        named = {account.id, *(group.id for group in groups)}
        policies = [each for each in self.policies if each.is_enabled and each.members & named]
        found = _covered(set(account.grants.values())) | self.of_roles(account.roles)
        for giver in (*groups, *policies):
            found |= _covered(giver.patterns) | self.of_roles(giver.roles)
        return found

    def decide(self, account: Account, key: Key, token: str, need: str) -> str:
        """Return the one answer to a question about a genuine or replaced token."""
        if token != key.token:
            return "token_unknown"
        if account.state != "enabled":
            return f"account_{account.state}"
        if key.state != "active":
            return "credential_revoked"
        return ALLOWED if need in self.permissions(account) else "permission_missing"


def _covered(patterns: set[str]) -> frozenset[str]:
    return frozenset().union(*(PATTERNS[each] for each in patterns))
