"""Reads an organization's access as a document: everything but secrets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any

from retinue.server.access import listing, selectors
from retinue.server.access.grant_actions import instant
from retinue.server.access.queries import AccessPolicy, Grant, Group, Membership, RoleAssignment, in_force
from retinue.server.directory import queries as directory
from retinue.server.directory.queries import CANARY, Principal
from retinue.server.policies import queries as policies

JSON = dict[str, Any]
#: How a principal, group or team is written where it is named: its kind, and its handle, address or name.
PREFIXES = {"user": "user:", "service_account": "account:", "group": "group:", "team": "team:"}


def export(organization_id: str) -> JSON:
    """Return the whole document."""
    people = _People(organization_id)
    return {
        "version": 1,
        "policy": policies.in_force(organization_id).document.stated(),
        "users": people.users(),
        "roles": people.roles(),
        "groups": people.groups(Group.GROUP),
        "teams": people.groups(Group.TEAM),
        "service_accounts": people.accounts(),
        "access_policies": people.access_policies(),
    }


def account(organization_id: str, account_id: str) -> list[JSON]:
    """Return the entry of one account as a document has it; none of one that is deleted."""
    return _People(organization_id, of=account_id).accounts(account_id)


class _People:
    """What was read once of an organization, and the sections that are made of it."""

    def __init__(self, organization_id: str, of: str = "") -> None:
        """Read it; ``of`` is the one whose access is asked for, if it is not everybody's."""
        only = {"subject": of} if of else {}
        self._organization = organization_id
        rows = Principal.objects.filter(organization_id=organization_id).exclude(state="deleted")
        rows = rows.exclude(CANARY)
        self._principals = {row.id: row for row in rows.order_by("handle", "created_at", "id")}
        self._names = names_of(self._principals.values())
        groups = Group.objects.filter(organization_id=organization_id, deleted_at__isnull=True)
        self._groups = {row.id: row for row in groups.order_by("name_folded")}
        self._grants: dict[str, list[JSON]] = {}
        grants = Grant.objects.filter(in_force(), organization_id=organization_id, **only)
        for grant in grants.order_by("permission", "resource"):
            self._grants.setdefault(grant.subject, []).append(stated_grant(grant))
        self._assigned: dict[str, list[Any]] = {}
        held = RoleAssignment.objects.filter(
            in_force(), role__organization_id=organization_id, role__deleted_at__isnull=True, **only
        )
        found = held.order_by("role__handle").values_list("subject", "role__handle", "expires_at")
        for subject, handle, end in found:
            self._assigned.setdefault(subject, []).append(_entry(handle, end))

    def _access(self, ident: str) -> JSON:
        return {"roles": self._assigned.get(ident, []), "grants": self._grants.get(ident, [])}

    def users(self) -> list[JSON]:
        return [
            {"email": row.email, "name": row.name, "state": row.state, **self._access(row.id)}
            for row in self._principals.values()
            if row.kind == Principal.USER
        ]

    def accounts(self, only: str = "") -> list[JSON]:
        rows = [
            row
            for row in self._principals.values()
            if row.kind == Principal.SERVICE_ACCOUNT and only in ("", row.id)
        ]
        owners = directory.owners_of(row.id for row in rows)
        return [
            ({"id": row.id} if self._names[row.id] == f"account:{row.id}" else {})
            | {
                "handle": row.handle,
                "name": row.name,
                "description": row.description,
                "purpose": row.purpose,
                "documentation": row.documentation,
                "environment": row.environment,
                "systems": list(row.systems),
                "attributes": dict(row.attributes),
                "owners": [owner.email for owner in owners[row.id]],
                "state": row.state,
                **self._access(row.id),
            }
            for row in rows
        ]

    def roles(self) -> list[JSON]:
        return [
            {
                "handle": row.handle,
                "name": row.name,
                "description": row.description,
                "bypass_scopes": row.bypass_scopes,
                "permissions": sorted(row.patterns),
                "like": row.like or None,
                "grants": self._grants.get(row.id, []),
                "is_kept": bool(row.like),
            }
            for row in listing.role_rows(self._organization).order_by("handle")
        ]

    def groups(self, kind: str) -> list[JSON]:
        members = _members(self._groups)
        found = []
        for row in self._groups.values():
            if row.kind != kind:
                continue
            item: JSON = {
                "name": row.name,
                "description": row.description,
                "rule": row.rule,
                "match": row.match,
                "conditions": row.conditions,
                **self._access(row.id),
                "is_kept": "deletion" in row.locked,
            }
            if not row.rule:
                inside = [
                    (self._names[ident], end)
                    for ident, end in members.get(row.id, ())
                    if ident in self._names
                ]
                item["members"] = [
                    _entry(name, end) for name, end in sorted(inside, key=lambda each: each[0])
                ]
            if kind == Group.TEAM:
                item["resources"] = sorted(row.resources.values_list("resource", flat=True))
            found.append(item)
        return found

    def access_policies(self) -> list[JSON]:
        rows = AccessPolicy.objects.filter(organization_id=self._organization, deleted_at__isnull=True)
        return [
            {
                "name": row.name,
                "description": row.description,
                "match": row.match,
                "conditions": row.conditions,
                "subjects": sorted(self._subjects(row.subjects)),
                "enabled": row.is_enabled,
                "locked": row.is_locked,
                **self._access(row.id),
                "is_kept": row.is_locked,
            }
            for row in rows.order_by("name_folded")
        ]

    def _subjects(self, ids: Iterable[str]) -> Iterable[str]:
        for ident in ids:
            group = self._groups.get(ident)
            if ident in self._names:
                yield self._names[ident]
            elif group is not None:
                yield PREFIXES[group.kind] + group.name


def names_of(rows: Collection[Principal]) -> dict[str, str]:
    """Return how each principal is written in a document: ``user:ada@acme.example``, ``account:etl``.

    Accounts that share a handle are written by their ids.
    """
    handles = Counter(row.handle for row in rows if row.kind == Principal.SERVICE_ACCOUNT)
    return {
        row.id: PREFIXES[row.kind]
        + (row.email if row.kind == Principal.USER else row.id if handles[row.handle] > 1 else row.handle)
        for row in rows
    }


def _entry(name: str, end: datetime | None) -> str | JSON:
    """Return a role or member as a document has it: its name, and its end where it ends by itself."""
    return name if end is None else {"name": name, "expires_at": instant(end)}


def stated_grant(grant: Grant) -> JSON:
    """Return a grant as a document has it."""
    return {
        "permission": grant.permission,
        "resource": selectors.stored(grant.resource).plain,
        "expires_at": instant(grant.expires_at),
        "justification": grant.justification,
    }


def _members(groups: Mapping[str, Group]) -> dict[str, list[tuple[str, datetime | None]]]:
    found: dict[str, list[tuple[str, datetime | None]]] = {}
    rows = Membership.objects.filter(in_force(), group_id__in=list(groups))
    for group_id, principal_id, end in rows.values_list("group_id", "principal_id", "expires_at"):
        found.setdefault(group_id, []).append((principal_id, end))
    return found
