"""The poll: record, then read; whole revisions; who may poll, and as what."""

from __future__ import annotations

import secrets
from datetime import timedelta

import msgspec
import pytest
from django.utils import timezone

from retinue.replica import records
from retinue.server.access import actions as access
from retinue.server.errors import Refused
from retinue.server.ledger import feed as ledger
from retinue.server.ledger.models import Change
from retinue.server.ledger.transaction import SYSTEM, transaction
from retinue.server.nodes import actions, batches, feed, leases, queries, wake
from retinue.server.nodes.models import IdentityKey, Lease
from retinue.server.nodes.rules import Applied, PollRequest, PublishedKey
from tests.storage.estate import Estate, Follower, Task, hooked
from tests.support.processes import wait_for

pytestmark = pytest.mark.usefixtures("awake")
_X = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"


def _code(follower: Follower, request: PollRequest) -> tuple[str, str | None]:
    with pytest.raises(Refused) as refused:
        feed.poll(follower.node, request, follower.actor)
    return refused.value.code, refused.value.field


def test_first_poll_is_told_to_load_a_snapshot() -> None:
    """
    A replica that knows nothing is sent to the snapshot, without a lease.
    """
    answer = Follower.create().poll()

    assert (True, False, False, []) == (answer.snapshot, answer.lease, answer.more, answer.changes)


def test_poll_brings_the_present_record_of_what_changed(estate: Estate) -> None:
    """
    A change reaches the node as the record in its present state, up to the head, with a lease.
    """
    follower = Follower.create()
    follower.catch_up()
    key, _ = estate.key(estate.account())
    revision = estate.revoke(key)

    answer = follower.poll()
    [value] = [change.value for change in answer.changes if change.key == key.kid]
    assert (revision, True, False) == (answer.head, answer.lease, answer.more)
    assert "revoked" == msgspec.msgpack.decode(value or b"", type=records.Credential).state


def test_a_change_after_the_recording_is_in_the_answer(estate: Estate) -> None:
    """
    The head is read after the acknowledgement is committed: a change that commits right after the
    recording is in the same answer. Reading first would miss it and still give a lease.
    """
    follower = Follower.create()
    key, _ = estate.key(estate.account())
    follower.catch_up()
    committed: list[int] = []

    with hooked(leases, "record", after=lambda: committed.append(Task(lambda: estate.revoke(key)).result())):
        answer = follower.poll()

    assert committed == [answer.head]
    assert key.kid in {change.key for change in answer.changes}


def test_the_acknowledgement_is_committed_before_the_head_is_read() -> None:
    """
    Whoever commits a change after a poll has read the head sees the row of that poll: its barrier waits.
    """
    follower = Follower.create()
    follower.catch_up()
    rows: list[int] = []

    def look() -> None:
        found = Lease.objects.filter(incarnation=follower.incarnation).values_list("revision", flat=True)
        rows.append(Task(found.get).result())

    acknowledged = follower.meta.revision
    with hooked(ledger, "position", before=look):
        follower.poll()

    assert [acknowledged] == rows


def test_an_object_that_changed_several_times_is_sent_once(estate: Estate) -> None:
    """
    An answer holds each object once, with the latest revision that touched it.
    """
    follower = Follower.create()
    follower.catch_up()
    account = estate.account()
    for role in ("auditor", "access-manager"):
        with transaction(SYSTEM, reason="test") as tx:
            access.set_roles(tx, account, [role], "a test")

    answer = follower.poll()
    assert [answer.head] == [change.revision for change in answer.changes if change.key == account.id]


@pytest.mark.parametrize(("limit", "size"), [(10, 1 << 20), (1_000, 1_500), (1, 1)])
def test_batches_hold_all_that_they_acknowledge(
    estate: Estate, monkeypatch: pytest.MonkeyPatch, limit: int, size: int
) -> None:
    """
    However an answer is cut, it holds every object that changed up to the revision that the node will
    acknowledge for it, also one that changed again later; only the last answer carries a lease.
    """
    monkeypatch.setattr(batches, "MAX_CHANGES", limit)
    monkeypatch.setattr(batches, "MAX_BYTES", size)
    follower = Follower.create()
    follower.catch_up()
    accounts = [estate.account() for _ in range(12)]
    for roles in (["auditor"], ["access-manager"], []):
        for account in accounts:
            with transaction(SYSTEM, reason="test") as tx:
                access.set_roles(tx, account, roles, "a test")

    answers = 0
    while True:
        before = follower.meta.revision
        answer = follower.poll()
        answers += 1
        touched = Change.objects.filter(revision__gt=before, revision__lte=follower.meta.revision)
        assert set(touched.values_list("key", flat=True)) <= {change.key for change in answer.changes}
        assert answer.lease is not answer.more
        if not answer.more:
            break
    assert answers > 3


def test_a_revision_that_touches_nothing_is_answered_at_once(estate: Estate) -> None:
    """
    A commit that changes no record still moves the head, and the poll says so: a barrier waits for it.
    """
    follower = Follower.create()
    follower.catch_up()
    with transaction(SYSTEM, reason="test") as tx:
        tx.record("session.opened", estate.owner.id, name="o", organization=estate.organization.id)

    answer = follower.poll(wait=1.0)
    assert (tx.revision, [], True) == (answer.head, answer.changes, answer.lease)


def test_a_newer_incarnation_supersedes_the_older() -> None:
    """
    Of two followers with one name the newest goes on and the older one is stopped, for good.
    """
    older = Follower.create()
    older.poll()
    newer = Follower(older.node)
    newer.poll(retires=older.incarnation)

    assert ("superseded", None) == _code(older, older.request())
    assert ("superseded", None) == _code(older, older.request())
    assert older.incarnation == Lease.objects.get(incarnation=newer.incarnation).retires
    newer.poll()


