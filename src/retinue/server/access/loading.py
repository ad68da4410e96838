"""Reads what paths are made of: a handful of statements, however many principals or holders are asked for.

Every call of the API and every poll of a node asks this, so it is not put together by the ORM.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator
from typing import Any

from django.db import connection

from retinue.server.access import conditions, selectors
from retinue.server.access.conditions import Subject, texts
from retinue.server.access.paths import Facts, Grant, Held, Link, Role, Rule
from retinue.server.access.roles import ROLES
from retinue.server.policies import remembering

# An instant as records carry it, made by the database.
_MILLISECONDS = {
    "sqlite": "COALESCE(CAST(ROUND((julianday({0}) - 2440587.5) * 86400000) AS INTEGER), 0)",
    "postgresql": "COALESCE((EXTRACT(EPOCH FROM {0}) * 1000)::bigint, 0)",
}
_RULES = """
SELECT id, organization_id, kind, name, rule, match, conditions, '[]' FROM access_group
WHERE organization_id IN ({ids}) AND rule <> '' AND deleted_at IS NULL
UNION ALL SELECT id, organization_id, 'policy', name, 'condition', match, conditions, subjects
FROM access_accesspolicy
WHERE organization_id IN ({ids}) AND is_enabled AND pending_by = '' AND deleted_at IS NULL
"""
_HELD = """
SELECT m.principal_id, g.id, m.id, m.granted_by, {at}, m.justification, {until},
    g.organization_id, g.kind, g.name, g.rule, g.match, g.conditions, g.deleted_at
FROM access_membership m JOIN access_group g ON g.id = m.group_id
WHERE m.principal_id IN ({ids}) AND NOT m.is_pending
"""
_ASSIGNED = """
SELECT m.subject, m.id, m.granted_by, {at}, m.justification, {until},
    r.deleted_at, r.id, r.handle, r.name, r.patterns, r."like", r.bypass_scopes
FROM access_roleassignment m JOIN access_role r ON r.id = m.role_id
WHERE m.subject IN ({ids}) AND NOT m.is_pending
"""
_GRANTED = """
SELECT m.subject, m.id, m.granted_by, {at}, m.justification, {until}, m.permission, m.resource, m.is_bound
FROM access_grant m WHERE m.subject IN ({ids}) AND NOT m.is_pending
"""
#: Both in one statement: what subjects were assigned, what they were granted, and what is granted to the
#: roles that they were assigned. In a row stands what its kind has; the rest is empty.
_ASSIGNED_AND_GRANTED = """
SELECT m.subject, m.id, m.granted_by, {at}, m.justification, {until},
    r.deleted_at, r.id, r.handle, r.name, r.patterns, r."like", r.bypass_scopes, NULL
FROM access_roleassignment m JOIN access_role r ON r.id = m.role_id
WHERE m.subject IN ({ids}) AND NOT m.is_pending
UNION ALL
SELECT m.subject, m.id, m.granted_by, {at}, m.justification, {until},
    NULL, NULL, NULL, NULL, NULL, m.permission, m.is_bound, m.resource
FROM access_grant m WHERE m.subject IN ({ids}) AND NOT m.is_pending
UNION ALL
SELECT m.subject, m.id, m.granted_by, {at}, m.justification, {until},
    NULL, NULL, NULL, NULL, NULL, m.permission, m.is_bound, m.resource
FROM access_grant m WHERE NOT m.is_pending AND m.subject IN (
    SELECT a.role_id FROM access_roleassignment a JOIN access_role r ON r.id = a.role_id
    WHERE a.subject IN ({ids}) AND NOT a.is_pending AND r.deleted_at IS NULL)
