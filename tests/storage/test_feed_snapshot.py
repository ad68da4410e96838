"""Snapshot and changes together are the truth, whatever happens in between."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from retinue.replica import records
from retinue.replica.records import Kind, Meta
from retinue.replica.store import Store
from retinue.server.access import actions as access
from retinue.server.access import queries
from retinue.server.credentials import actions as credentials
from retinue.server.directory import actions as directory
from retinue.server.directory.queries import Principal
from retinue.server.errors import Refused
from retinue.server.ledger import feed as ledger
from retinue.server.ledger.guard import suspended_for_schema_changes
from retinue.server.ledger.models import Head
from retinue.server.ledger.transaction import SYSTEM, transaction
from retinue.server.nodes import batches, feed
from tests.storage.estate import Estate, Follower, truth

pytestmark = pytest.mark.usefixtures("awake")


def _sizes(page_records: int) -> list[tuple[Kind, str]]:
    follower = Follower.create()
    follower.page_records = page_records
    follower.load()
    return sorted(follower.rows(), key=lambda place: (list(Kind).index(place[0]), place[1].encode()))


@pytest.mark.parametrize("page_records", [1, 7, 5_000])
def test_pages_of_any_size_make_the_same_replica(estate: Estate, page_records: int) -> None:
    """
    Whatever the size of its pages, a snapshot holds exactly the records that there are.
    """
    estate.key(estate.account())

    assert list(truth()) == _sizes(page_records)


def test_a_snapshot_goes_through_all_kinds_in_the_order_of_their_bytes(estate: Estate) -> None:
    """
    The order of the pages is the order of a replica's keys, on every database: a page replaces a range.
    """
    for handle in ("zz-top", "z0", "a-b", "ab"):
        with transaction(SYSTEM, reason="test") as tx:
            directory.create_organization(tx, handle=f"{handle}-{estate.organization.handle}", name="x")
    found = [(change.kind, change.key) for change in feed.snapshot(None, limit=1_000_000).changes]

    assert sorted(found, key=lambda place: (list(Kind).index(place[0]), place[1].encode())) == found


@pytest.mark.parametrize("after", ["", "nonsense", "credential", "planet/x", "credential/é", "credential/\0"])
def test_an_odd_place_is_refused(after: str) -> None:
    """
    A snapshot goes on only from a place that a page has named.
    """
    with pytest.raises(Refused, match="invalid_value"):
        feed.snapshot(after)


def test_a_node_behind_the_kept_changes_loads_a_snapshot(estate: Estate) -> None:
    """
    Once older changes are dropped, a node that has not applied them is sent to the snapshot; one that has
    goes on by changes.
    """
    behind, ahead = Follower.create(), Follower.create()
    behind.catch_up()
    estate.account()
    ahead.catch_up()
    head = ledger.position()
    with suspended_for_schema_changes():
        Head.objects.update(compacted_revision=head.revision)
    estate.account()

    assert (True, False) == (behind.poll().snapshot, ahead.poll().snapshot)
    with suspended_for_schema_changes():
        Head.objects.update(compacted_revision=head.compacted_revision)
    behind.catch_up()
    ahead.catch_up()
    assert truth() == behind.rows() == ahead.rows()


def test_a_node_of_another_epoch_loads_a_snapshot(estate: Estate) -> None:
    """
    A revision of an earlier epoch means nothing in this one.
    """
    follower = Follower.create()
    follower.catch_up()
    follower.meta = Meta(epoch=follower.meta.epoch - 1, revision=follower.meta.revision, complete=True)

    assert follower.poll().snapshot


class _Life:
    """Random changes to an organization, each in a transaction of its own."""

    def __init__(self, estate: Estate, chance: random.Random) -> None:
        self._estate = estate
        self._chance = chance
        self._accounts = [estate.account()]

    def change(self) -> None:
        acts: list[Callable[[Principal], object]] = [
            lambda _: self._accounts.append(self._estate.account()),
            self._estate.key,
            self._end_a_key,
            self._grant,
            self._set_roles,
            self._toggle,
            self._delete,
        ]
        account = Principal.objects.get(id=self._chance.choice(self._accounts).id)
        with suppress(Refused):  # a rule said no, and nothing was written
            self._chance.choice(acts)(account)

    def _end_a_key(self, account: Principal) -> None:
        key = account.credentials.order_by("?").first()
        if key is not None:
            with transaction(SYSTEM, reason="test") as tx:
                (credentials.revoke if key.state == "active" else credentials.delete)(tx, key)

    def _grant(self, account: Principal) -> None:
        with transaction(SYSTEM, reason="test") as tx:
            held = queries.grants(account.id).first()
            if held is not None and self._chance.random() < 0.5:
                access.delete_grant(tx, account, held.id)
            else:
                permission = self._chance.choice(["report:read", "report:*", "*:read"])
                access.grant(tx, account, permission, "a test")

    def _set_roles(self, account: Principal) -> None:
        roles = self._chance.sample(["auditor", "administrator", "access-manager"], self._chance.randrange(3))
        with transaction(SYSTEM, reason="test") as tx:
            access.set_roles(tx, account, roles, "a test")

    def _toggle(self, account: Principal) -> None:
        act = directory.disable if account.state == "enabled" else directory.enable
        with transaction(SYSTEM, reason="test") as tx:
            act(tx, account)

    def _delete(self, account: Principal) -> None:
        with transaction(SYSTEM, reason="test") as tx:
            if account.state == "deleted":
                credentials.restore_account(tx, account)
            else:
                credentials.delete_account(tx, account)


@pytest.mark.parametrize("seed", range(6))
def test_any_interleaving_of_changes_polls_pages_and_restarts_ends_in_the_truth(
    estate: Estate, seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Changes between polls and between the pages of a snapshot, small batches, lost answers and replicas set
    back to an older state: whenever a follower has the head, it holds what a fresh snapshot holds.
    """
    monkeypatch.setattr(batches, "MAX_CHANGES", 3)
    chance = random.Random(seed)  # noqa: S311
    life = _Life(estate, chance)
    follower = Follower.create()
    follower.page_records = chance.choice([2, 5, 40])
    older = dict(follower.rows()), follower.meta
    compared = 0
    for _ in range(120):
        act = chance.random()
        if act < 0.55:
            life.change()
        elif act < 0.85:
            answer = follower.poll()
            if answer.snapshot:
                for _ in follower.pages():
                    if chance.random() < 0.3:
                        life.change()
            elif not answer.more or chance.random() < 0.3:
                follower.catch_up()
                compared += 1
                assert truth() == follower.rows()
        elif act < 0.92:
            feed.poll(follower.node, follower.request(), follower.actor)  # the answer is lost
        elif act < 0.96:
            older = dict(follower.rows()), follower.meta
        else:
            _set_back(follower, *older)
    follower.catch_up()

    assert compared > 3
    assert truth() == follower.rows() == _through_lmdb(follower, tmp_path)


