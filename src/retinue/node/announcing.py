"""Tells the control plane with which key this node signs, where its polls do not come there.

A node that follows the control plane says so in its polls. One behind a relay says it once, by a call that
relays pass on: then the control plane hears it from the node itself, and sees which credential it uses. What
the node found of probes goes the same way.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import Any

from retinue.node.canary import Canaries
from retinue.node.complaints import Complaint
from retinue.node.credential import NodeToken
from retinue.node.feed_client import FeedClient, FeedError
from retinue.node.identity import IdentityKey
from retinue.node.settings import Settings

_log = logging.getLogger("retinue.follower")
TIMEOUT_SECONDS = 5.0
#: Longer than an announcement lasts.
PAUSE_SECONDS = 6.0
#: A probe waits for reports, so one that could not be told is told again sooner.
REPORT_PAUSE_SECONDS = 1.0


class Announcing:
    """What this process has announced."""

    def __init__(self, settings: Settings, token: NodeToken, canaries: Canaries) -> None:
        self._settings = settings
        self._canaries = canaries
        self._token = token
        self._complaint = Complaint(_log, "announcing this node's key to the control plane")
        self._began = float("-inf")
        self._is_at_work = False
        self._announced = ("", "")

    def announce(self, key: IdentityKey, incarnation: str) -> None:
        """Announce key and credential if they have changed, and reports of probes that the control plane does
        not have; on a thread, so that no poll waits for it.
        """
        here, reports = (key.kid, self._token.reveal()), self._canaries.reports()
        if self._is_at_work or (here == self._announced and not reports):
            return
        if time.monotonic() < self._began + (REPORT_PAUSE_SECONDS if reports else PAUSE_SECONDS):
            return
        self._began, self._is_at_work = time.monotonic(), True
        body: dict[str, Any] = {
            "node": self._settings.node_name,
            "identity_key": {"kid": key.kid, "x": key.x},
        }
        if reports:
            body |= {"incarnation": incarnation, "probes": reports}
        threading.Thread(target=self._announce, args=(body, here), daemon=True).start()

    def _announce(self, body: dict[str, Any], here: tuple[str, str]) -> None:
        client = FeedClient(self._settings.control_url, self._token)
        try:
            client.announce(body, TIMEOUT_SECONDS)
        except FeedError as error:
            self._complaint.failed(error)
        else:
            self._complaint.worked()
            self._announced = here
            self._canaries.told(body.get("probes", []))
        finally:
            client.close()
            self._is_at_work = False
