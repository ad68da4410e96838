"""The probe: what nodes are asked, what they report, and how that is judged."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest
from django.utils import timezone

from retinue import sealing
from retinue.replica.records import Change, Kind
from retinue.server.credentials import queries as credentials
from retinue.server.credentials.actions import peppers
from retinue.server.credentials.compile import milliseconds
from retinue.server.directory import queries as directory
from retinue.server.errors import Refused
from retinue.server.ledger.models import AuditEvent
from retinue.server.ledger.transaction import SYSTEM, transaction
from retinue.server.nodes import prober, probing
from retinue.server.nodes.models import Lease, Node, Probe, ProbeResult
from retinue.server.nodes.rules import Canary, ProbeReport
from tests.storage.estate import Follower, Task, operate

pytestmark = pytest.mark.usefixtures("awake")


@pytest.fixture(autouse=True)
def _alone() -> None:
    """No node of another test is waited for, and no probe of another test is the last one."""
    Lease.objects.all().delete()
    Probe.objects.all().delete()
    operate()


class Probed:
    """A node in the test's hands, while a probe runs."""

    def __init__(self) -> None:
        self.follower = Follower.create()
        self.follower.catch_up()
        self.canaries: list[Canary] = []

    def follow(self, task: Task) -> None:
        """Follow until the probe has ended, and report nothing."""
        while task.is_alive():
            answer = self.follower.poll(wait=0.1)
            if answer.canary is not None:
                self.canaries.append(answer.canary)

    def report(self, last_allowed_ms: int) -> None:
        """Report of the canary."""
        report = ProbeReport(self.canaries[0].id, last_allowed_ms, last_allowed_ms, last_allowed_ms + 1, "x")
        self.follower.poll(probes=(report,))


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is waited for who does not report."""
    monkeypatch.setattr(probing, "REPORT_SECONDS", 0.2)


def _stale(node: Node) -> int:
    return AuditEvent.objects.filter(subject=node.id, type="node.probe_stale").count()


@pytest.mark.usefixtures("quick")
def test_a_canary_is_issued_told_and_revoked() -> None:
    """
    The node gets the token of a key without permissions, sealed, with the key; afterwards the key is revoked,
    the receipt complete, what was sealed gone, and a node that has not reported is missing.
    """
    node = Probed()
    task = Task(probing.run)
    node.follow(task)
    view = task.result()
    [canary] = node.canaries
    token = sealing.unseal(peppers().active, canary.sealed, canary.id)
    key = credentials.by_ids([view.probe.credential_id])[view.probe.credential_id]

    assert token is not None
    assert key.kid in token.decode()
    assert ("revoked", directory.CANARY_HANDLE, "done") == (
        key.state,
        key.principal and key.principal.handle,
        view.probe.state,
    )
    assert (None, [node.follower.node.name], False) == (view.probe.sealed, view.missing, view.is_good)
    assert view.probe.completed_at is not None
    assert probing.canary_for([Change(1, Kind.CREDENTIAL, key.kid, None)]) is None


@pytest.mark.usefixtures("quick")
def test_an_acceptance_after_the_receipt_comes_on_record_once() -> None:
    """
    A report is judged by the completion of the receipt, whenever it arrives: an acceptance before it is as it
    should be, one after it is a broken promise, which is recorded once however often it is told.
    """
    node = Probed()
    task = Task(probing.run)
    node.follow(task)
    done = milliseconds(task.result().probe.completed_at)
    node.report(done + probing.MARGIN_MS)
    assert (0, False) == (_stale(node.follower.node), ProbeResult.objects.get().is_stale)

    for _ in range(2):
        node.report(done + probing.MARGIN_MS + 1)
    assert (1, True) == (_stale(node.follower.node), ProbeResult.objects.get().is_stale)
    assert not probing.view(Probe.objects.get()).is_good


def test_a_report_before_the_receipt_is_judged_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    A node that reports early, of an instant that turns out to lie after the receipt, is found as well.
    """
    monkeypatch.setattr(probing, "REPORT_SECONDS", 0.2)
    node = Probed()
    task = Task(probing.run)
    while not node.canaries:
        answer = node.follower.poll(wait=0.1)
        node.canaries += [] if answer.canary is None else [answer.canary]
    node.report(milliseconds(timezone.now()) + 60_000)
    node.follow(task)
    view = task.result()

    assert ([], 1) == (view.missing, _stale(node.follower.node))


