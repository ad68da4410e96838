"""Whom access is given to: a principal, group, team, role or access policy of an organization."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

from django.db.models import Model, QuerySet

from retinue.server.access import conditions, loading
from retinue.server.access.models import AccessPolicy, Group, Membership, Role, RoleAssignment
from retinue.server.access.paths import SERVICE, Rule
from retinue.server.directory.queries import Principal
from retinue.server.directory.rules import fold
from retinue.server.errors import NotFound, Refused

_Row = TypeVar("_Row", bound=Model)
KINDS = ("user", "service_account", "group", "team", "role", "policy")


@dataclass(frozen=True, slots=True)
class Subject:
    """A subject by id, with its kind and the name that people know."""

    id: str
    kind: str
    name: str
    is_deleted: bool = False

    @property
    def is_principal(self) -> bool:
        """Whether it is a user or service account."""
        return self.kind in conditions.PRINCIPALS


def find(organization: str, text: str, field: str = "subject") -> Subject:
    """Return the subject with this id, else the principal with this handle. Refuses any other."""
    rows = Principal.objects.filter(organization_id=organization)
    principal = rows.filter(id=text).first()
    found = None if principal is not None else named(organization, [text]).get(text)
    if principal is None and found is None:
        principal = rows.filter(handle=fold(text)).order_by("id").first()
    if principal is not None:
        return Subject(principal.id, principal.kind, principal.handle, principal.state == "deleted")
    if found is None or found.is_deleted:
        raise Refused("not_found", f"there is no subject {text!r} here", field=field)
    return found


def named(organization: str | None, ids: list[str]) -> dict[str, Subject]:
    """Return subjects by id, those that are deleted included; unknown ids are left out."""
    bound = {} if organization is None else {"organization_id": organization}
    found: dict[str, Subject] = {}
    for row in _rows(Principal, ids, bound, "usr_", "sa_"):
        found[row.id] = Subject(row.id, row.kind, row.handle, row.state == "deleted")
    for group in _rows(Group, ids, bound, "grp_", "tea_"):
        found[group.id] = Subject(group.id, group.kind, group.name, group.deleted_at is not None)
    for role in _rows(Role, ids, bound, "rol_"):
        found[role.id] = Subject(role.id, "role", role.handle, role.deleted_at is not None)
    for rule in _rows(AccessPolicy, ids, bound, "acp_"):
        found[rule.id] = Subject(rule.id, "policy", rule.name, rule.deleted_at is not None)
    return found


def _rows(model: type[_Row], ids: list[str], bound: dict[str, str], *prefixes: str) -> Iterable[_Row]:
    """Return the rows with those ids that begin as the ids of this table do; without such no query."""
    own = [ident for ident in ids if ident.startswith(prefixes)]
    return model._default_manager.filter(pk__in=own, **bound) if own else ()


def role(organization: str, text: str, field: str = "roles") -> Role:
    """Return the role with this handle or id; refuses an unknown one, naming those that there are."""
    rows = Role.objects.filter(organization_id=organization, deleted_at__isnull=True)
    found = rows.filter(id=text).first() or rows.filter(handle=fold(text)).first()
    if found is None:
        known = ", ".join(rows.order_by("handle").values_list("handle", flat=True)[:20])
        raise Refused("role_unknown", f"no role {text!r}; there are {known}", field=field)
    return found


def group(organization: str, text: str, kind: str, *, field: str | None = None) -> Group:
    """Return the group or team with this id or name. Raises ``NotFound``, or naming ``field`` refuses."""
    rows = Group.objects.filter(organization_id=organization, kind=kind, deleted_at__isnull=True)
    found = rows.filter(id=text).first() or rows.filter(name_folded=fold(text)).first()
    if found is None:
        raise NotFound(kind, text, field=field)
    return found


def reaches_service(organization: str, ident: str) -> bool:
    """Tell whether a service account has what a subject has, or could come to have it by a rule."""
    if ident.startswith(("usr_", "sa_")):
        return ident.startswith("sa_")
    if ident.startswith("rol_"):
        held = RoleAssignment.objects.filter(role_id=ident).values_list("subject", flat=True)
        return any(reaches_service(organization, each) for each in set(held))
    if ident.startswith("acp_"):
        policy = AccessPolicy.objects.get(id=ident)
        return policy.deleted_at is None and _policy_reaches_service(policy)
    found = Group.objects.get(id=ident)
    if rule_of_group(found).kinds & {SERVICE} or _may_match(found):
        return True
    return Membership.objects.filter(group=found, principal__kind=SERVICE).exists()


def _may_match(row: Group | AccessPolicy) -> bool:
    rule = getattr(row, "rule", "condition")
    return rule == "condition" and conditions.may_match(SERVICE, row.match, conditions.stored(row.conditions))


def _policy_reaches_service(policy: AccessPolicy) -> bool:
    if _may_match(policy) or any(each.startswith("sa_") for each in policy.subjects):
        return True
    rule = rule_of_policy(policy)
    return any(
        rule.takes_in(group.subject) and reaches_service(policy.organization_id, group.id)
        for group in loading.groups_of(policy.organization_id)
    )


def rule_of_policy(row: AccessPolicy) -> Rule:
    """Return whom an access policy takes in, were it in force."""
    stated = conditions.stored(row.conditions)
    return Rule(
        row.id,
        row.organization_id,
        "policy",
        row.name,
        "condition",
        row.match,
        stated,
        frozenset(row.subjects),
    )


def rule_of_group(row: Group) -> Rule:
    """Return whom a group or team takes in by its rule."""
    stated = conditions.stored(row.conditions)
    return Rule(row.id, row.organization_id, row.kind, row.name, row.rule, row.match, stated)


def members(groups: Iterable[str]) -> QuerySet[Membership, Any]:
    """Return the ids of the principals that people have put into these groups and teams, for a query."""
    return Membership.objects.filter(group__in=list(groups)).values("principal_id")
