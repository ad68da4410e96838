"""Reads of the audit log."""

from __future__ import annotations

from datetime import timedelta

import pytest

from retinue.server.directory import actions as directory
from retinue.server.errors import NotFound
from retinue.server.ledger import queries
from retinue.server.ledger.guard import suspended_for_schema_changes
from retinue.server.ledger.models import PersonalPart
from retinue.server.ledger.transaction import Actor, transaction
from tests.storage.estate import Estate


def _actor(estate: Estate) -> Actor:
    owner = estate.owner
    return Actor("user", owner.id, owner.name, estate.organization.id, "pat_x", "192.0.2.7", "req_1")


def test_an_event_is_shown_whole(estate: Estate) -> None:
    """
    Actor, credential, address, request, reason, before and after stand in one event.
    """
    account = estate.account()
    with transaction(_actor(estate), reason="gone rogue") as tx:
        directory.disable(tx, account, "too chatty")

    [event] = queries.latest(estate.organization.id, 1)
    assert (f"{tx.revision}.1", "account.disabled", account.id) == (event.id, event.type, event.subject)
    assert (estate.owner.id, "Olga", "pat_x") == (event.actor, event.actor_name, event.credential)
    assert ("192.0.2.7", "req_1", "gone rogue") == (event.address, event.request, event.reason)
    assert ({"state": "enabled"}, "too chatty") == (event.before, event.after["reason"])


def test_an_erased_personal_part_leaves_the_event(estate: Estate) -> None:
    """
    Without its personal part an event still says what happened, to what, and when.
    """
    account = estate.account()
    row = queries.events(estate.organization.id, subject=account.id).get()
    with suspended_for_schema_changes():
        PersonalPart.objects.filter(event_id=row.id).delete()

    event = queries.view(queries.event(estate.organization.id, row.id))
    assert ("", "account.created", account.id) == (event.actor_name, event.type, event.subject)


def test_events_are_filtered_and_bound_to_their_organization(estate: Estate) -> None:
    """
    Filters narrow, and another organization's events are not found.
    """
    account = estate.account()
    other = Estate.create()
    row = queries.events(estate.organization.id, type="account.created", subject=account.id).get()
    instant = row.at
    home = estate.organization.id

    assert 1 == queries.events(home, subject=account.id, since=instant).count()
    assert 0 == queries.events(home, subject=account.id, until=instant).count()
    assert 1 == queries.events(home, subject=account.id, until=instant + timedelta(milliseconds=1)).count()
    assert 0 == queries.events(home, actor="usr_nobody").count()
    assert 0 == queries.events(other.organization.id, subject=account.id).count()
    with pytest.raises(NotFound):
        queries.event(other.organization.id, row.id)
