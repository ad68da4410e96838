"""Who is told about a credential: people who can be reached by mail, and nobody who is disabled."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from retinue.authority import Resource
from retinue.server.access import explaining
from retinue.server.access.queries import Membership, in_force
from retinue.server.credentials.queries import Credential
from retinue.server.directory import queries as directory
from retinue.server.directory.queries import Principal
from retinue.server.notifications.rules import ADMINISTRATORS, OWNER, TEAM
from retinue.token import Kind

#: Administrators are told of what concerns nobody else; so many, the first by name.
ADMINISTRATORS_MOST = 20
#: Who may do this can do something about a credential that ends or has leaked.
_PERMISSION = "credential:revoke"
_ORDER = (OWNER, TEAM, ADMINISTRATORS)


class Book:
    """Looks recipients up for one reading of the ledger."""

    def __init__(self) -> None:
        self.administrators = lru_cache(maxsize=None)(_administrators)
        self._circles = lru_cache(maxsize=None)(_circle)

    def reaches(self, person_id: str) -> bool:
        """Tell whether somebody can be told of what is their own."""
        person = Principal.objects.filter(id=person_id).first()
        return person is not None and _is_reachable(person)

    def of(self, key: Credential, circles: Iterable[str]) -> list[Principal]:
        """Return whom these circles around a credential are; where they are empty, the next one outside."""
        wanted = list(circles)
        found = self._in(key, wanted)
        for circle in _ORDER[len(wanted) :]:
            if found:
                break
            found = self._in(key, [circle])
        return list(found.values())

    def _in(self, key: Credential, circles: Iterable[str]) -> dict[str, Principal]:
        found: dict[str, Principal] = {}
        for circle in circles:
            if circle == ADMINISTRATORS:
                people = self.administrators(key.organization_id)
            elif key.kind == Kind.PERSONAL.value:
                people = [key.principal] if circle == OWNER and key.principal is not None else []
            else:
                people = [] if key.principal is None else self._circles(key.principal.id, circle)
            found |= {each.id: each for each in people if _is_reachable(each)}
        return found


def _is_reachable(person: Principal) -> bool:
    return person.kind == Principal.USER and person.state == "enabled" and bool(person.email)


def _circle(account_id: str, circle: str) -> list[Principal]:
    owners = directory.owners_of([account_id])[account_id]
    if circle == OWNER:
        return owners[:1]
    mine = Membership.objects.filter(in_force(), principal_id=account_id, group__kind="team")
    team = Membership.objects.filter(
        in_force(), group__in=mine.values("group"), principal__kind=Principal.USER
    )
    rows = team.select_related("principal").order_by("principal__name", "principal_id")
    return owners[1:] + [row.principal for row in rows]


def _administrators(organization_id: str) -> list[Principal]:
    rows = explaining.candidates(organization_id, _PERMISSION).filter(kind=Principal.USER).exclude(email="")
    people = list(rows.order_by("name", "id")[: 10 * ADMINISTRATORS_MOST])
    return list(explaining.who(people, _PERMISSION, Resource(None)))[:ADMINISTRATORS_MOST]
