"""Who may hand out what. Pure functions over names; no database."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from difflib import get_close_matches

from retinue import permission
from retinue.server.access import selectors
from retinue.server.access.catalogue import INSTALLATION, RESERVED_RESOURCES, covered, expand
from retinue.server.access.paths import SERVICE, Part, is_running
from retinue.server.access.selectors import Selector
from retinue.server.directory.rules import check_no_token
from retinue.server.errors import Refused
from retinue.server.policies.policy import Policy

JUSTIFICATION_MAX = 2048


@dataclass(frozen=True, slots=True)
class Held:
    """What a principal effectively holds: its running parts over the catalogue, less what is banned."""

    parts: tuple[Part, ...] = ()
    catalogue: Mapping[str, int] = field(default_factory=dict)
    banned: frozenset[str] = frozenset()

    @property
    def names(self) -> frozenset[str]:
        """The permissions that it may use where no resource is named."""
        return self._of(part for part in self.parts if part.selector.reach == "all")

    @property
    def anywhere(self) -> frozenset[str]:
        """The permissions that it may use on some resource at least."""
        return self._of(self.parts)

    def _of(self, parts: Iterable[Part]) -> frozenset[str]:
        found = {pattern for part in parts for pattern in ((each, part.reaches) for each in part.patterns)}
        names = frozenset[str]().union(
            *(covered(pattern, self.catalogue, reaches) for pattern, reaches in found)
        )
        return names - self.banned


def held(parts: Iterable[Part], kind: str, catalogue: Mapping[str, int], policy: Policy, now_ms: int) -> Held:
    """Return what a principal of ``kind`` effectively holds by these paths, now."""
    banned = frozenset(policy.forbidden_for_service.permissions) if kind == SERVICE else frozenset()
    return Held(tuple(part for part in parts if is_running(part, now_ms)), catalogue, banned)


def names_of(part: Part, catalogue: Collection[str]) -> frozenset[str]:
    """Return the declared permissions that a part gives."""
    return frozenset[str]().union(*(covered(each, catalogue, part.reaches) for each in part.patterns))


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


def check_bans(part: Part, catalogue: Collection[str], policy: Policy, field: str = "permission") -> None:
    """Refuse to give a service account, or what it may be in, what it can never have."""
    if part.reaches or part.users_only:
        raise Refused(
            "forbidden_for_service",
            "a service account can never have this role: it is for people",
            field=field,
        )
    banned = sorted(names_of(part, catalogue) & set(policy.forbidden_for_service.permissions))
    if banned:
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


def check_scopable(covered: Collection[str], selector: Selector, field: str = "resource") -> None:
    """Refuse limits on management permissions: they hold for the whole organization or not at all."""
    managing = sorted(name for name in covered if name.partition(":")[0] in RESERVED_RESOURCES)
    if managing and selector.reach != "all":
        raise Refused(
            "invalid_value",
            f"{managing[0]} guards Retinue itself and holds for the organization: *",
            field=field,
        )


def check_ceiling(
    wanted: Part,
    own: Held,
    policy: Policy,
    field: str = "permission",
    *,
    banned: frozenset[str] = frozenset(),
) -> None:
    """The grant ceiling: nobody hands out more than they hold, on no wider resources and for no longer.

    A pattern with ``*`` needs one of their own that covers it: it also reaches what is declared later.
    ``banned`` is what never becomes effective and need not be held.
    """
    if not policy.grants_ceiling:
        return
    names = names_of(wanted, own.catalogue) - banned
    within = Held(_as_wide(own, wanted, False), own.catalogue, own.banned).anywhere
    # Management permissions have no resources, so that no team limits them.
    within |= _managing(Held(_as_wide(own, wanted, True), own.catalogue, own.banned).anywhere)
    missing = sorted(names - within)
    if missing:
        listed = ", ".join(missing[:5]) + (f" and {len(missing) - 5} more" if len(missing) > 5 else "")
        elsewhere = own.anywhere >= set(missing)
        why = f"you do not hold {listed}" + (
            " on all of these resources, or for so long" if elsewhere else ""
        )
        raise Refused("ceiling_exceeded", why, field=field, required=tuple(missing[:5]))
    for pattern in wanted.patterns:
        wide = _as_wide(own, wanted, bool(_managing([pattern])))
        if "*" in pattern and not any(
            covers_pattern(mine, pattern, reaches_management=part.reaches)
            for part in wide
            for mine in part.patterns
        ):
            raise Refused("ceiling_exceeded", f"you hold no pattern that covers {pattern}", field=field)


def _managing(names: Iterable[str]) -> frozenset[str]:
    """Return those that guard Retinue itself."""
    return frozenset(name for name in names if name.partition(":")[0] in RESERVED_RESOURCES)


def _as_wide(own: Held, wanted: Part, anywhere: bool) -> tuple[Part, ...]:
    """Return what is held on no fewer resources and for no less long; ``anywhere``: whatever the teams."""
    return tuple(
        part
        for part in own.parts
        if selectors.covers(part.selector, wanted.selector)
        and (anywhere or not part.is_bound or wanted.is_bound or wanted.selector.reach == "team")
        and (part.until_ms == 0 or 0 < wanted.until_ms <= part.until_ms)
    )


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


def elevated_in(part: Part, catalogue: Collection[str], policy: Policy) -> list[str]:
    """Return the elevated permissions that a part gives, sorted."""
    return sorted(names_of(part, catalogue) & set(policy.elevated.permissions))


def check_recent_sign_in(
    permissions: Collection[str], signed_in_at: datetime | None, now: datetime, policy: Policy
) -> None:
    """Refuse the use of an elevated permission in a browser session whose sign-in is too long ago.

    ``signed_in_at`` is when its person last showed a password; ``None`` if that is not known.
    """
    minutes = policy.elevated_step_up_minutes
    used = set(permissions) & set(policy.elevated.permissions)
    if minutes is None or not used:
        return
    if signed_in_at is None or now - signed_in_at > timedelta(minutes=minutes):
        raise Refused(
            "step_up_required",
            f"{min(used)} is elevated: sign in again, at /confirm/; that is enough for {minutes} minutes "
            "(elevated.step_up_minutes)",
            required=tuple(sorted(used)),
        )


def check_justification(elevated: Collection[str], justification: str, policy: Policy) -> None:
    """Refuse to hand out an elevated permission without a justification."""
    if elevated and policy.elevated.justification == "required" and not justification.strip():
        raise Refused(
            "justification_required",
            f"{min(elevated)} is elevated: say why it is needed",
            field="justification",
        )


def check_justification_text(justification: str) -> None:
    """Refuse a justification that is too long or holds a token."""
    if len(justification) > JUSTIFICATION_MAX:
        raise Refused("invalid_value", f"at most {JUSTIFICATION_MAX} characters", field="justification")
    check_no_token(justification, "justification")
