"""The application that granian serves (RSGI). Loaded in the worker process.

Calls run in threads, by Django. Polls of nodes are answered on the event loop (``api.polling``): they need no
thread while they are held, and those that come together share a transaction.
"""

from __future__ import annotations

import asyncio
import os
import signal
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import django
from django.conf import settings

from retinue.supervisor import die_with_parent

# A worker whose parent was killed would keep the port and the database; it ends with its parent.
die_with_parent()
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "retinue.server.settings")
django.setup()

from retinue.server.api.polling import PATH, Polling  # noqa: E402  (Django must be set up before)
from retinue.server.console.security import TRANSPORT_POLICY  # noqa: E402
from retinue.server.threads import MOST_THREADS, Calls  # noqa: E402  (Django must be set up before)

#: Nodes that are in touch confirm a change within this time. A little later the process listens no more.
LAST_SECONDS = 0.25


class Application:
    """Answers requests, until SIGUSR1: from then on it is not ready, holds no poll, closes connections."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(MOST_THREADS, "retinue-call")
        self._calls: Calls | None = None
        self._polling: Polling | None = None

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin, in the worker, on the loop that will run."""
        self._calls = Calls(loop, self._threads)
        self._polling = Polling(loop, self._calls, TRANSPORT_POLICY)
        loop.add_signal_handler(signal.SIGUSR1, self._end)
        _start()
        self._polling.start()

    async def __rsgi__(self, scope: Any, protocol: Any) -> None:
        """Answer one request."""
        assert self._calls is not None  # noqa: S101  (made before the first request)
        assert self._polling is not None  # noqa: S101
        if scope.path == PATH and scope.method == "POST":
            await self._polling.answer(scope, protocol)
        else:
            await self._calls.answer(scope, protocol)

    def _end(self) -> None:
        """Begin to end; what has begun is answered."""
        from retinue.server import housekeeping
        from retinue.server.governance import looker
        from retinue.server.ledger import keeping
        from retinue.server.nodes import prober, receipts, recovery, wake
        from retinue.server.notifications import keeper

        if self._calls is not None and self._polling is not None:
            self._calls.is_ending = self._polling.is_ending = True
        housekeeping.stop()
        keeper.stop()
        looker.stop()
        keeping.stop()
        prober.stop()
        recovery.stop()
        wake.commits.close()
        receipts.end(LAST_SECONDS)


def _start() -> None:
    from retinue.server import audit_log, housekeeping
    from retinue.server.governance import looker
    from retinue.server.nodes import checkpoint, prober, receipts, recovery, wake
    from retinue.server.notifications import keeper
    from retinue.server.traffic import recorder

    checkpoint.keep(settings.INSTALLATION.home)
    wake.start()
    receipts.keep()
    recovery.keep()
    recorder.start()
    audit_log.start(settings.INSTALLATION)
    housekeeping.start()
    keeper.start()
    looker.start()
    prober.start(settings.INSTALLATION.probe_seconds)


application = Application()
