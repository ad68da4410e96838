"""Verifies the canary of a probe over this host's replica, again and again until it is refused, and reports.

The control plane cannot reach a node, so the node itself shows that it keeps the promise: with the verifier
and the replica that its workers use, from a thread beside the follower. What it says is when, and by the
control plane's clock: the time in the last answer and what has passed here since. That is never later than it
was, so a report can show that the promise was broken, and never shows it falsely.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import Any, Protocol

import lmdb
import msgspec

from retinue.decision import Denied, Reason
from retinue.node.feed_client import Canary
from retinue.pepper import Peppers
from retinue.replica import lease
from retinue.replica.reading import Replica
from retinue.sealing import unseal
from retinue.verifier import Question, Verifier

_log = logging.getLogger("retinue.follower")
PAUSE_SECONDS = 0.02
#: Longer than the longest lease makes no sense to wait, and a probe ends sooner.
MOST_SECONDS = 3_700.0
#: Reports are kept until the control plane has them: the latest.
MOST_REPORTS = 16
_REMEMBERED = 64


class Followed(Replica, Protocol):
    """A replica that knows what time it is for the control plane: never later than it is."""

    def control_time_ms(self, boot_ns: int) -> int:
        """Return the control plane's wall clock at an instant of the boot-time clock."""


class Canaries:
    """The canaries that this node was given; one thread each, as long as it lasts."""

    def __init__(self, replica: Followed, peppers: Peppers, brands: tuple[str, ...]) -> None:
        self._replica = replica
        self._peppers = peppers
        self._verifier = Verifier(replica, peppers, brands=brands, unseal=unseal)
        self._known: list[str] = []
        self._reports: list[dict[str, Any]] = []
        self._lock = threading.Lock()

    def begin(self, canary: Canary) -> None:
        """Verify a canary from now on; one that is known already, or not for us, is nothing new."""
        token = unseal(self._peppers.active, canary.sealed, canary.id)
        if canary.id in self._known or token is None:
            return
        self._known = [*self._known, canary.id][-_REMEMBERED:]
        threading.Thread(
            target=self._verify, args=(canary.id, token.decode()), name="retinue-canary", daemon=True
        ).start()

    def reports(self) -> list[dict[str, Any]]:
        """Return what the control plane does not know yet."""
        with self._lock:
            return list(self._reports)

    def told(self, reports: list[dict[str, Any]]) -> None:
        """Forget reports that a poll has told; it was answered."""
        with self._lock:
            self._reports = [each for each in self._reports if each not in reports]

    def _verify(self, ident: str, token: str) -> None:
        report: dict[str, Any] = {"id": ident}
        question = Question(token, scheme=None)
        until = time.monotonic() + MOST_SECONDS
        while time.monotonic() < until:
            at = self._control_ms()
            reason = self._reason(question)
            if reason is None:
                report.setdefault("allowed_at", at)
                report["last_allowed_at"] = at
            elif reason is not Reason.REPLICA_STALE:
                report |= {"refused_at": at, "reason": reason.value}
                break
            time.sleep(PAUSE_SECONDS)
        with self._lock:
            self._reports = [*self._reports, report][-MOST_REPORTS:]

    def _reason(self, question: Question) -> Reason | None:
        """Decide; ``None`` is allowed. A replica that cannot be read decides nothing."""
        try:
            decision = self._verifier.verify(question)
        except (lmdb.Error, msgspec.DecodeError) as error:
            _log.info("the canary cannot be verified now: %s", error)
            return Reason.REPLICA_STALE
        return decision.reason if isinstance(decision, Denied) else None

    def _control_ms(self) -> int:
        """Return the control plane's time, as far as it is known here: never later than it is."""
        return max(self._replica.control_time_ms(lease.boot_clock_ns()), 0)
