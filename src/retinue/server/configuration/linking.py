"""Makes what a document says that somebody holds: roles, grants and memberships, each until its end."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from retinue.server import instants
from retinue.server.access import grant_actions, member_actions, selectors, subjects
from retinue.server.access.checks import check_most
from retinue.server.access.queries import Grant, Group, Role, RoleAssignment
from retinue.server.access.subjects import Subject
from retinue.server.configuration import naming, queries, rules
from retinue.server.configuration.rules import Step
from retinue.server.credentials import founding
from retinue.server.directory.queries import Principal
from retinue.server.directory.rules import fold
from retinue.server.ledger.transaction import Transaction


class Linking:
    """Gives and takes in one organization, and knows which accounts were made for which entries."""

    def __init__(self, tx: Transaction, organization_id: str, justification: str) -> None:
        self._tx = tx
        self._organization = organization_id
        self._why = justification
        self._made: dict[str, str] = {}

    def made(self, step: Step, account: Principal) -> None:
        """Remember the account of an entry that has an id: others of the document name it by that."""
        if step.after.get("id"):
            self._made[step.after["id"]] = account.id

    def account_of(self, step: Step) -> str:
        """Return what finds the account of a step."""
        return self._made.get(step.after.get("id", ""), step.key)

    def ids(self, named: Iterable[str]) -> list[str]:
        """Return the ids of principals, groups and teams, each written with its kind."""
        return naming.ids(self._organization, map(self._present, named))

    def _present(self, text: str) -> str:
        prefix, _, name = text.partition(":")
        return f"{prefix}:{self._made.get(name, name)}"

    def ends(self, roles: Iterable[Any]) -> Mapping[str, datetime | None]:
        """Return when each role of a list ends."""
        return {name: _instant(end) for name, end in map(rules.entry, roles)}

    def roles(self, subject: Subject | Principal, wanted: Iterable[Any]) -> None:
        """Make these the roles of a subject: first what is given, then what goes."""
        named = grant_actions.subject_of(subject) if isinstance(subject, Principal) else subject
        asked = {subjects.role(self._organization, name): end for name, end in map(rules.entry, wanted)}
        rows = RoleAssignment.objects.select_related("role").filter(subject=named.id)
        held = {row.role: row for row in rows.filter(role__deleted_at__isnull=True)}
        if isinstance(subject, Principal):
            founding.check_roles_may_go(subject, [role.handle for role in asked])
        for role, end in asked.items():
            if role not in held:
                self._assign(named, role, end)
        for role, row in held.items():
            if role not in asked:
                grant_actions.take_role(self._tx, named, row, self._organization)
            elif not row.is_pending and grant_actions.instant(row.expires_at) != asked[role]:
                grant_actions.take_role(self._tx, named, row, self._organization)
                self._assign(named, role, asked[role])
        check_most(self._organization, named)

    def _assign(self, subject: Subject, role: Role, end: str | None) -> None:
        until, organization = _instant(end), self._organization
        grant_actions.assign(self._tx, subject, role, self._why, expires_at=until, organization=organization)

    def grants(self, subject: Subject | Principal, wanted: Iterable[Mapping[str, Any]]) -> None:
        """Make these the grants of a subject."""
        present = {
            rules.grant_key(queries.stated_grant(each)): each
            for each in Grant.objects.filter(subject=subject.id, is_pending=False)
        }
        asked = {rules.grant_key(each): (place, each) for place, each in enumerate(wanted)}
        for key, grant in present.items():
            if key not in asked:
                grant_actions.delete_grant(self._tx, self._organization, grant)
        for key, (place, each) in asked.items():
            if key in present:
                continue
            field = f"grants.{place}"
            grant_actions.grant(
                self._tx,
                subject,
                each["permission"],
                each.get("justification") or self._why,
                resource=selectors.parse(each.get("resource"), f"{field}.resource"),
                expires_at=_instant(each.get("expires_at")),
                field=f"{field}.permission",
                organization=self._organization,
            )

    def members(self, group: Group, step: Step) -> None:
        """Make these the members of a group, and the resources of a team."""
        if "members" in step.after:
            wanted = _by_name(step.after["members"])
            there = _by_name(step.before.get("members"))
            gone = [each.text for name, each in there.items() if each.end != wanted.get(name, _NOBODY).end]
            if gone:
                member_actions.remove(self._tx, group, [self._principal(text) for text in gone])
            ends: dict[str | None, list[Principal]] = {}
            for name, each in wanted.items():
                if each.end != there.get(name, _NOBODY).end:
                    ends.setdefault(each.end, []).append(self._principal(each.text))
            for end, fresh in ends.items():
                member_actions.add(self._tx, group, fresh, self._why, expires_at=_instant(end))
        if "resources" in step.after:
            resources = set(step.after["resources"] or ())
            held = set(step.before.get("resources") or ())
            member_actions.change_resources(
                self._tx, group, add=sorted(resources - held), remove=sorted(held - resources)
            )

    def _principal(self, text: str) -> Principal:
        return naming.principal(self._organization, self._present(text))


class _Member(NamedTuple):
    text: str
    end: str | None


#: Has another end than every member.
_NOBODY = _Member("", "")


def _by_name(members: Iterable[Any] | None) -> dict[str, _Member]:
    found = [_Member(*rules.entry(each)) for each in members or ()]
    return {fold(each.text): each for each in found}


def _instant(end: str | None) -> datetime | None:
    return None if end is None else instants.read(end, "expires_at")
