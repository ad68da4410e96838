"""Findings, computed from what is the case."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from retinue.server.credentials.queries import Credential
from retinue.server.governance import account_findings, credential_findings
from retinue.server.governance.looking import Look
from retinue.server.governance.models import AcceptedFinding
from retinue.server.governance.rules import KINDS, Found
from retinue.server.policies import remembering
from retinue.server.policies.queries import policy_of

Finder = Callable[[Look], Iterator[Found]]
FINDERS: dict[str, Finder] = {
    name: getattr(account_findings if kind.subject == "service_account" else credential_findings, name)
    for name, kind in KINDS.items()
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which findings of an organization are asked for, as of ``now``.

    ``account`` is the principal whose things they are about, ``state`` open, accepted or any; ``after`` the
    kind and subject to go on behind. ``holders`` are the principals about which alone anything is computed.
    """

    organization: str
    now: datetime
    kind: str | None = None
    subject: str | None = None
    account: str | None = None
    state: str = "open"
    after: tuple[str, str] | None = None
    holders: frozenset[str] | None = None

    @property
    def kinds(self) -> list[str]:
        """The kinds, in the order of their table, from the one to go on with; the policy raises them."""
        raised = policy_of(self.organization).findings_kinds
        names = [name for name in KINDS if name in raised and self.kind in (None, name)]
        if self.after is not None and self.after[0] in names:
            return names[names.index(self.after[0]) :]
        return names


def computed(wanted: Wanted) -> Iterator[Found]:
    """Yield what is found: by kind, in the order of their table, then by the subject's id."""
    granted = accepted(wanted.organization, wanted.now)
    for name in wanted.kinds:
        last = wanted.after[1] if wanted.after is not None and wanted.after[0] == name else ""
        subjects: list[str] | list[str | None] = [wanted.subject]
        if wanted.state == "accepted":  # a few, and known: no other subject is looked at
            subjects = sorted(each for of, each in granted if of == name and each > last)
            subjects = [each for each in subjects if wanted.subject in (None, each)]
        for each in subjects:
            look = Look(wanted.organization, wanted.now, each, last, wanted.holders)
            for found in _of_holders(look, FINDERS[name](look), KINDS[name].subject == "credential"):
                is_accepted = (name, found.subject) in granted
                if wanted.state == "any" or is_accepted == (wanted.state == "accepted"):
                    yield found


def _of_holders(look: Look, found: Iterator[Found], about_credentials: bool) -> Iterator[Found]:
    if look.holders is None:
        yield from found
        return
    rows = list(found)  # of a few principals
    holders = holders_of(look.organization, rows) if about_credentials else {}
    yield from (each for each in rows if holders.get(each.subject, each.subject) in look.holders)


def holders_of(organization_id: str, found: Iterable[Found]) -> dict[str, str]:
    """Return the holder of each credential that something was found about, in one query."""
    rows = Credential.objects.filter(id__in={each.subject for each in found})
    return {ident: holder or organization_id for ident, holder in rows.values_list("id", "principal_id")}


def accepted(organization_id: str, now: datetime) -> dict[tuple[str, str], AcceptedFinding]:
    """Return the exceptions of an organization that have not ended, by kind and subject."""
    rows = AcceptedFinding.objects.filter(organization=organization_id, until__gt=now)
    found = remembering.once(("accepted", organization_id, now), lambda: list(rows))
    return {(row.kind, row.subject): row for row in found}
