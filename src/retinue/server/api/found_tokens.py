"""Which credentials belong to tokens that somebody found: whoever holds one has proved enough to end it."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from django.conf import settings

from retinue.decision import Caller, Denied, Reason
from retinue.formats import Reader
from retinue.server.api import claiming, guard
from retinue.server.credentials.queries import known_kids
from retinue.server.errors import Refused
from retinue.server.ledger.transaction import Actor, reading
from retinue.token import parse
from retinue.verifier import API_KINDS, Question

#: Tokens of which only a slow hash may be known: so many are tried in one call.
SLOW_MOST = 3


@dataclass(frozen=True, slots=True)
class Found:
    """The credential of a genuine token, and whether the token still worked."""

    credential: str
    organization: str
    is_usable: bool


@cache
def _brands() -> tuple[str, ...]:
    return (settings.INSTALLATION.brand,)


@cache
def _reader() -> Reader:
    return Reader(_brands())


def identify(tokens: Iterable[str], actor: Actor) -> dict[str, Found]:
    """Return what is known of each genuine token; the others are left out.

    An access token counts as its key's until it ends: nothing else ends it. Raises :class:`Refused` while the
    history is in doubt: then nobody knows what is genuine.
    """
    asked = list(dict.fromkeys(each.strip() for each in tokens))
    found: dict[str, Found] = {}
    slow: list[str] = []
    with reading():
        for text in _possible(asked):
            decision = guard.verifier().verify(_question(text))
            if isinstance(decision, Denied) and decision.reason is Reason.REPLICA_STALE:
                raise Refused("epoch_recovering", "nobody knows now which tokens are genuine")
            if decision.caller is not None and not _is_over(decision.caller):
                usable = not isinstance(decision, Denied)
                found[text] = Found(decision.caller.credential_id, decision.caller.organization, usable)
            elif isinstance(decision, Denied) and decision.claim:
                slow.append(text)
    # What was imported with a slow hash and never used yet; trying takes up to a second each.
    for text in slow[:SLOW_MOST]:
        if claiming.claim(text, actor):
            found |= identify([text], actor)
    return found


def _is_over(caller: Caller) -> bool:
    """Tell whether what was found is an access token that has ended: its key need not end for it."""
    return 0 < caller.access_until_ms <= time.time() * 1000


def _question(text: str) -> Question:
    return Question(text, scheme=None, kinds=API_KINDS, counts=False)


def _possible(tokens: list[str]) -> list[str]:
    """Return those that may be known: of most that strangers make up, one query tells that they are not."""
    named = {text: read.kid for text in tokens if (read := parse(text, _brands())) is not None}
    known = known_kids(named.values())
    return [
        text
        for text in tokens
        if (named[text] in known if text in named else _reader().read(text) is not None)
    ]
