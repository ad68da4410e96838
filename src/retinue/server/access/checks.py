"""What the organization's policy and locked parts allow of a grant, role or membership."""

from __future__ import annotations

from datetime import datetime

from retinue.server.access.handing import Handing
from retinue.server.access.models import AccessPolicy, Group, RoleAssignment
from retinue.server.access.subjects import Subject
from retinue.server.directory.queries import Principal
from retinue.server.errors import Refused
from retinue.server.policies.policy import Policy
from retinue.server.policies.queries import policy_of


def check_source(handing: Handing, subject: Subject, source: str, field: str) -> None:
    """Refuse what a service account may not hold in this way, by ``grants.sources``."""
    policy, sources = handing.policy, handing.policy.grants_sources
    system = {(each.kind, each.name) for each in policy.system_groups}
    is_custom = subject.kind in ("group", "team") and (subject.kind, subject.name) not in system
    if source == "role" and is_custom and policy.grants_group_roles_from == "policy":
        raise Refused(
            "source_not_allowed", "groups get roles through access policies alone here", field=field
        )
    if subject.kind == "service_account" and source not in sources:
        raise Refused(
            "source_not_allowed",
            f"service accounts get permissions by {', '.join(sources)} here, not by {source}",
            field=field,
        )


def check_open(handing: Handing, subject: Subject) -> None:
    """Refuse to change what a group or access policy gives where that is locked."""
    if subject.kind in ("group", "team"):
        group = Group.objects.get(id=subject.id)
        if "grants" in group.locked:
            raise Refused("locked", f"the grants of {group.name} are locked", field="subject")
    elif subject.kind == "policy" and AccessPolicy.objects.get(id=subject.id).is_locked:
        raise Refused("locked", f"{subject.name} is locked; unlock it first", field="subject")


def check_count(handing: Handing, principal: Principal) -> None:
    """Refuse too few or too many roles of a service account, by ``grants.roles_per_account``."""
    if principal.kind == "service_account":
        _check_number(handing.policy, principal.id)


def _check_number(policy: Policy, account: str) -> None:
    least, most = policy.grants_roles_per_account.min, policy.grants_roles_per_account.max
    count = RoleAssignment.objects.filter(subject=account, role__deleted_at__isnull=True).count()
    if count < least:
        raise Refused("missing_field", f"a service account has at least {least} role here", field="roles")
    if most is not None and count > most:
        raise Refused("invalid_value", f"a service account has at most {most} roles here", field="roles")


def check_most(organization: str, subject: Subject) -> None:
    """Check the number of roles of a subject, if it is a service account."""
    if subject.kind == "service_account":
        _check_number(policy_of(organization), subject.id)


def is_over(expires_at: datetime | None, now: datetime) -> bool:
    """Tell whether something that was handed out until then has ended; it gives place to the same anew."""
    return expires_at is not None and expires_at <= now


def check_end(expires_at: datetime | None, now: datetime) -> None:
    """Refuse an end in the past."""
    if expires_at is not None and expires_at <= now:
        raise Refused("invalid_value", "the end lies in the past", field="expires")
