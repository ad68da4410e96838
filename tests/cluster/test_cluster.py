"""What is revoked stays revoked on every node, while processes, links and clocks fail."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cluster import judge
from tests.cluster.clocks import FAST_RATE, RATE, TOO_SLOW
from tests.cluster.history import History
from tests.cluster.run import (
    CONTROLS,
    SHORT_SECONDS,
    expected,
    figures,
    lease_seconds,
    run,
    seconds,
    seed,
    shortfalls,
)
from tests.server_support.django_setup import kinds
from tests.support.requirements import need


def _forms() -> list[object]:
    """The databases; and on SQLite a tree, in which two nodes follow the third."""
    return [*kinds(), "relay"]


@pytest.mark.parametrize("kind", _forms())
def test_nothing_is_allowed_after_its_end_was_promised(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """
    No verification that begins after the return of a complete receipt is allowed, on any node, through stops,
    kills, cuts and a slow clock; each receipt comes in time, and waits out the lease of no node in touch.
    Clients and nodes that are wrong on purpose are caught; in a long run the control plane finds the clock that is
    too slow, and no other. The same holds behind a relay, and a relay that is wrong on purpose is caught.
    """
    if kind == "postgresql":
        need("postgres")
    lease = lease_seconds() + (kind == "relay")
    with capsys.disabled():
        drawn = seed()
    history = run(tmp_path, drawn, seconds(), lease, postgres=kind == "postgresql", tree=kind == "relay")
    findings = judge.judge(history, lease)
    with capsys.disabled():
        _report(kind, history, findings)

    assert [] == findings
    assert {} == shortfalls(history)
    assert expected(kind, seconds()) == set(judge.controls(history))
    assert pytest.approx(RATE, abs=0.025) == history.rates["in the run"]
    assert pytest.approx(FAST_RATE, abs=0.025) == history.rates["fast"]
    if CONTROLS[3] in expected(kind, seconds()):
        assert pytest.approx(TOO_SLOW, abs=0.025) == history.rates[CONTROLS[3]]
    if seconds() >= SHORT_SECONDS:
        assert ["n2"] == [name for name, is_slow in history.slow_clocks.items() if is_slow]


def _report(kind: str, history: History, findings: list[str]) -> None:
    print(f"{kind}: " + ", ".join(f"{count} {name}" for name, count in figures(history).items()))
    print(
        f"faults for {history.seconds:.0f} s; {len(history.losses)} losses of the database; seen last: {history.lacked}"
    )
    waits = sorted(each.returned - each.began for each in history.endings if not each.group)
    if waits:
        at = {share: waits[int(share * (len(waits) - 1))] * 1e3 for share in (0.5, 0.9, 0.99, 1.0)}
        print("receipts, ms: " + ", ".join(f"p{share * 100:g} {ms:.0f}" for share, ms in at.items()))
    print(f"answers: {dict(history.counts())}")
    print(f"negative controls: {dict(judge.controls(history))}; clock rates: {history.rates}")
    for fault, (count, share) in judge.shares(history).items():
        times = sum(each.kind == fault and each.is_confirmed for each in history.faults)
        print(f"  {fault:30} {times:3} times, {count:7} tokens in force asked, {share:7.2%} allowed")
    print(f"{len(findings)} findings")
    print("\n".join(findings[:20]))
