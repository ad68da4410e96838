"""Events are kept for ever, or for as long as an organization says; that some went is an event."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.utils import timezone

from retinue.server import housekeeping
from retinue.server.directory import retention
from retinue.server.ledger import current, expiring
from retinue.server.ledger import feed as ledger
from retinue.server.ledger.guard import UnguardedWrite
from retinue.server.ledger.models import AuditEvent, Entry, PersonalPart
from retinue.server.ledger.queries import events
from retinue.server.ledger.transaction import SYSTEM, transaction
from retinue.server.policies import actions as policies
from retinue.server.policies.rules import Document
from tests.server_support import merkle
from tests.storage.estate import Estate, Follower, truth

pytestmark = pytest.mark.usefixtures("awake")


def _keep(estate: Estate, days: int | None) -> None:
    with transaction(SYSTEM, reason="test") as tx:
        policies.change(
            tx,
            estate.organization.id,
            lambda document: Document(overrides={"audit_log": {"retention_days": days}}),
        )


@pytest.fixture
def kept(estate: Estate) -> Iterator[Estate]:
    """An organization that keeps events for two days, with some events; after the test for ever."""
    estate.revoke(estate.key(estate.account())[0])
    _keep(estate, 2)
    merkle.append()
    yield estate
    _keep(estate, None)


def _at(days: float) -> datetime:
    """An instant so many days after midnight today (UTC)."""
    return timezone.now().replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=days)


def _ids(estate: Estate) -> set[str]:
    return set(events(estate.organization.id).values_list("id", flat=True))


def test_events_go_after_the_days_of_the_policy(kept: Estate) -> None:
    """
    For two whole days all stay, then they go with their personal parts; those of an organization that keeps
    them for ever stay.
    """
    other = Estate.create()
    before, theirs = _ids(kept), _ids(other)
    early = retention.expire(_at(2.9), 1000)
    gone = retention.expire(_at(3), 1000)

    assert (0, len(before)) == (early, gone)
    assert [expiring.EXPIRED] == [row.type for row in events(kept.organization.id)]
    assert not PersonalPart.objects.filter(event_id__in=before).exists()
    assert theirs == _ids(other)
    assert 0 == retention.expire(_at(3.9), 1000)


def test_another_number_of_days_keeps_them_longer(kept: Estate) -> None:
    """
    With ten days instead nothing goes after three; with none, nothing ever.
    """
    _keep(kept, 10)
    after_three = retention.expire(_at(3), 1000)
    _keep(kept, None)

    assert 0 == after_three == retention.expire(_at(3650), 1000)


def test_what_went_is_said_with_a_digest(kept: Estate) -> None:
    """
    The event names how many went, the first and the last, and the digest of a copy that was made before; it
    stays when the others have gone.
    """
    copy = list(events(kept.organization.id).order_by("revision", "n"))
    retention.expire(_at(3), 1000)
    retention.expire(_at(30), 1000)
    [said] = events(kept.organization.id)

    assert (len(copy), copy[0].id, copy[-1].id) == (
        said.after["events"],
        said.after["first"],
        said.after["last"],
    )
    assert expiring.digest(copy) == said.after["digest"]
    copy[0].subject = "another"
    assert expiring.digest(copy) != said.after["digest"]


def test_numbers_go_on_after_those_that_went(kept: Estate) -> None:
    """
    When all events of an organization have gone, the next has the number after theirs, so that none can be left
    out unseen under cover of those.
    """
    numbers = Entry.objects.filter(organization=kept.organization.id)
    last = max(numbers.values_list("sequence", flat=True))
    retention.expire(_at(3), 1000)
    merkle.append()

    assert [last + 1] == list(numbers.values_list("sequence", flat=True))


def test_a_few_go_at_once(kept: Estate) -> None:
    """
    The oldest go first, as many as may, and nothing is left behind.
    """
    before = sorted(_ids(kept), key=lambda ident: [int(part) for part in ident.split(".")])
    went = [retention.expire(_at(3), 3)]
    rest = _ids(kept) & set(before)
    while went[-1] == 3:
        went.append(retention.expire(_at(3), 3))

    assert set(before[3:]) == rest
    assert len(before) == sum(went)


def test_nothing_of_an_event_stays_in_its_husk(kept: Estate) -> None:
    """
    What stays of a revision is its number, its mark and its time.
    """
    first = AuditEvent.objects.filter(organization=kept.organization.id, n=1).order_by("revision")[0]
    retention.expire(_at(3), 1000)
    husk = AuditEvent.objects.get(id=first.id)

    assert (first.revision, first.mark, first.at) == (husk.revision, husk.mark, husk.at)
    assert {"", 1} == {
        value if isinstance(value, str | int) else "".join(value)
        for name in ("type", "actor_kind", "actor", "credential", "request", "channel", "subject", "before",
                     "after", "n", "organization", "subject_kind")
        for value in [getattr(husk, name)]
    }  # fmt: skip


def test_nodes_go_on_as_if_nothing_had_gone(kept: Estate) -> None:
    """
    A node that has applied a revision whose events went is not taken for one of another history, and one that
    comes new gets all records.
    """
    node = Follower.create()
    node.catch_up()
    revision, mark = node.meta.revision, ledger.position().mark
    retention.expire(_at(3), 1000)
    kept.revoke(kept.key(kept.account())[0])
    node.catch_up()
    new = Follower.create()
    new.catch_up()

    assert ledger.knows(revision, mark)
    assert truth() == node.rows() == new.rows()
    assert not ledger.position().is_recovering


def test_housekeeping_does_it(kept: Estate) -> None:
    """
    The task runs with the others of the hour.
    """
    before = len(_ids(kept))
    gone = housekeeping.tidy(_at(3), threading.Event())

    assert before == gone["audit events"]


@pytest.mark.parametrize("verb", ["DELETE FROM ledger_auditevent", "UPDATE ledger_auditevent SET n = 2"])
def test_events_go_nowhere_else(estate: Estate, verb: str) -> None:
    """
    Neither outside a transaction nor inside one that is about something else can an event be touched; and the
    way that is open for events is closed for versions of policies.
    """
    with connection.cursor() as cursor:
        with current.expiring(), pytest.raises(UnguardedWrite):
            cursor.execute(verb)
        with pytest.raises(UnguardedWrite), transaction(SYSTEM):
            cursor.execute(verb)
        with pytest.raises(UnguardedWrite), transaction(SYSTEM), current.expiring():
            cursor.execute("DELETE FROM policies_version")
