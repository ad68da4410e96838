"""Compiles permissions, holders, principals and resources of teams into what nodes know of them.

Sets of permissions become bit masks over the catalogue. A role, group, team or access policy is one record,
however many hold it; groups and access policies by kind stand in the record of their organization.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django.db import connection

from retinue.replica import records
from retinue.server.access import loading
from retinue.server.access.catalogue import covered
from retinue.server.access.conditions import Subject, texts
from retinue.server.access.models import Permission
from retinue.server.access.paths import SERVICE, Facts, Part, is_forbidden_group
from retinue.server.ledger.feed import Keys, Selection, narrow, select
from retinue.server.policies.policy import NATIVE, Policy
from retinue.server.policies.queries import in_force_in

_PRINCIPALS = """
SELECT id, kind, organization_id, handle, name, state, is_operator, environment, attributes
FROM directory_principal WHERE true
"""
_HOLDERS = """
SELECT id FROM (
    SELECT id, organization_id FROM access_role WHERE deleted_at IS NULL
    UNION ALL SELECT id, organization_id FROM access_group WHERE deleted_at IS NULL
    UNION ALL SELECT id, organization_id FROM access_accesspolicy
    WHERE deleted_at IS NULL AND is_enabled AND pending_by = ''
) holders WHERE true
"""
_RESOURCES = "SELECT DISTINCT r.key FROM access_teamresource r WHERE true"
_TEAMS = "SELECT r.key, r.team_id FROM access_teamresource r WHERE r.key IN ({ids}) ORDER BY r.key, r.team_id"


def permissions(selection: Selection) -> dict[str, bytes]:
    """Return permission records by name. A withdrawn permission has none: asking for it is an error."""
    rows = narrow(Permission.objects.filter(is_withdrawn=False), "name", selection)
    return {
        name: records.encode(records.Permission(name, index))
        for name, index in rows.values_list("name", "index")
    }


def holders(selection: Selection, indexes: Mapping[str, int]) -> dict[str, bytes]:
    """Return the records of roles, groups, teams and access policies by id. ``indexes`` is the catalogue."""
    ids = (
        sorted(selection.keys)
        if isinstance(selection, Keys)
        else [row[0] for row in select(_HOLDERS, "id", selection)]
    )
    facts = loading.of_holders(ids)
    masks = Masks(indexes)
    policies = policies_of(rule.organization for rule in (*facts.groups.values(), *facts.policies.values()))
    found = {}
    for ident in ids:
        if not (ident in facts.roles or ident in facts.groups or ident in facts.policies):
            continue  # it is gone
        rule = facts.groups.get(ident) or facts.policies.get(ident)
        # What a role gives depends on no policy.
        policy = NATIVE if rule is None else policies[rule.organization]
        plain, bound, scoped = masks.fold(facts.parts(ident, policy))
        found[ident] = records.encode(records.Holder(ident, plain, bound, scoped))
    return found


def principals(selection: Selection, indexes: Mapping[str, int]) -> dict[str, bytes]:
    """Return principal records by id, in a few queries however many. ``indexes`` is the catalogue.

    A principal's own mask holds its direct grants and, for an operator, the permissions of the
    installation. What a service account may never have is left in: the organization's record bans it.
    """
    rows = select(_PRINCIPALS, "id", selection)
    facts = loading.of_principals({row[2] for row in rows}, [row[0] for row in rows], deep=False)
    masks = Masks(indexes)
    policies = policies_of(row[2] for row in rows)
    return {row[0]: records.encode(_principal(row, facts, masks, policies[row[2]])) for row in rows}


def policies_of(organizations: Iterable[str]) -> dict[str, Policy]:
    """Return the policy in force of each organization, in one query."""
    return {ident: compiled.policy for ident, compiled in in_force_in(organizations).items()}


def _principal(row: tuple[Any, ...], facts: Facts, masks: Masks, policy: Policy) -> records.Principal:
    ident, kind, organization, handle, name, state, is_operator, environment, attributes = row
    who = Subject(ident, kind, name, handle, environment, texts(attributes))
    plain, bound, scoped = masks.fold(facts.own_parts(who, policy, is_operator=is_operator))
    if bound:
        scoped = (*scoped, records.Scope(bound, is_bound=True))
    held, timed = set(), set()
    for each in facts.holders(who, organization, policy):
        rule = facts.groups.get(each.id) or facts.policies.get(each.id)
        if rule is not None and kind in rule.kinds:
            continue  # every principal of the kind has it: it stands in the organization's record
        if each.link.until_ms:
            timed.add(records.Timed(each.id, each.link.until_ms))
        else:
            held.add(each.id)
    return records.Principal(
        id=ident,
        kind=kind,
        organization=organization,
        handle=handle,
        name=name,
        state=state,
        permissions=plain,
        holders=tuple(sorted(held)),
        environment=environment,
        scoped=scoped,
        timed=tuple(sorted(timed, key=lambda each: (each.holder, each.until_ms))),
    )


def holders_by_kind(organizations: Iterable[str]) -> dict[str, tuple[tuple[str, ...], tuple[str, ...]]]:
    """Return what every user and every service account of each organization holds by a rule.

    Groups and access policies that give nothing are left out; a team counts although it gives nothing.
    """
    every = loading.rules_of(list(organizations))
    policies = [rule for rule in every if rule.kind == "policy"]
    rules = [rule for rule in every if rule.kinds]
    giving = loading.carrying([rule.id for rule in rules])
    for rule in rules:
        if any(each.organization == rule.organization and each.takes_in(rule.subject) for each in policies):
            giving.add(rule.id)
    stated = policies_of(rule.organization for rule in rules)
    found: dict[str, tuple[list[str], list[str]]] = {}
    for rule in sorted(rules, key=lambda rule: rule.id):
        if rule.kind != "team" and rule.id not in giving:
            continue
        users, services = found.setdefault(rule.organization, ([], []))
        if "user" in rule.kinds:
            users.append(rule.id)
        policy = stated[rule.organization]
        banned = rule.kind != "policy" and is_forbidden_group(rule.name, policy)
        if SERVICE in rule.kinds and rule.kind in policy.grants_sources and not banned:
            services.append(rule.id)
    return {ident: (tuple(users), tuple(services)) for ident, (users, services) in found.items()}


def resources(selection: Selection) -> dict[str, bytes]:
    """Return the records of the resources of teams, by organization and resource."""
    keys = (
        sorted(selection.keys)
        if isinstance(selection, Keys)
        else [row[0] for row in select(_RESOURCES, "r.key", selection)]
    )
    teams: dict[str, list[str]] = {}
    if keys:
        with connection.cursor() as cursor:
            cursor.execute(_TEAMS.format(ids=", ".join(["%s"] * len(keys))), keys)
            for key, team in cursor.fetchall():
                teams.setdefault(key, []).append(team)
    return {key: records.encode(records.Resource(tuple(found))) for key, found in teams.items()}


#: What holds within the same limits becomes one mask.
_Limits = tuple[str, tuple[str, ...], tuple[tuple[str, tuple[str, ...]], ...], int, bool, bool]
_NONE: _Limits = ("all", (), (), 0, False, False)
_BOUND: _Limits = ("all", (), (), 0, True, False)


class Masks:
    """Bit masks of sets of patterns; each pattern is expanded against the catalogue once."""

    def __init__(self, indexes: Mapping[str, int]) -> None:
        self._indexes = indexes
        self._bits: dict[tuple[str, bool], int] = {}

    def fold(self, parts: Iterable[Part]) -> tuple[bytes, bytes, tuple[records.Scope, ...]]:
        """Return the masks of what holds everywhere, of what is bound to teams, and of what is limited."""
        found: dict[_Limits, int] = {}
        for part in parts:
            selector = part.selector
            limits = (
                *(selector.reach, selector.ids, selector.where),
                *(part.until_ms, part.is_bound, part.users_only),
            )
            mask = 0
            for pattern in part.patterns:
                mask |= self._expand(pattern, part.reaches)
            found[limits] = found.get(limits, 0) | mask
        scoped = tuple(
            records.Scope(_bytes(mask), *limits)
            for limits, mask in sorted(found.items())
            if limits not in (_NONE, _BOUND) and mask
        )
        return _bytes(found.get(_NONE, 0)), _bytes(found.get(_BOUND, 0)), scoped

    def _expand(self, pattern: str, reaches: bool) -> int:
        if (pattern, reaches) not in self._bits:
            names = covered(pattern, self._indexes, reaches)
            self._bits[pattern, reaches] = sum(1 << self._indexes[name] for name in names)
        return self._bits[pattern, reaches]


def _bytes(mask: int) -> bytes:
    return mask.to_bytes((mask.bit_length() + 7) // 8, "little")
