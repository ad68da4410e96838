"""The native roles: what an organization's roles begin with."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from retinue.server.access.catalogue import INSTALLATION, MANAGEMENT, expand
from retinue.server.policies.policy import Policy


@dataclass(frozen=True, slots=True)
class Role:
    """A role: its handle, its name for people, and the patterns of what it may do."""

    handle: str
    name: str
    description: str
    patterns: tuple[str, ...]
    people_only: bool = False
    bypass_scopes: bool = False

    def names(self, catalogue: Collection[str]) -> frozenset[str]:
        """Return those of the declared permissions that the role has."""
        return expand(self.patterns, catalogue, reaches_management=self.people_only) - INSTALLATION


def _of(*resources: str) -> tuple[str, ...]:
    wanted = {resource for each in resources for resource in each.split()}
    return tuple(name for name in MANAGEMENT if name.partition(":")[0] in wanted and name not in INSTALLATION)


def _reads() -> tuple[str, ...]:
    names = (name for name in MANAGEMENT if name.endswith((":read", ":export")) and name not in INSTALLATION)
    return (*names, "decision:simulate")


_NOT_ADMINISTRATOR = {"organization:delete", "policy:update", "pat:issue"}

ROLES: dict[str, Role] = {
    role.handle: role
    for role in (
        Role(
            "owner",
            "Owner",
            "Everything in the organization. For people.",
            ("*:*",),
            people_only=True,
            bypass_scopes=True,
        ),
        Role(
            "administrator",
            "Administrator",
            "Manages everything but policy and end of the organization; may do all that the API offers.",
            (
                *(name for name in MANAGEMENT if name not in _NOT_ADMINISTRATOR and name not in INSTALLATION),
                "*:*",
            ),
            bypass_scopes=True,
        ),
        Role(
            "access-manager",
            "Access manager",
            "Manages accounts, credentials, groups, teams, grants, reviews and findings.",
            _of("service_account user credential group team grant review finding"),
        ),
        Role("auditor", "Auditor", "Reads and exports everything, changes nothing.", _reads()),
        Role("member", "Member", "May hold personal access tokens.", ("pat:issue",)),
    )
}


def first_role(policy: Policy) -> str:
    """Return the role of who may do everything: the first template, as every preset has it."""
    return policy.roles_templates[0].handle
