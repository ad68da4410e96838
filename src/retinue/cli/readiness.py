"""Tells in one line each what listens where, as soon as it answers that it is ready."""

from __future__ import annotations

import sys
import threading
import time

from retinue.client.errors import ClientError
from retinue.client.transport import Transport

_POLL_SECONDS = 0.1
#: After this a person is told what is not ready yet; waiting goes on.
_PATIENCE_SECONDS = 30.0


def announce_when_ready(listeners: list[tuple[str, str]]) -> None:
    """Watch each listener (name, address) in the background and announce it once it is ready."""
    for name, url in listeners:
        threading.Thread(target=_announce, args=(name, url), daemon=True, name=f"ready {name}").start()


def _announce(name: str, url: str) -> None:
    started = time.monotonic()
    patient = True
    while not is_ready(url):
        if patient and time.monotonic() - started > _PATIENCE_SECONDS:
            patient = False
            print(f"{name:<14}{url}  not ready yet; still waiting", file=sys.stderr, flush=True)
        time.sleep(_POLL_SECONDS)
    print(f"{name:<14}{url}  ready", file=sys.stderr, flush=True)


def is_ready(url: str) -> bool:
    """Tell whether the server at ``url`` says that it is ready."""
    transport = Transport(url, timeout=2.0)
    try:
        return transport.send("GET", "/readyz").status == 200
    except ClientError:
        return False
    finally:
        transport.close()
