"""Brings kept findings up to date: those about whoever was changed, and all of an organization now and then.

They are written past the door: they say what the rows say, give nobody access, and are made anew from what is
the case. Whoever does it has the turn, so that nothing older is written over what is newer.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from typing import TypeVar

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from retinue.server.directory.queries import Organization
from retinue.server.governance import moving
from retinue.server.governance.computing import FINDERS, Wanted, computed, holders_of
from retinue.server.governance.looking import Look
from retinue.server.governance.models import FindingsLook, FindingsProgress, KeptFinding
from retinue.server.governance.rules import KINDS, PLACES, Found
from retinue.server.ledger.giving_way import giving_way
from retinue.server.ledger.queries import head
from retinue.server.ledger.relaxed import relaxed
from retinue.server.ledger.transaction import one_writer, reading
from retinue.server.policies import remembering

#: Everything of an organization is looked at so often: uses are no changes, and time alone makes some due.
EVERY = timedelta(seconds=60)
#: So many times as long as it took lie between two of them at least, and if everybody was changed.
PAUSE, SHORT_PAUSE = 19, 3
#: Calls that are answered go first for so long, in one read.
PATIENCE_SECONDS = 2.0
#: Events that are read at once, rows that are written at once, principals that are looked at by themselves.
EVENTS, ROWS, HOLDERS = 500, 500, 200
#: Whoever has the turn says so again within this time; after it the process must have died.
TURN = timedelta(seconds=60)
_T = TypeVar("_T")


@dataclass
class Turn:
    """One process brings findings up to date at a time."""

    clock: Callable[[], datetime] = timezone.now
    _name: str = field(default_factory=lambda: secrets.token_hex(8))
    _until: datetime | None = None

    def take(self) -> bool:
        """Take the turn, or keep it; tells whether this process has it."""
        now = self.clock()
        if self._until is not None and now < self._until - TURN / 2:
            return True  # it need not be said once more
        if not FindingsProgress.objects.filter(id=1).exists():
            first = FindingsProgress(id=1, revision=head()[1], held_until=now)
            FindingsProgress.objects.bulk_create([first], ignore_conflicts=True)
        mine = FindingsProgress.objects.filter(Q(held_until__lte=now) | Q(held_by__in=["", self._name]), id=1)
        with _writing():
            is_mine = bool(mine.update(held_by=self._name, held_until=now + TURN))
        self._until = now + TURN if is_mine else None
        return is_mine

    def leave(self) -> None:
        """Let others have the turn."""
        self._until = None
        with _writing():
            FindingsProgress.objects.filter(held_by=self._name).update(held_by="", held_until=self.clock())


@contextmanager
def _writing() -> Iterator[None]:
    """A transaction for which nobody has to wait: what a power cut takes is looked for again."""
    with one_writer(last=True), relaxed():
        yield


def run(
    clock: Callable[[], datetime] = timezone.now, *, is_stopping: Callable[[], bool] = lambda: False
) -> int:
    """Read the ledger to its end, then look at every organization that is due; return at how many."""
    if not is_due(clock()):
        return 0
    turn, looked = Turn(clock), 0
    if not turn.take():
        return 0

    def go_on(took: float) -> bool:
        time.sleep(took)  # whoever waits for an answer of this process comes first
        return not is_stopping() and turn.take()

    try:
        while follow(clock()) and turn.take():
            pass
        for organization in due(clock()):
            if is_stopping() or not look_at_all(organization, clock(), go_on):
                break
            looked += 1
    finally:
        turn.leave()
    return looked


def is_due(now: datetime) -> bool:
    """Tell whether there is something to do: an event that was not read, or an organization to look at."""
    read = FindingsProgress.objects.filter(id=1).values_list("revision", flat=True).first()
    return read is None or read < head()[1] or bool(due(now, 1))


def due(now: datetime, most: int = 100) -> list[str]:
    """Return the organizations of which everything is looked at now: the new ones, then the oldest first."""
    known = FindingsLook.objects.filter(organization=OuterRef("id"))
    fresh = Organization.objects.exclude(state="deleted").filter(~Exists(known)).order_by("id")
    old = FindingsLook.objects.filter(due_at__lte=now).order_by("due_at")
    found = list(fresh.values_list("id", flat=True)[:most])
    return [*found, *old.values_list("organization", flat=True)[: most - len(found)]]


def follow(now: datetime) -> bool:
    """Read on in the ledger and look at whoever it is about. Tells whether there may be more to read."""
    revision = FindingsProgress.objects.values_list("revision", flat=True).get(id=1)
    found = moving.read(revision, EVENTS)
    if found.last == revision:
        return False
    for organization, moved in found.moved.items():
        if moved.is_everybody or len(moved.holders) > HOLDERS:
            _look_soon(FindingsLook.objects.filter(organization=organization), now)
        elif moved.holders and FindingsLook.objects.filter(organization=organization).exists():
            _look_at_some(organization, frozenset(moved.holders), now)
    if found.is_everywhere:
        _look_soon(FindingsLook.objects.all(), now)
    with _writing():
        FindingsProgress.objects.filter(id=1).update(revision=found.last)
    return True


def _look_soon(looks: QuerySet[FindingsLook], now: datetime) -> None:
    for look in looks.filter(due_at__gt=now):
        soon = max(now, look.as_of + timedelta(milliseconds=SHORT_PAUSE * look.took_ms))
        with _writing():
            FindingsLook.objects.filter(pk=look.pk, due_at__gt=soon).update(due_at=soon)


def _look_at_some(organization: str, holders: frozenset[str], now: datetime) -> None:
    with giving_way(PATIENCE_SECONDS), reading(), remembering.reads():
        found = list(computed(Wanted(organization, now, state="any", holders=holders)))
        of = holders_of(organization, found)
    kept = KeptFinding.objects.filter(organization=organization, holder__in=holders)
    _write(organization, kept, found, of)


def look_at_all(organization: str, now: datetime, go_on: Callable[[float], bool] = lambda _: True) -> bool:
    """Look at everything of an organization; tell whether that was done.

    ``go_on`` is asked before each kind, and told how many seconds the one before took.
    """
    took = last = 0.0
    is_there = Organization.objects.filter(id=organization).exclude(state="deleted").exists()
    with remembering.reads():
        for kind, finder in FINDERS.items():
            if not go_on(last):
                return False
            began = time.monotonic()
            with giving_way(PATIENCE_SECONDS) as patience:
                found = list(finder(Look(organization, now))) if is_there else []
                of: dict[str, str] = {}
                for some in _some(found):
                    of |= holders_of(organization, some) if KINDS[kind].subject == "credential" else {}
            _write(organization, KeptFinding.objects.filter(organization=organization, kind=kind), found, of)
            last = time.monotonic() - began - patience.spent
            took += last
    _looked(organization, now, round(took * 1e3), is_there)
    return True


def _looked(organization: str, now: datetime, took_ms: int, is_there: bool) -> None:
    after = max(EVERY, timedelta(milliseconds=PAUSE * took_ms))
    with _writing():
        if not is_there:
            FindingsLook.objects.filter(organization=organization).delete()
            return
        FindingsLook.objects.update_or_create(
            organization=organization, defaults={"as_of": now, "due_at": now + after, "took_ms": took_ms}
        )


def _write(
    organization: str, kept: QuerySet[KeptFinding], found: Iterable[Found], holders: Mapping[str, str]
) -> None:
    """Make the kept rows say what was found, a few in one transaction; what stays the same is not written."""
    before = {(row.kind, row.subject): row for row in kept}
    new, changed = [], []
    for each in found:
        row = before.pop((each.kind, each.subject), None)
        holder = holders.get(each.subject, each.subject)
        stated = (PLACES[each.kind], holder, each.since, dict(each.evidence))
        if row is None:
            row = KeptFinding(organization=organization, kind=each.kind, subject=each.subject)
            new.append(row)
        elif (row.place, row.holder, row.since, row.evidence) != stated:
            changed.append(row)
        row.place, row.holder, row.since, row.evidence = stated
    for some in _some(row.pk for row in before.values()):
        with _writing():
            KeptFinding.objects.filter(pk__in=some).delete()
    for rows in _some(changed):
        with _writing():
            KeptFinding.objects.bulk_update(rows, ["place", "holder", "since", "evidence"])
    for rows in _some(new):
        with _writing():
            KeptFinding.objects.bulk_create(rows, ignore_conflicts=True)


def _some(rows: Iterable[_T]) -> Iterator[list[_T]]:
    left = iter(rows)
    while found := list(islice(left, ROWS)):
        yield found