"""
_ROLES = """
SELECT id, handle, name, patterns, "like", bypass_scopes FROM access_role
WHERE id IN ({ids}) AND deleted_at IS NULL
"""
_GROUPS = """
SELECT id, organization_id, kind, name, rule, match, conditions, '[]' FROM access_group
WHERE id IN ({ids}) AND deleted_at IS NULL
UNION ALL SELECT id, organization_id, 'policy', name, 'condition', match, conditions, subjects
FROM access_accesspolicy WHERE id IN ({ids}) AND is_enabled AND pending_by = '' AND deleted_at IS NULL
"""


def of_principals(organizations: Collection[str], principals: Collection[str], *, deep: bool) -> Facts:
    """Return what these principals hold; ``deep`` also what their roles, groups and policies give."""
    facts = Facts()
    _add_rules(facts, _rules(organizations))
    for subject, *row in _memberships(principals):
        group, _, by, at, why, until, organization, kind, name, rule, match, stated, deleted = row
        # Who was in a group that is deleted still names it, and has nothing by it.
        if deleted is None:
            known = _rule(group, organization, kind, name, rule, match, stated, "[]")
            facts.groups.setdefault(group, known)
        link = Link(kind, group, name, by, at, why, until)
        facts.memberships.setdefault(subject, []).append(Held(group, link))
    if deep:
        _add_assigned_and_granted(facts, [*principals, *facts.groups, *facts.policies])
        return facts
    _add_assigned(facts, principals)
    _add_granted(facts, principals)
    return facts


def of_holders(ids: Collection[str]) -> Facts:
    """Return what these roles, groups, teams and access policies give."""
    facts = Facts()
    _add_rules(facts, _select(_GROUPS, [each for each in ids if not each.startswith("rol_")], times=2))
    organizations = {rule.organization for rule in facts.groups.values()}
    _add_rules(facts, [row for row in _select(_RULES, organizations, times=2) if row[2] == "policy"])
    _add_roles(facts, _select(_ROLES, [each for each in ids if each.startswith("rol_")]))
    _add_assigned(facts, [*facts.groups, *facts.policies])
    _add_granted(facts, [*facts.groups, *facts.policies, *facts.roles])
    return facts


def rules_of(organizations: Collection[str]) -> list[Rule]:
    """Return the groups and teams with a rule, and the access policies, of these organizations."""
    facts = Facts()
    _add_rules(facts, _rules(organizations))
    return [*facts.groups.values(), *facts.policies.values()]


def _rules(organizations: Collection[str]) -> list[tuple[Any, ...]]:
    """Return the rows of groups with a rule, and of access policies; a page reads them once."""
    key = ("rules", *sorted(organizations))
    return remembering.once(key, lambda: _select(_RULES, organizations, times=2))


def _memberships(principals: Collection[str]) -> list[tuple[Any, ...]]:
    """Return the rows of memberships; who reads the same ones shallow and in depth reads them once."""
    key = ("memberships", *sorted(principals))
    return remembering.once(key, lambda: _select(_HELD, principals))


def carrying(ids: Collection[str]) -> set[str]:
    """Return those of these groups and access policies that have a role or a grant."""
    statement = """
    SELECT subject FROM access_roleassignment WHERE subject IN ({ids})
    UNION SELECT subject FROM access_grant WHERE subject IN ({ids})
    """
    return {row[0] for row in _select(statement, ids, times=2)}


def _select(statement: str, ids: Collection[str], *, times: int = 1) -> list[tuple[Any, ...]]:
    """Run a statement that asks ``times`` for rows that belong to any of ``ids``."""
    if not ids:
        return []
    spell = _MILLISECONDS[connection.vendor].format
    sql = statement.format(
        ids=", ".join(["%s"] * len(ids)), at=spell("m.granted_at"), until=spell("m.expires_at")
    )
    with connection.cursor() as cursor:
        cursor.execute(sql, [*ids] * times)
        found: list[tuple[Any, ...]] = cursor.fetchall()
    return found


def _add_rules(facts: Facts, rows: Iterable[tuple[Any, ...]]) -> None:
    for ident, organization, kind, name, *rule in rows:
        place = facts.policies if kind == "policy" else facts.groups
        place[ident] = _rule(ident, organization, kind, name, *rule)


def _rule(
    ident: str, organization: str, kind: str, name: str, rule: str, match: str, stated: Any, subjects: Any
) -> Rule:
    found = conditions.stored(_json(stated))
    return Rule(ident, organization, kind, name, rule, match, found, frozenset(_json(subjects)))


def _add_roles(facts: Facts, rows: Iterable[tuple[Any, ...]]) -> None:
    for row in rows:
        facts.roles[row[0]] = _role(*row)


def _role(ident: str, handle: str, name: str, patterns: Any, like: str, bypass_scopes: Any) -> Role:
    native = ROLES.get(like)
    given = (*(native.patterns if native else ()), *_json(patterns))
    return Role(ident, handle, name, given, like == "owner", bool(bypass_scopes))


def _add_assigned_and_granted(facts: Facts, subjects: Collection[str]) -> None:
    for row in _select(_ASSIGNED_AND_GRANTED, subjects, times=3):
        *common, deleted, role, handle, name, patterns, text, flag, resource = row
        if role is None:
            _add_grant(facts, *common, text, resource, flag)
        else:
            _add_assignment(facts, *common, deleted, role, handle, name, patterns, text, flag)


def _add_assigned(facts: Facts, subjects: Collection[str]) -> None:
    for row in _select(_ASSIGNED, subjects):
        _add_assignment(facts, *row)


def _add_granted(facts: Facts, subjects: Collection[str]) -> None:
    for row in _select(_GRANTED, subjects):
        _add_grant(facts, *row)


def _add_assignment(
    facts: Facts, subject: str, _: str, by: str, at: int, why: str, until: int, deleted: Any, *role: Any
) -> None:
    if deleted is None:
        facts.roles.setdefault(role[0], _role(*role))
    link = Link("role", role[0], role[2], by, at, why, until)
    facts.assigned.setdefault(subject, []).append(Held(role[0], link))


def _add_grant(
    facts: Facts, subject: str, ident: str, by: str, at: int, why: str, until: int, *granted: Any
) -> None:
    permission, resource, is_bound = granted
    link = Link("direct", ident, permission, by, at, why, until)
    grant = Grant(permission, selectors.stored(resource), bool(is_bound), link)
    facts.grants.setdefault(subject, []).append(grant)


def _json(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str | bytes) else value


def groups_of(organization: str) -> list[Rule]:
    """Return all groups and teams of an organization."""
    statement = """
    SELECT id, organization_id, kind, name, rule, match, conditions, '[]' FROM access_group
    WHERE organization_id IN ({ids}) AND deleted_at IS NULL
    """
    return [_rule(*row) for row in _select(statement, [organization])]


def subjects_of(organization: str, ids: Collection[str] | None = None) -> Iterator[Subject]:
    """Yield the principals of an organization as conditions see them, or those with these ids."""
    statement = (
        "SELECT id, kind, name, handle, environment, attributes FROM directory_principal "
        "WHERE state <> 'deleted' AND "
    )
    rows = (
        _select(statement + "organization_id IN ({ids})", [organization])
        if ids is None
        else _select(statement + "id IN ({ids})", ids)
    )
    for ident, kind, name, handle, environment, attributes in rows:
        yield Subject(ident, kind, name, handle, environment, texts(attributes))
