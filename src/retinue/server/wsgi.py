"""The WSGI application that granian serves. Loaded in the worker process."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterable
from types import FrameType
from typing import Any

import django
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler

from retinue.supervisor import die_with_parent

# A worker whose parent was killed would keep the port and the database; it ends with its parent.
die_with_parent()
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "retinue.server.settings")
django.setup()


class Application:
    """Django, with an end: from SIGUSR1 on it is not ready, holds no poll, and closes connections."""

    def __init__(self) -> None:
        self._django = WSGIHandler()
        self._is_ending = False

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer one request."""
        if not self._is_ending:
            return self._django(environ, start_response)
        if environ["PATH_INFO"] == "/readyz":
            start_response("503 Service Unavailable", [("Connection", "close"), ("Retry-After", "1")])
            return []

        def closing(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
            return start_response(status, [*headers, ("Connection", "close")], *rest)

        return self._django(environ, closing)

    def end(self, _number: int, _frame: FrameType | None) -> None:
        """Begin to end; what has begun is answered."""
        from retinue.server import housekeeping
        from retinue.server.nodes import prober, receipts, recovery, wake

        self._is_ending = True
        housekeeping.stop()
        prober.stop()
        receipts.stop()
        recovery.stop()
        wake.commits.close()


def _application() -> Application:
    from retinue.server import housekeeping
    from retinue.server.nodes import checkpoint, prober, receipts, recovery, wake
    from retinue.server.traffic import recorder

    checkpoint.keep(settings.INSTALLATION.home)
    wake.start()
    receipts.keep()
    recovery.keep()
    recorder.start()
    housekeeping.start()
    prober.start(settings.INSTALLATION.probe_seconds)
    made = Application()
    signal.signal(signal.SIGUSR1, made.end)
    return made


application = _application()
