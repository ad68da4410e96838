"""A revision that touches more than one answer may hold: it arrives in parts, and counts when it is whole."""

from __future__ import annotations

import secrets

import msgspec
import pytest
from django.db.models import Model

from retinue.replica.records import Kind
from retinue.server import catalogue
from retinue.server.access import actions as access
from retinue.server.access.catalogue import Declaration
from retinue.server.access.models import Grant, Role
from retinue.server.directory.models import Principal
from retinue.server.ledger import feed as ledger
from retinue.server.ledger.models import Change
from retinue.server.ledger.transaction import SYSTEM, transaction
from retinue.server.nodes import batches
from retinue.server.nodes.feed import PollAnswer
from retinue.server.nodes.models import Lease
from tests.server_support import django_setup
from tests.storage.estate import Estate, Follower, truth

MANY = 5_000


def _answers(follower: Follower) -> list[PollAnswer]:
    """Poll to the head; return what was answered."""
    found = [follower.poll()]
    while found[-1].more:
        found.append(follower.poll())
    return found


@pytest.mark.parametrize(("limit", "size"), [(3, 1 << 20), (1_000, 900), (1, 1)])
def test_a_long_revision_arrives_in_parts(
    estate: Estate, monkeypatch: pytest.MonkeyPatch, limit: int, size: int
) -> None:
    """
    No answer is over the limits; until the last part the node has acknowledged nothing of the revision and
    gets no lease; in the end it holds everything.
    """
    monkeypatch.setattr(batches, "MAX_CHANGES", limit)
    monkeypatch.setattr(batches, "MAX_BYTES", size)
    follower = Follower.create()
    follower.catch_up()
    before = follower.meta.revision
    with transaction(SYSTEM, reason="test") as tx:
        made = {estate.account_in(tx).id for _ in range(8)}
    seen: list[str] = []
    while True:
        answer = follower.poll()
        seen += [change.key for change in answer.changes]
        assert len(answer.changes) <= limit
        assert before == Lease.objects.get(incarnation=follower.incarnation).revision
        assert answer.lease is not answer.more
        if not answer.more:
            break
        assert answer.next is not None
        assert before == follower.meta.revision

    assert sorted(made) == sorted(seen)
    assert tx.revision == follower.meta.revision
    assert truth() == follower.rows()


def test_a_part_that_was_lost_or_forgotten_comes_again(
    estate: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    A follower that restarts inside a revision begins it anew; what changes meanwhile arrives too.
    """
    monkeypatch.setattr(batches, "MAX_CHANGES", 3)
    follower = Follower.create()
    follower.catch_up()
    with transaction(SYSTEM, reason="test") as tx:
        accounts = [estate.account_in(tx) for _ in range(7)]
    first, second = follower.poll(), follower.poll()
    follower.after = None
    with transaction(SYSTEM, reason="test") as tx:
        access.set_roles(tx, accounts[0], ["auditor"], "a test")

    again = follower.poll()

    keys = [{change.key for change in answer.changes} for answer in (first, second, again)]
    assert keys[0].isdisjoint(keys[1])
    assert keys[0] == keys[2]
    _answers(follower)
    assert truth() == follower.rows()


def test_a_place_in_a_later_revision_skips_nothing(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Whoever asks to go on inside a revision that is not the next one begins with the next one.
    """
    follower = Follower.create()
    follower.catch_up()
    account = estate.account()
    later = estate.account()
    follower.after = f"{ledger.position().revision}/principal/{later.id}"

    assert [account.id, later.id] == [change.key for change in follower.poll().changes]


def _bulk(estate: Estate, pattern: str, count: int) -> list[str]:
    """Make accounts that hold a grant, past the actions: five thousand of them would take a minute."""
    with transaction(SYSTEM, reason="test") as tx:
        names = [f"bulk-{secrets.token_hex(8)}" for _ in range(count)]
        rows: list[Model] = []
        for name in names:
            made = Principal(
                id=f"sa_{name}", organization=estate.organization, kind="service_account", handle=name,
                name=name, created_at=tx.now, updated_at=tx.now,
            )  # fmt: skip
            rows.append(made)
        Principal.objects.bulk_create(rows, batch_size=500)  # type: ignore[arg-type]
        Grant.objects.bulk_create(
            [
                Grant(
                    id=f"grt_{name}",
                    organization=estate.organization,
                    subject=f"sa_{name}",
                    permission=pattern,
                    granted_by="x",
                    granted_at=tx.now,
                )
                for name in names
            ],
            batch_size=500,
        )
        tx.record("account.created", estate.owner.id, name="many", organization=estate.organization.id)
        for name in names:
            tx.touch(Kind.PRINCIPAL, f"sa_{name}")
    return [f"sa_{name}" for name in names]


def _declare(*names: str) -> int:
    """Declare these beside the host's own; returns the revision."""
    with transaction(SYSTEM, reason="test") as tx:
        access.declare(tx, [*catalogue.declared(), *(Declaration(name) for name in names)])
    assert tx.revision is not None
    return tx.revision


def _touched(revision: int) -> set[str]:
    return set(Change.objects.filter(revision=revision).values_list("key", flat=True))


def test_a_new_permission_compiles_anew_who_gets_it_and_nobody_else(estate: Estate) -> None:
    """
    Of those with grants only the holders of a pattern that covers the new name change; the same when it is
    withdrawn, and then also who holds it by its name. Roles that do not cover it stay too.
    """
    resource = f"r{secrets.token_hex(4)}"
    name = f"{resource}:read"
    _declare(f"{resource}:other")
    exact = estate.account(permissions=("report:read",))
    pattern = estate.account(permissions=(f"{resource}:*",))
    action = estate.account(permissions=("*:read",))

    came = _touched(_declare(f"{resource}:other", name))
    assert {name, pattern.id, action.id} <= came
    assert exact.id not in came
    owned = Role.objects.filter(organization=estate.organization, handle__in=["owner", "administrator"])
    own = set(Role.objects.filter(organization=estate.organization).values_list("id", flat=True))
    assert set(owned.values_list("id", flat=True)) == came & own

    named = estate.account(permissions=(name,))
    went = _touched(_declare(f"{resource}:other"))
    assert {name, pattern.id, action.id, named.id} <= went
    assert exact.id not in went
    _declare()


def test_a_permission_that_five_thousand_get_is_delivered(database_url: str) -> None:
    """
    The one revision that gives a new permission to 5,000 accounts arrives in answers within the limits, and
    in the end the node holds what a fresh snapshot holds.
    """
    with django_setup.database(database_url):  # of its own: other tests need not carry them along
        _five_thousand(Estate.create())


def _five_thousand(estate: Estate) -> None:
    resource = f"r{secrets.token_hex(4)}"
    _declare(f"{resource}:other")
    holders = _bulk(estate, f"{resource}:*", MANY)
    follower = Follower.create()
    follower.catch_up()
    revision = _declare(f"{resource}:other", f"{resource}:read")
    answers = _answers(follower)

    assert set(holders) <= _touched(revision)
    assert len(answers) >= MANY / batches.MAX_CHANGES
    for answer in answers:
        assert len(answer.changes) <= batches.MAX_CHANGES
        assert len(msgspec.json.encode(answer)) <= batches.MAX_BYTES
    assert [True] == [answer.lease for answer in answers if not answer.more]
    assert revision == follower.meta.revision
    assert truth() == follower.rows()
