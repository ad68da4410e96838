"""Turns rows of access into what the API answers; every list in a handful of queries."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from retinue.server.access import listing, queries, selectors, subjects
from retinue.server.access.queries import (
    AccessPolicy,
    Grant,
    Group,
    Link,
    Membership,
    Part,
    Role,
    RoleAssignment,
)
from retinue.server.access.role_actions import patterns_of
from retinue.server.access.subjects import Subject
from retinue.server.api.answers import instant
from retinue.server.api.render import JSON, ref
from retinue.server.directory import queries as directory
from retinue.server.directory.queries import Principal

#: How a grant is held, by the kind of its subject.
_SOURCES = {"user": "direct", "service_account": "direct"}


def subject(found: Subject | Principal | None) -> JSON | None:
    """Return a principal, group, team, role or access policy by name."""
    if found is None:
        return None
    if isinstance(found, Principal):
        return ref(found)
    return {"id": found.id, "kind": found.kind, "handle": found.name, "name": found.name}


def grants(rows: Sequence[Grant], now: datetime) -> list[JSON]:
    """Return grants as the API answers them."""
    people = directory.principals(
        ident for row in rows for ident in (row.granted_by, row.approved_by, row.subject) if ident
    )
    others = subjects.named(None, [row.subject for row in rows if row.subject not in people])
    return [
        {
            "id": row.id,
            "subject": subject(people.get(row.subject) or others.get(row.subject)),
            "permission": row.permission,
            "resource": selectors.stored(row.resource).plain,
            "source": _source(people.get(row.subject), others.get(row.subject)),
            "state": state(row.is_pending, row.expires_at, now),
            "origin": row.origin or None,
            "justification": row.justification,
            "granted_by": ref(people.get(row.granted_by)),
            "granted_at": instant(row.granted_at),
            "approved_by": ref(people.get(row.approved_by)),
            "expires_at": instant(row.expires_at),
        }
        for row in rows
    ]


def _source(principal: Principal | None, other: Subject | None) -> str:
    return "direct" if principal is not None or other is None else other.kind


def state(is_pending: bool, expires_at: datetime | None, now: datetime) -> str:
    """Return the state of what was handed out."""
    if expires_at is not None and expires_at <= now:
        return "expired"
    return "pending" if is_pending else "active"


def permissions(
    found: Mapping[str, Sequence[Part]], used: Mapping[str, datetime] | None = None
) -> list[JSON]:
    """Return effective permissions, each with its last use and every path by which it is held."""
    last = used or {}
    links = [link for parts in found.values() for part in parts for link in part.links]
    people = directory.principals(link.granted_by for link in links)
    return [
        {
            "permission": name,
            "held": "explicit"
            if any(len(part.links) == 1 and part.links[0].kind == "direct" for part in parts)
            else "inherited",
            "last_used_at": instant(last.get(name)),
            "sources": [path(name, part, people) for part in parts],
        }
        for name, parts in found.items()
    ]


def path(name: str, part: Part, people: Mapping[str, Principal]) -> JSON:
    """Return one path by which a permission is held."""
    steps = [_link(each, people) for each in part.links]
    return {
        **steps[-1],
        "text": " <- ".join((name, *_words(part.links))),
        "resource": part.selector.plain,
        "within_teams": part.is_bound,
        "path": steps,
    }


def _words(links: Iterable[Link]) -> list[str]:
    words = {"policy": "access policy", "direct": "grant"}
    return [f"{words.get(link.kind, link.kind)} {link.name}" for link in links]


def _link(link: Link, people: Mapping[str, Principal]) -> JSON:
    return {
        "kind": link.kind,
        "id": link.id,
        "name": link.name,
        "granted_by": ref(people.get(link.granted_by)),
        "granted_at": _instant(link.granted_ms),
        "justification": link.justification,
        "expires_at": _instant(link.until_ms),
    }


def _instant(milliseconds: int) -> str | None:
    return instant(datetime.fromtimestamp(milliseconds / 1_000, UTC)) if milliseconds else None


def roles(rows: Sequence[Role]) -> list[JSON]:
    """Return roles as the API answers them."""
    people = directory.principals(row.created_by for row in rows)
    held = listing.holder_counts([row.id for row in rows])
    return [
        {
            "id": row.id,
            "handle": row.handle,
            "name": row.name,
            "description": row.description,
            "permissions": patterns_of(row),
            "like": row.like or None,
            "bypass_scopes": row.bypass_scopes,
            "people_only": row.like == "owner",
            "holders": held.get(row.id, 0),
            "created_at": instant(row.created_at),
            "created_by": ref(people.get(row.created_by)),
            "updated_at": instant(row.updated_at),
        }
        for row in rows
    ]


def groups(rows: Sequence[Group]) -> list[JSON]:
    """Return groups or teams as the API answers them."""
    people = directory.principals(row.created_by for row in rows)
    counted = listing.counts(rows)
    held = queries.roles_of([row.id for row in rows])
    return [
        {
            "id": row.id,
            "kind": row.kind,
            "name": row.name,
            "description": row.description,
            "rule": row.rule or None,
            "match": row.match,
            "conditions": row.conditions,
            "locked": row.locked,
            "roles": held[row.id],
            "members": counted[row.id][0],
            "resources": counted[row.id][1],
            "created_at": instant(row.created_at),
            "created_by": ref(people.get(row.created_by)),
            "updated_at": instant(row.updated_at),
        }
        for row in rows
    ]


def members(group: Group, rows: Sequence[Principal], now: datetime) -> list[JSON]:
    """Return the members of a group or team as the API answers them."""
    by_hand = {
        each.principal_id: each for each in Membership.objects.filter(group=group, principal__in=list(rows))
    }
    people = directory.principals(
        ident for each in by_hand.values() for ident in (each.granted_by, each.approved_by) if ident
    )
    return [_member(row, by_hand.get(row.id), people, now) for row in rows]


def _member(row: Principal, made: Membership | None, people: Mapping[str, Principal], now: datetime) -> JSON:
    if made is None:
        made = Membership(justification="", granted_by="")
    return {
        "principal": ref(row),
        "by_rule": not made.id,
        "state": state(made.is_pending, made.expires_at, now),
        "justification": made.justification,
        "granted_by": ref(people.get(made.granted_by)),
        "granted_at": instant(made.granted_at),
        "approved_by": ref(people.get(made.approved_by)),
        "expires_at": instant(made.expires_at),
    }


def assignments(rows: Sequence[RoleAssignment], now: datetime) -> list[JSON]:
    """Return assigned roles as the API answers them."""
    people = directory.principals(
        ident for row in rows for ident in (row.granted_by, row.approved_by, row.subject) if ident
    )
    others = subjects.named(None, [row.subject for row in rows if row.subject not in people])
    return [
        {
            "id": row.id,
            "subject": subject(people.get(row.subject) or others.get(row.subject)),
            "role": {
                "id": row.role_id, "kind": "role", "handle": row.role.handle, "name": row.role.name,
            },
            "state": state(row.is_pending, row.expires_at, now),
            "origin": row.origin or None,
            "justification": row.justification,
            "granted_by": ref(people.get(row.granted_by)),
            "granted_at": instant(row.granted_at),
            "approved_by": ref(people.get(row.approved_by)),
            "expires_at": instant(row.expires_at),
        }
        for row in rows
    ]  # fmt: skip


def policies(rows: Sequence[AccessPolicy]) -> list[JSON]:
    """Return access policies as the API answers them."""
    people = directory.principals(row.created_by for row in rows)
    named = subjects.named(None, [ident for row in rows for ident in row.subjects])
    held = queries.roles_of([row.id for row in rows])
    return [
        {
            "id": row.id,
            "name": row.name,
            "description": row.description,
            "match": row.match,
            "conditions": row.conditions,
            "subjects": [subject(named[ident]) for ident in row.subjects if ident in named],
            "roles": held[row.id],
            "enabled": row.is_enabled,
            "locked": row.is_locked,
            "state": "pending" if row.pending_by else "active" if row.is_enabled else "disabled",
            "created_at": instant(row.created_at),
            "created_by": ref(people.get(row.created_by)),
            "updated_at": instant(row.updated_at),
        }
        for row in rows
    ]


def matched(row: AccessPolicy) -> JSON:
    """Return whom an access policy takes in, the first hundred of each."""
    who, found = listing.matched_by(row)
    people = directory.principals(who[:100])
    named = subjects.named(row.organization_id, found[:100])
    return {
        "principals": [ref(people[ident]) for ident in who[:100]],
        "principals_count": len(who),
        "groups": [subject(named[ident]) for ident in found[:100]],
    }