def _set_back(follower: Follower, rows: dict[tuple[Kind, str], bytes], meta: Meta) -> None:
    changes = [records.Change(0, kind, key, value) for (kind, key), value in rows.items()]
    follower.meta, follower.after = meta, None
    follower.replica.replace_range(None, None, changes, meta)


def _through_lmdb(follower: Follower, folder: Path) -> dict[tuple[Kind, str], bytes]:
    """Return what the same answers make of an LMDB replica that is loaded anew."""
    store = Store(folder / "replica", writable=True, map_bytes=64 << 20)
    page = feed.snapshot(None, limit=1_000_000)
    store.replace_range(None, None, page.changes, Meta(epoch=page.epoch, revision=page.head, complete=True))
    with store.snapshot() as snapshot:
        rows = {(kind, key): value for kind in Kind for key, value in snapshot.items(kind)}
    store.close()
    return rows


def test_another_database_gives_no_snapshot(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    A database that was promoted or restored, and has not begun another epoch yet, writes over nothing that a node
    has seen: its journal is compared with the records that it has.
    """
    moved = dataclasses.replace(ledger.position(), has_moved=True)
    monkeypatch.setattr(ledger, "position", lambda: moved)
    with pytest.raises(Refused) as refused:
        feed.snapshot()

    assert "epoch_recovering" == refused.value.code
