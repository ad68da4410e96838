"""Reads of kept findings: what was found when it was last looked for, and how old that is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet, Subquery

from retinue.server.governance import moving
from retinue.server.governance.computing import Wanted
from retinue.server.governance.models import AcceptedFinding, FindingsLook, FindingsProgress, KeptFinding
from retinue.server.governance.rules import PLACES, Found
from retinue.server.policies import remembering
from retinue.server.policies.queries import policy_of

#: Rows that are read at once.
AT_ONCE = 201
#: So many events that were not read yet are looked through for whom they are about,
EVENTS = 100
#: and what is found about so many principals is computed for a list. Beyond that the list is as of its time.
HOLDERS = 20
_NAMES = {place: name for name, place in PLACES.items()}


@dataclass(frozen=True, slots=True)
class Standing:
    """When everything was last looked at, and the principals about whom something was not read yet."""

    as_of: datetime
    moved: frozenset[str]


def standing(organization_id: str) -> Standing | None:
    """Return how kept findings stand; ``None`` where none are kept yet."""
    return remembering.once(("kept findings", organization_id), lambda: _standing(organization_id))


def _standing(organization_id: str) -> Standing | None:
    read = Subquery(FindingsProgress.objects.filter(id=1).values("revision"))
    rows = FindingsLook.objects.filter(organization=organization_id).annotate(read=read)
    found = rows.values_list("as_of", "read").first()
    if found is None:
        return None
    as_of, revision = found
    moved = moving.read(revision, EVENTS, organization_id).moved.get(organization_id, moving.Moved())
    return Standing(as_of, frozenset(moved.holders if len(moved.holders) <= HOLDERS else ()))


def settle() -> None:
    """Let lists say, for the rest of a read, what is kept, and compute nothing on top of that."""
    remembering.once("settled findings", lambda: True)


def is_settled() -> bool:
    """Tell whether lists say what is kept alone."""
    return remembering.once("settled findings", lambda: False)


def listed(wanted: Wanted, without: frozenset[str] = frozenset()) -> Iterator[Found]:
    """Yield kept findings in their order, but those about some principals."""
    rows = _rows(wanted.organization, without)
    if wanted.kind is not None:
        rows = rows.filter(place=PLACES[wanted.kind])
    if wanted.subject is not None:
        rows = rows.filter(subject=wanted.subject)
    if wanted.account is not None:
        rows = rows.filter(holder=wanted.account)
    if wanted.state != "any":
        granted = Exists(
            _granted(wanted.organization, wanted.now, subject=OuterRef("subject"), kind=OuterRef("kind"))
        )
        rows = rows.filter(granted if wanted.state == "accepted" else ~granted)
    rows, after = rows.order_by("place", "subject"), wanted.after
    while True:
        some = rows
        if after is not None:
            place = PLACES.get(after[0], -1)
            some = rows.filter(Q(place__gt=place) | Q(subject__gt=after[1]), place__gte=place)
        found = list(some[:AT_ONCE])
        for row in found:
            yield Found(row.kind, row.subject, row.since, row.evidence)
        if len(found) < AT_ONCE:
            return
        after = found[-1].kind, found[-1].subject


def counts(organization_id: str, now: datetime, without: frozenset[str] = frozenset()) -> dict[str, int]:
    """Return how many kept findings of each kind are open, but those about some principals."""
    rows = _rows(organization_id, without).order_by()
    counted = rows.values("place").annotate(open=Count("id"))  # an index alone answers this
    found = {_NAMES[row["place"]]: row["open"] for row in counted}
    there = rows.filter(kind=OuterRef("kind"), subject=OuterRef("subject"))
    for kind in _granted(organization_id, now).filter(Exists(there)).values_list("kind", flat=True):
        if kind in found:
            found[kind] -= 1
    return found


def _rows(organization_id: str, without: frozenset[str]) -> QuerySet[KeptFinding]:
    """Return the rows of an organization, of the kinds that its policy raises."""
    raised = policy_of(organization_id).findings_kinds
    rows = KeptFinding.objects.filter(organization=organization_id)
    silent = [place for name, place in PLACES.items() if name not in raised]
    rows = rows.exclude(place__in=silent) if silent else rows
    return rows.exclude(holder__in=without) if without else rows


def _granted(organization_id: str, now: datetime, **which: OuterRef | F) -> QuerySet[AcceptedFinding]:
    return AcceptedFinding.objects.filter(organization=organization_id, until__gt=now, **which)
