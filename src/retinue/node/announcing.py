"""Tells the control plane with which key this node signs, where its polls do not come there.

A node that follows the control plane says so in its polls. One behind a relay says it once, by a call that
relays pass on: then the control plane hears it from the node itself, and sees which credential it uses.
"""

from __future__ import annotations

import logging
import threading
import time

from retinue.node.complaints import Complaint
from retinue.node.credential import NodeToken
from retinue.node.feed_client import FeedClient, FeedError
from retinue.node.identity import IdentityKey
from retinue.node.settings import Settings

_log = logging.getLogger("retinue.follower")
TIMEOUT_SECONDS = 5.0
#: Longer than an announcement lasts.
PAUSE_SECONDS = 6.0


class Announcing:
    """What this process has announced."""

    def __init__(self, settings: Settings, token: NodeToken) -> None:
        self._settings = settings
        self._token = token
        self._complaint = Complaint(_log, "announcing this node's key to the control plane")
        self._next = 0.0
        self._announced = ("", "")

    def announce(self, key: IdentityKey) -> None:
        """Announce key and credential if they have changed; on a thread, so that no poll waits for it."""
        here = (key.kid, self._token.reveal())
        if here == self._announced or time.monotonic() < self._next:
            return
        self._next = time.monotonic() + PAUSE_SECONDS
        threading.Thread(target=self._announce, args=(key, here), daemon=True).start()

    def _announce(self, key: IdentityKey, here: tuple[str, str]) -> None:
        client = FeedClient(self._settings.control_url, self._token)
        try:
            client.announce(self._settings.node_name, {"kid": key.kid, "x": key.x}, TIMEOUT_SECONDS)
        except FeedError as error:
            self._complaint.failed(error)
        else:
            self._complaint.worked()
            self._announced = here
        finally:
            client.close()
