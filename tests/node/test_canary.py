"""What a node reports of a canary: when it allowed it first and last, by the control plane's clock."""

from __future__ import annotations

import time
from typing import Any

import msgspec
import pytest

from retinue.node.canary import Canaries
from retinue.node.feed_client import Canary
from retinue.pepper import Peppers
from retinue.replica import lease
from retinue.replica.memory import MemoryReplica
from retinue.replica.records import Change, Credential, Kind, Meta, Organization, Principal, encode
from retinue.sealing import seal
from retinue.token import Kind as TokenKind
from retinue.token import mint
from tests.support.leases import leased
from tests.support.processes import wait_for
from tests.unit.decided import PEPPER, own

CONTROL_MS = 1_700_000_000_000


class _Node(MemoryReplica):
    """A node's replica with a canary, in the hands of a test; the last answer was heard a second ago."""

    def __init__(self) -> None:
        super().__init__()
        self.asked, self.is_to_end, self.revoked = 0, False, 0.0
        self.began_ns = lease.boot_clock_ns()
        heard_ns = self.began_ns - 1_000_000_000
        self.meta = leased(Meta(1, 1, True, control_time_ms=CONTROL_MS, heard_ns=heard_ns))
        self.token = mint(TokenKind.API_KEY)
        digests = (own(self.token.as_bytes()),)
        self.key = Credential("key", TokenKind.API_KEY.value, "org", "sa", "active", digests)
        account = Principal("sa", "service_account", "org", "canary", "Canary", "enabled")
        rows = {
            (Kind.ORGANIZATION, "org"): Organization("org", "acme", "Acme", "enabled", ("bearer",)),
            (Kind.PRINCIPAL, "sa"): account,
            (Kind.CREDENTIAL, self.token.kid): self.key,
        }
        self.apply([Change(1, *place, encode(row)) for place, row in rows.items()], self.meta)
        self.canaries = Canaries(self, Peppers([PEPPER]), ("rtn",))

    def canary(self, ident: str = "prb_1") -> Canary:
        """Return what the control plane hands out."""
        return Canary(ident, seal(PEPPER, self.token.reveal().encode(), ident))

    def change(self, meta: Meta | None = None, **fields: Any) -> None:
        """Change the key, or the lease."""
        self.meta = meta or self.meta
        self.key = msgspec.structs.replace(self.key, **fields)
        self.apply([Change(2, Kind.CREDENTIAL, self.token.kid, encode(self.key))], self.meta)

    def revoke(self) -> None:
        """Revoke the key, when the canary is looked at next."""
        self.is_to_end = True

    def verified(self, times: int) -> None:
        """Wait until the canary was verified so many times: before each the time is asked."""
        wait_for(f"{times} verifications", lambda: self.asked > times)

    def control_time_ms(self, boot_ns: int) -> int:
        """The control plane's time, as far as it is known here."""
        self.asked += 1
        if self.is_to_end:
            self.is_to_end, self.revoked = False, self.now_ms()
            self.change(state="revoked")
            boot_ns = lease.boot_clock_ns()
        return self.meta.control_time_ms + (boot_ns - self.meta.heard_ns) // 1_000_000

    def now_ms(self) -> float:
        """The control plane's time."""
        return CONTROL_MS + 1_000 + (lease.boot_clock_ns() - self.began_ns) / 1e6

    def report(self) -> dict[str, Any]:
        """Wait for the one report."""
        wait_for("a report", self.canaries.reports)
        [found] = self.canaries.reports()
        return found


def test_a_revoked_canary_is_reported_with_its_times() -> None:
    """
    It is allowed until it is revoked; the instants are the control plane's, and lie where they happened.
    """
    node = _Node()
    began = node.now_ms()
    node.canaries.begin(node.canary())
    node.verified(1)
    allowed = node.now_ms()
    node.verified(2)
    assert [] == node.canaries.reports()
    node.revoke()
    report = node.report()
    reported, revoked = node.now_ms(), node.revoked

    assert ("prb_1", "credential_revoked") == (report["id"], report["reason"])
    assert began - 1 <= report["allowed_at"] <= allowed
    assert report["allowed_at"] < report["last_allowed_at"] <= revoked + 1
    assert revoked - 1 <= report["refused_at"] <= reported


def test_a_node_without_a_lease_goes_on_until_it_hears_of_the_revoke() -> None:
    """
    A stale replica is no refusal of the canary: a node that is cut off reports when it is in touch again.
    """
    node = _Node()
    node.canaries.begin(node.canary())
    node.verified(1)
    fresh = node.meta
    node.change(msgspec.structs.replace(fresh, fresh_from_ns=0))
    cut, before = node.now_ms(), node.asked
    node.verified(before + 2)
    assert [] == node.canaries.reports()
    node.change(fresh, state="revoked")

    assert node.report()["last_allowed_at"] <= cut + 1


def test_a_report_is_told_until_it_is_answered() -> None:
    """
    Reports stay until a poll that told them was answered; the same canary again is not verified again.
    """
    node = _Node()
    node.change(state="revoked")
    for _ in range(2):
        node.canaries.begin(node.canary())
    first = node.report()
    node.canaries.begin(node.canary("prb_2"))
    wait_for("both", lambda: len(node.canaries.reports()) == 2)
    node.canaries.told([first])

    assert ["prb_2"] == [each["id"] for each in node.canaries.reports()]
    assert "allowed_at" not in first


@pytest.mark.parametrize("sealed", [b"", b"x" * 60])
def test_what_is_sealed_for_others_is_left_alone(sealed: bytes) -> None:
    """
    A canary that this installation's pepper does not open is none of ours; one sealed for another probe neither.
    """
    node = _Node()
    node.canaries.begin(Canary("prb_1", sealed))
    node.canaries.begin(Canary("prb_9", node.canary().sealed))
    time.sleep(0.1)

    assert [] == node.canaries.reports()