def test_a_held_poll_of_a_superseded_follower_is_refused() -> None:
    """
    A follower that is superseded while its poll is held gets no lease out of it.
    """
    older = Follower.create()
    older.catch_up()
    newer = Follower(older.node)

    held = Task(lambda: older.poll(wait=1.2))
    wait_for("the poll is held", lambda: wake.commits.held)
    newer.poll()

    with pytest.raises(Refused, match="superseded"):
        held.result()


def test_a_removed_node_is_refused() -> None:
    """
    The polls of a removed node are refused from the commit on, also one that was held meanwhile, and its
    genuine credential is told why.
    """
    follower = Follower.create()
    follower.catch_up()
    held = Task(lambda: follower.poll(wait=1.2))
    wait_for("the poll is held", lambda: wake.commits.held)
    with transaction(SYSTEM, reason="test") as tx:
        actions.remove(tx, follower.node)

    with pytest.raises(Refused, match="node_removed"):
        held.result()
    assert ("node_removed", None) == _code(follower, follower.request())


def test_a_credential_speaks_for_its_own_node_only() -> None:
    """
    A node cannot acknowledge for another: the name must be the credential's.
    """
    follower, other = Follower.create(), Follower.create()

    assert ("caller_forbidden", "node") == _code(follower, other.request())


@pytest.mark.parametrize(
    ("field", "given"),
    [
        ("incarnation", {"incarnation": "A" * 32}),
        ("incarnation", {"incarnation": "a" * 31}),
        ("retires", {"retires": "x"}),
        ("applied.epoch", {"applied": Applied(-1, 0)}),
        ("applied.revision", {"applied": Applied(1, 1 << 63)}),
        ("applied.epoch", {"applied": Applied(1 << 62, 1)}),
        ("applied.mark", {"applied": Applied(1, 1, "\0")}),
        ("applied.mark", {"applied": Applied(1, 1, "0" * 17)}),
        ("confirmed.mark", {"confirmed": Applied(0, 0, "\0")}),
        ("seen.revision", {"seen": Applied(1, -1)}),
        ("after", {"after": "x"}),
        ("after", {"after": "0/principal/a"}),
        ("after", {"after": "9/principal"}),
        ("wait", {"wait": -1.0}),
        ("wait", {"wait": float("nan")}),
        ("schema", {"schema": 99}),
        ("identity_key.kid", {"identity_key": PublishedKey("a b", _X)}),
        ("identity_key.x", {"identity_key": PublishedKey("k", "short")}),
        ("identity_key.x", {"identity_key": PublishedKey("k", "é" * 43)}),
    ],
)
def test_odd_polls_are_refused_before_anything_is_recorded(field: str, given: dict[str, object]) -> None:
    """
    A poll that no follower would send is refused with the field at fault, and leaves no row.
    """
    follower = Follower.create()

    assert ("invalid_value", field) == _code(follower, msgspec.structs.replace(follower.request(), **given))
    assert not Lease.objects.filter(node=follower.node).exists()


def test_an_identity_key_reaches_every_node_and_its_predecessor_ends() -> None:
    """
    A published key is listed for all nodes; the one before stays for a day; publishing again changes nothing.
    """
    first, second = (PublishedKey(secrets.token_hex(8), _X) for _ in range(2))
    follower, other = Follower.create(), Follower.create()
    other.catch_up()
    follower.poll(identity_key=first)
    follower.poll(identity_key=second)
    head = ledger.position().revision
    follower.poll(identity_key=second)
    other.catch_up()

    with other.replica.snapshot() as snapshot:
        listed = {key.kid: key.not_after_ms for key in snapshot.identity_keys()}
    in_a_day = (timezone.now() + timedelta(days=1)).timestamp() * 1e3
    assert 0 == listed[second.kid]
    assert in_a_day == pytest.approx(listed[first.kid], abs=60_000)
    assert head == ledger.position().revision
    assert {first.kid, second.kid} <= {key.kid for key in queries.identity_keys()}


def test_a_key_id_stands_for_one_key() -> None:
    """
    No node can publish under the key id of another.
    """
    published = PublishedKey(secrets.token_hex(8), _X)
    follower, other = Follower.create(), Follower.create()
    follower.poll(identity_key=published)

    assert ("state_conflict", "identity_key.kid") == _code(other, other.request(identity_key=published))


def test_the_keys_of_a_removed_node_end_with_it() -> None:
    """
    A removed node's signature is worth nothing from the commit on.
    """
    published = PublishedKey(secrets.token_hex(8), _X)
    follower, other = Follower.create(), Follower.create()
    follower.poll(identity_key=published)
    other.catch_up()
    with transaction(SYSTEM, reason="test") as tx:
        actions.remove(tx, follower.node)
    other.catch_up()

    with other.replica.snapshot() as snapshot:
        assert published.kid not in {key.kid for key in snapshot.identity_keys()}
    assert IdentityKey.objects.get(kid=published.kid).not_after is not None


def test_status_of_a_node_says_how_far_it_is(estate: Estate) -> None:
    """
    A node is connected while it polls, and its lag counts the revisions that it has not applied.
    """
    follower = Follower.create()
    [unheard] = queries.views([follower.node])
    follower.catch_up()
    follower.poll()
    estate.account()
    estate.account()

    [view] = queries.views([follower.node])
    assert (False, "", None) == (unheard.connected, unheard.incarnation, unheard.last_contact_at)
    assert (True, follower.incarnation, 2) == (view.connected, view.incarnation, view.lag)
