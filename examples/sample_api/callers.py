"""Who calls the sample, in two ways; a deployment chooses one.

*Behind a gateway* the gateway has asked Retinue already and says who calls in one signed header,
``Retinue-Identity``. Only the signature is believed: a header that anybody could have typed is nothing.
*Directly* the sample asks the node itself about the token that the caller presents.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from dataclasses import dataclass
from email.message import Message
from typing import Any, NamedTuple

from retinue.decision import Allowed, Denied, Reason
from retinue.verifier import Question

#: How long a node may take to answer before the call is refused.
TIMEOUT_SECONDS = 2.0


@dataclass(frozen=True)
class Caller:
    """An authenticated caller: id, name, and the permission that was checked for this request."""

    id: str
    name: str
    permission: str


class Asked(NamedTuple):
    """One request: its headers, the permission that its route needs, and where it came from and goes."""

    headers: Message
    permission: str
    method: str
    path: str
    address: str


class Refused(Exception):
    """The call is refused; ``denied`` says why, ``detail`` is for the sample's operator only."""

    def __init__(self, denied: Denied, detail: str = "") -> None:
        super().__init__(detail)
        self.denied = denied


class Gateway:
    """Believes ``Retinue-Identity`` if a node signed it, for this permission, a moment ago."""

    def __init__(self, node_url: str) -> None:
        from retinue.guard.identity import Identities

        self._identities = Identities(node_url)

    def caller(self, asked: Asked) -> Caller:
        """Return who calls. Raises :class:`Refused` unless exactly one valid identity is there."""
        presented = asked.headers.get_all("Retinue-Identity") or [""]
        decided = self._identities.decide(Question(", ".join(presented), (asked.permission,)))
        if not isinstance(decided, Allowed):
            raise Refused(decided.decision)
        return Caller(decided.caller.id, decided.caller.name, asked.permission)


class Direct:
    """Asks the node about the token in ``Authorization: Bearer``."""

    def __init__(self, node_url: str) -> None:
        self._url = f"{node_url}/v1/verify"

    def caller(self, asked: Asked) -> Caller:
        """Return who calls. Raises :class:`Refused` with the node's reason otherwise."""
        presented = asked.headers.get_all("Authorization") or []
        if not presented:
            raise Refused(Denied(Reason.TOKEN_MISSING))
        scheme, _, token = presented[0].partition(" ")
        if len(presented) != 1 or scheme.lower() != "bearer":
            raise Refused(Denied(Reason.SCHEME_NOT_ACCEPTED))
        about = {"address": asked.address, "method": asked.method, "path": asked.path}
        decision = _call(self._url, {"token": token.strip(), "need": [asked.permission], **about})
        if not decision["allowed"]:
            raise Refused(Denied(Reason(decision["reason"]), permission=decision["permission"]))
        return Caller(decision["account"]["id"], decision["account"]["name"], asked.permission)


def _call(url: str, document: object = None) -> Any:
    """Ask the node. Whatever goes wrong, the call is refused: not knowing is never a yes."""
    data = None if document is None else json.dumps(document).encode()
    request = urllib.request.Request(url, data=data, headers={"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:
            return json.load(answer)
    except (OSError, ValueError) as error:
        raise Refused(Denied(Reason.REPLICA_STALE), f"no decision from {url}: {error}") from None
