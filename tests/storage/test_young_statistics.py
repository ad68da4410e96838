"""SQLite chooses by statistics how it reads: those of an installation that was small must not hurt a large one."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from retinue.server import housekeeping
from retinue.server.credentials.models import Credential
from retinue.server.directory.models import Organization, Ownership, Principal
from retinue.server.directory.queries import accounts
from retinue.server.ledger.guard import suspended_for_schema_changes
from retinue.server.policies.queries import in_force
from retinue.server.traffic import standings
from tests.server_support import django_setup
from tests.support import memory

MANY = 1_500
#: Steps of SQLite's machine for each account. It was 25,000 where it read all principals for every account.
STEPS = 400


@pytest.fixture
def small() -> Iterator[Organization]:
    """A new installation with one account, whose statistics were made."""
    if "sqlite" not in django_setup.kinds():
        pytest.skip("PostgreSQL keeps its statistics by itself")
    folder = memory.folder("retinue-database-")
    try:
        with django_setup.database(f"sqlite:///{folder / 'retinue.db'}"):
            organization = Organization.objects.get()
            _fill(organization, range(1))
            housekeeping.measure()
            connection.close()  # statistics are read when a connection is opened
            yield organization
    finally:
        shutil.rmtree(folder)


def _fill(organization: Organization, numbers: range) -> None:
    now = timezone.now()
    stated = {"organization": organization, "created_at": now, "updated_at": now}
    owner = Principal(id="usr_1", kind="user", handle="u", name="u", email="u@a.example", **stated)
    rows = [
        Principal(id=f"sa_{n:06}", kind="service_account", handle=f"job-{n}", name=f"Job {n}", **stated)
        for n in numbers
    ]
    held = {"kind": "sa", "organization": organization, "digest": b"x" * 32, "issued_at": now}
    with suspended_for_schema_changes():
        Principal.objects.bulk_create([owner, *rows], ignore_conflicts=True)
        Ownership.objects.bulk_create(Ownership(account=row, owner=owner) for row in rows)
        Credential.objects.bulk_create(
            Credential(id=f"key_{n}", kid=f"k{n}", principal=row, expires_at=now + timedelta(n % 60), **held)
            for n, row in zip(numbers, rows, strict=True)
        )


@contextmanager
def _steps() -> Iterator[list[int]]:
    """Count what SQLite's machine does, in thousands of its steps."""
    done: list[int] = []
    connection.ensure_connection()
    connection.connection.set_progress_handler(lambda: done.append(1), 1_000)
    try:
        yield done
    finally:
        connection.connection.set_progress_handler(None, 0)


def test_many_accounts_at_once_are_read_by_an_index(small: Organization) -> None:
    """
    Just after many accounts came at once, and before anybody has looked at the tables again, the list and the
    numbers of its views take work for each account, not for each account all the others.
    """
    _fill(small, range(1, MANY))
    now, policy = timezone.now(), in_force(small.id)
    with _steps() as done:
        numbers = standings.counts(accounts(small.id, state="any"), now, policy)
        for status in ("attention", "idle", "ownerless", "active"):
            rows = standings.with_status(accounts(small.id), status, now, policy)
            list(rows.order_by("name", "id")[:50])
        list(accounts(small.id, owner="usr_1").order_by("name", "id")[:50])

    assert MANY == sum(numbers.values())
    assert MANY * STEPS > len(done) * 1_000 > 0
