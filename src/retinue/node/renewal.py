"""Renews the node's credential when the control plane says that it is due."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from functools import partial

from retinue.node.complaints import Complaint
from retinue.node.credential import NodeToken
from retinue.node.feed_client import FeedClient, FeedError
from retinue.node.settings import Settings
from retinue.token import Kind, parse

_log = logging.getLogger("retinue.follower")
TIMEOUT_SECONDS = 5.0
#: A renewal that failed is tried again after this long: a third of the credential's life is left for it.
PAUSE_SECONDS = 600.0
#: Waits for something in such a way that a signal ends it at once.
Waiting = Callable[[Callable[[], str]], str]


class Renewal:
    """The renewal of one credential, by its follower."""

    def __init__(self, client: FeedClient, token: NodeToken, settings: Settings, waiting: Waiting) -> None:
        self._client = client
        self._token = token
        self._brands = settings.brands
        self._waiting = waiting
        self._complaint = Complaint(_log, f"renewing the credential in {settings.node_token_file}", 0.0)
        self._next = 0.0

    def try_now(self) -> None:
        """Renew, unless that failed lately; if it fails, the present one goes on, and it is tried again."""
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + PAUSE_SECONDS
        try:
            self._token.renew(self._renewed)
        except (FeedError, OSError) as error:
            self._complaint.failed(error)
        else:
            self._complaint.worked()
            _log.info("the node's credential is renewed")

    def _renewed(self) -> str:
        text = self._waiting(partial(self._client.renew, TIMEOUT_SECONDS))
        token = parse(text, self._brands)
        if token is None or token.kind is not Kind.NODE:
            raise FeedError(0, "unreadable", "what should be a node's token is none")
        return token.reveal()