@pytest.mark.usefixtures("quick")
def test_processes_probe_in_turn() -> None:
    """
    Of several processes with one period only one probes in it; whoever asks for a probe gets one.
    """
    first, second = probing.run(timedelta(seconds=60)), probing.run(timedelta(seconds=60))
    asked = probing.run()

    assert (True, None, True) == (first is not None, second, asked is not None)


@pytest.mark.usefixtures("quick")
def test_canaries_that_were_left_behind_are_revoked() -> None:
    """
    A process that was killed in a probe leaves a key; a later probe revokes it, so the account never fills up.
    """
    probing.run()
    organization = directory.installation()
    assert organization is not None
    begun = probing._begin(None, SYSTEM, "probe")
    assert begun is not None
    old = timezone.now() - probing.LEFT_BEHIND - timedelta(seconds=1)
    key = begun[0].credential
    with transaction(SYSTEM) as tx:
        key.issued_at = old
        key.save()
        tx.record("key.renamed", key.id, name="aged", organization=organization.id)
    assert probing.canary_for([Change(1, Kind.CREDENTIAL, key.kid, None)]) is not None
    probing.run()

    assert "revoked" == credentials.by_ids([key.id])[key.id].state


@pytest.mark.usefixtures("quick")
def test_probes_run_by_themselves() -> None:
    """
    The thread of a process probes once a period, and no more once it is stopped; a period of 0 starts none.
    """
    prober.start(0)
    assert prober._prober is None
    prober.start(1)
    try:
        until = time.monotonic() + 20
        while Probe.objects.filter(state="done").count() < 2 and time.monotonic() < until:
            time.sleep(0.05)
    finally:
        prober.stop()

    assert Probe.objects.filter(state="done").count() >= 2


@pytest.mark.parametrize(
    ("report", "field"),
    [
        (ProbeReport("prb_x", -1), "probes.0.allowed_at"),
        (ProbeReport("prb_x", 1, 1 << 60), "probes.0.last_allowed_at"),
        (ProbeReport("key_x"), "probes.0"),
        (ProbeReport("prb_x", reason="No Reason"), "probes.0"),
    ],
)
def test_a_report_that_none_can_give_is_refused(report: ProbeReport, field: str) -> None:
    """
    What is no instant, no probe or no reason is no report; one of a probe that is gone is dropped.
    """
    follower = Follower.create()
    follower.catch_up()
    with pytest.raises(Refused) as refused:
        follower.poll(probes=(report,))
    follower.poll(probes=(ProbeReport("prb_gone", 1, 1, 2, "credential_revoked"),))

    assert field == refused.value.field
    assert 0 == ProbeResult.objects.count()


def test_a_node_reports_as_so_many_followers_at_most() -> None:
    """
    What names ever more followers of a node is kept up to a number; one of those that are kept may say more.
    """
    view = probing.run()
    assert view is not None
    node, probe = Follower.create().node, view.probe
    names = [f"{number:032x}" for number in range(probing.MOST_FOLLOWERS + 3)]
    for name in names:
        probing.take(node, name, [ProbeReport(probe.id, 1, 1, 2, "credential_revoked")])
    probing.take(node, names[0], [ProbeReport(probe.id, 1, 1, 3, "credential_revoked")])
    found = ProbeResult.objects.filter(probe=probe, node=node)

    assert set(names[: probing.MOST_FOLLOWERS]) == {each.incarnation for each in found}
    assert [3] == [
        milliseconds(each.refused_at) for each in found if each.incarnation == names[0] and each.refused_at
    ]


def test_old_probes_go() -> None:
    """
    What was found is kept for a day; the canary's key stays on record.
    """
    view = probing.run()
    assert view is not None
    gone = probing.prune(timezone.now() + probing.KEPT + timedelta(seconds=1), 100)

    assert gone >= 1
    assert not Probe.objects.exists()
    assert credentials.by_ids([view.probe.credential_id])
