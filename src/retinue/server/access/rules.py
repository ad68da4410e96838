"""Who may hand out what. Pure functions over names; no database."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from difflib import get_close_matches

from retinue import permission
from retinue.server.access.catalogue import INSTALLATION, RESERVED_RESOURCES, expand
from retinue.server.access.roles import ROLES, Role
from retinue.server.directory.rules import check_no_token
from retinue.server.errors import Refused
from retinue.server.policies.policy import Policy

JUSTIFICATION_MAX = 2048


@dataclass(frozen=True, slots=True)
class Held:
    """What a principal holds: the permissions declared now, and the patterns that also reach later ones.

    With each pattern stands whether its ``*`` reaches management permissions, as that of Owner does.
    """

    names: frozenset[str] = frozenset()
    patterns: frozenset[tuple[str, bool]] = frozenset()


def role(handle: str, field: str = "roles") -> Role:
    """Return the role with this handle; refuses an unknown one."""
    found = ROLES.get(handle)
    if found is None:
        raise Refused("role_unknown", f"no role {handle!r}; there are {', '.join(ROLES)}", field=field)
    return found


def role_names(handles: Iterable[str], catalogue: Collection[str]) -> frozenset[str]:
    """Return the declared permissions that these roles give."""
    return frozenset().union(*(ROLES[handle].names(catalogue) for handle in handles if handle in ROLES))


def effective(
    kind: str,
    *,
    patterns: Iterable[str],
    roles: Iterable[str],
    operator: bool,
    catalogue: Collection[str],
    policy: Policy,
) -> frozenset[str]:
    """Return all permissions that a principal effectively holds: the union of its sources, less the bans."""
    held = expand(patterns, catalogue) | role_names(roles, catalogue)
    if operator:
        held |= INSTALLATION & frozenset(catalogue)
    if kind == "service_account":
        held -= frozenset(policy.forbidden_for_service.permissions)
    return held


def held_patterns(granted: Iterable[str], roles: Iterable[str]) -> frozenset[tuple[str, bool]]:
    """Return the patterns of grants and roles, as :class:`Held` has them."""
    found = {(pattern, False) for pattern in granted}
    for handle in roles:
        if handle in ROLES:
            found |= {(pattern, ROLES[handle].people_only) for pattern in ROLES[handle].patterns}
    return frozenset(found)


def check_pattern(pattern: str, catalogue: Collection[str], field: str = "permission") -> frozenset[str]:
    """Refuse what is no permission or covers none that is declared; return what it covers now."""
    if not permission.is_pattern(pattern):
        raise Refused(
            "invalid_value", f"{pattern!r}: resource:action, such as report:read or report:*", field=field
        )
    covered = expand([pattern], catalogue)
    if not covered:
        close = get_close_matches(pattern, catalogue, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        raise Refused("permission_unknown", f"no declared permission is {pattern!r}{hint}", field=field)
    return covered


def check_role_for_kind(handed: Role, kind: str, policy: Policy, field: str = "roles") -> None:
    """Refuse a role that principals of this kind may never hold."""
    if kind == "service_account" and (
        handed.people_only or handed.handle in policy.forbidden_for_service.roles
    ):
        raise Refused("forbidden_for_service", f"the role {handed.handle} is for people only", field=field)


def check_grant_for_kind(
    covered: Collection[str], kind: str, policy: Policy, field: str = "permission"
) -> None:
    """Refuse a grant of what principals of this kind can never have."""
    banned = sorted(set(covered) & set(policy.forbidden_for_service.permissions))
    if kind == "service_account" and banned:
        raise Refused(
            "forbidden_for_service", f"a service account can never hold {', '.join(banned)}", field=field
        )


def check_installation(covered: Collection[str], field: str = "permission") -> None:
    """Refuse a grant of the installation's permissions: operators alone hold them."""
    taken = sorted(set(covered) & INSTALLATION)
    if taken:
        raise Refused(
            "invalid_value", f"{', '.join(taken)}: only operators of the installation hold it", field=field
        )


def check_ceiling(
    names: Collection[str],
    patterns: Iterable[str],
    held: Held,
    policy: Policy,
    field: str = "permission",
) -> None:
    """The grant ceiling: nobody hands out more than they hold, now or when a permission is declared later.

    ``names`` is what ``patterns`` cover now. A pattern with ``*`` needs one of their own that covers it.
    """
    if not policy.grants_ceiling:
        return
    missing = sorted(set(names) - held.names)
    if missing:
        listed = ", ".join(missing[:5]) + (f" and {len(missing) - 5} more" if len(missing) > 5 else "")
        raise Refused(
            "ceiling_exceeded", f"you do not hold {listed}", field=field, required=tuple(missing[:5])
        )
    for wanted in patterns:
        if "*" in wanted and not any(
            covers_pattern(own, wanted, reaches_management=reaches) for own, reaches in held.patterns
        ):
            raise Refused("ceiling_exceeded", f"you hold no pattern that covers {wanted}", field=field)


def covers_pattern(own: str, wanted: str, *, reaches_management: bool = False) -> bool:
    """Tell whether ``own`` covers all that ``wanted`` covers as a grant, also what is declared later.

    ``reaches_management`` says that ``own`` is a pattern of Owner.
    """
    own_resource, _, own_action = own.partition(":")
    resource, _, action = wanted.partition(":")
    if own_action not in ("*", action):
        return False
    if own_resource == "*":
        return reaches_management or resource.partition(".")[0] not in RESERVED_RESOURCES
    own_parts, parts = own_resource.split("."), resource.split(".")
    return (
        resource != "*"
        and len(own_parts) == len(parts)
        and all(mine in ("*", part) for mine, part in zip(own_parts, parts, strict=True))
    )


def check_justification(handed: Collection[str], justification: str, policy: Policy) -> None:
    """Refuse to hand out an elevated permission without a justification."""
    elevated = sorted(set(handed) & set(policy.elevated.permissions))
    if elevated and policy.elevated.justification == "required" and not justification.strip():
        raise Refused(
            "justification_required",
            f"{elevated[0]} is elevated: say why it is needed",
            field="justification",
        )


def check_justification_text(justification: str) -> None:
    """Refuse a justification that is too long or holds a token."""
    if len(justification) > JUSTIFICATION_MAX:
        raise Refused("invalid_value", f"at most {JUSTIFICATION_MAX} characters", field="justification")
    check_no_token(justification, "justification")
