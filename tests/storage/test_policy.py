"""Policies in the database: versions, what is in force in each process, and changes at the same time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import nullcontext, suppress
from dataclasses import replace

import pytest
from django.db import OperationalError, connection, connections

from retinue.server.errors import Refused
from retinue.server.ledger import transaction as ledger
from retinue.server.ledger.guard import UnguardedWrite
from retinue.server.ledger.models import AuditEvent
from retinue.server.ledger.transaction import SYSTEM, transaction
from retinue.server.policies import actions, queries
from retinue.server.policies.models import Version
from retinue.server.policies.queries import policy_of
from retinue.server.policies.rules import Document
from tests.storage.estate import Estate


def set_most(organization: str, most: int, *, expected: int | None = None) -> Version:
    """Let accounts of an organization have ``most`` usable keys."""
    with transaction(SYSTEM, reason="test") as tx:
        return actions.change(
            tx,
            organization,
            lambda now: replace(now, overrides={**now.overrides, "credentials.max_usable": most}),
            expected=expected,
        )


def test_version_is_in_force_from_its_commit(estate: Estate) -> None:
    """
    A change makes the next version, one event and one revision; it is in force at once, and for this
    organization alone.
    """
    ident, other = estate.organization.id, Estate.create().organization.id
    first = policy_of(ident).credentials_max_usable
    made = set_most(ident, 3)

    assert (10, 3, 10) == (
        first,
        policy_of(ident).credentials_max_usable,
        policy_of(other).credentials_max_usable,
    )
    assert (2, ["credentials.max_usable"]) == (made.number, made.changed)
    event = AuditEvent.objects.get(organization=ident, type="policy.changed")
    assert ({}, {"credentials.max_usable": 3}) == (event.before["overrides"], event.after["overrides"])


def test_same_document_changes_nothing(estate: Estate) -> None:
    """
    A document that is in force already makes no version and no event.
    """
    ident = estate.organization.id
    numbers = [set_most(ident, 3).number, set_most(ident, 3).number]

    assert [2, 2] == numbers
    assert 1 == AuditEvent.objects.filter(organization=ident, type="policy.changed").count()


def test_change_of_another_version_is_refused(estate: Estate) -> None:
    """
    Who has seen another version than the present one changes nothing, and is told both numbers.
    """
    ident = estate.organization.id
    set_most(ident, 3, expected=1)
    with pytest.raises(Refused, match="at version 2, not 1") as refused:
        set_most(ident, 4, expected=1)

    assert ("state_conflict", 3) == (refused.value.code, policy_of(ident).credentials_max_usable)


def test_refused_transaction_leaves_nothing_in_a_process(estate: Estate) -> None:
    """
    A version that was rolled back is nowhere in force, also not where it was read before.
    """
    ident = estate.organization.id
    seen = []

    def change_and_fail() -> None:
        with transaction(SYSTEM, reason="test") as tx:
            actions.change(tx, ident, lambda now: Document(overrides={"credentials.max_usable": 7}))
            seen.append(policy_of(ident).credentials_max_usable)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        change_and_fail()
    set_most(ident, 8)

    assert ([7], 8) == (seen, policy_of(ident).credentials_max_usable)


def test_versions_are_only_added(estate: Estate) -> None:
    """
    No version is ever rewritten, inside a transaction either.
    """
    made = set_most(estate.organization.id, 3)
    with pytest.raises(UnguardedWrite), transaction(SYSTEM, reason="test"):
        Version.objects.filter(id=made.id).update(number=9)


def test_commit_relies_on_the_policy_that_it_read(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    A transaction that has read a policy commits under it, or is refused because it has changed. On PostgreSQL
    another process may change it between; on SQLite it waits for this one, here in vain.
    """
    monkeypatch.setattr(ledger, "QUEUE_SECONDS", 0.1)
    ident = estate.organization.id
    expected = pytest.raises(Refused, match="changed meanwhile")
    is_refused = connection.vendor == "postgresql"
    with expected if is_refused else nullcontext(), transaction(SYSTEM, reason="test") as tx:
        before = policy_of(ident).credentials_max_usable
        elsewhere(lambda: set_most(ident, 3))
        during = policy_of(ident).credentials_max_usable
        tx.record("account.updated", "sa_x", name="x", organization=ident)

    assert (10, 10, 3 if is_refused else 10) == (before, during, policy_of(ident).credentials_max_usable)
    assert is_refused is not AuditEvent.objects.filter(organization=ident, type="account.updated").exists()


def test_two_changes_at_once_make_two_versions(estate: Estate) -> None:
    """
    Changes of one policy at the same time come one after the other, each on what the other has made.
    """
    ident, keys = estate.organization.id, ("credentials.max_usable", "expiry.max_days")

    def change(key: str) -> None:
        with transaction(SYSTEM, reason="test") as tx:
            actions.change(tx, ident, lambda now: replace(now, overrides={**now.overrides, key: 200}))

    threads = [threading.Thread(target=elsewhere, args=(lambda key=key: change(key),)) for key in keys]
    for each in threads:
        each.start()
    for each in threads:
        each.join(30)
    row = queries.standing_row(ident)

    assert row is not None
    assert (3, dict.fromkeys(keys, 200)) == (row.number, row.document["overrides"])


def elsewhere(act: Callable[[], object]) -> None:
    """Do ``act`` on another connection, as another process would."""

    def run() -> None:
        try:
            with suppress(OperationalError):
                act()
        finally:
            connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(30)
