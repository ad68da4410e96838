"""Tries tokens of imported keys of which only a slow hash is known: few at a time, whoever asks."""

from __future__ import annotations

import threading
from functools import cache

from django.conf import settings

from retinue.formats import Reader
from retinue.server.api import guard
from retinue.server.credentials import proving
from retinue.server.errors import Refused
from retinue.server.ledger.transaction import Actor, reading
from retinue.server.nodes import wake
from retinue.verifier import API_KINDS, Question

#: Hashes that are tried at once in this process, and how long a try waits for its turn.
AT_ONCE, WAIT_SECONDS = 2, 1.0
_places = threading.BoundedSemaphore(AT_ONCE)


@cache
def _reader() -> Reader:
    return Reader((settings.INSTALLATION.brand,))


def claim(text: str, actor: Actor) -> bool:
    """Tell whether a token is that of an imported key; the first time its hash is tried, and replaced.

    Refuses what would have to wait for long.
    """
    with reading():
        decision = guard.verifier().verify(Question(text, scheme=None, kinds=API_KINDS, counts=False))
    if decision.caller is not None:
        return True
    other = _reader().read(text)
    if not decision.claim or other is None:
        return False
    if not _places.acquire(timeout=WAIT_SECONDS):
        raise Refused("rate_limited", f"at most {AT_ONCE} tokens are tried at once")
    try:
        genuine = proving.fits(decision.claim, other.whole)
    finally:
        _places.release()
    # Whatever it took: no connection is held by who only computes.
    wake.release_connection()
    if genuine:
        proving.put(actor, decision.claim, other.whole)
    return genuine
