"""Clients that ask the node all the time: with live, ended, retiring and made-up tokens."""

from __future__ import annotations

import random
import threading
import time

from retinue.token import Kind, mint
from tests.crash.history import History, Pass, Verification, now
from tests.support.wire import Broken, Wire

_PAUSE_SECONDS = 0.012
_RETRY_SECONDS = 0.02


class Asker(threading.Thread):
    """One client of the node. Each question has a path of its own, by which the request log knows it."""

    def __init__(self, name: str, wire: Wire, history: History, seed: str) -> None:
        super().__init__(name=name, daemon=True)
        self.stopping = threading.Event()
        self._wire = wire
        self._history = history
        self._chance = random.Random(seed)  # noqa: S311
        self._count = 0

    def run(self) -> None:
        """Ask."""
        while not self.stopping.is_set():
            presented = self._stranger() if self._chance.random() < 0.1 else self._history.pick(self._chance)
            if presented is not None:
                found = ask(self._wire, presented, self._path())
                self._history.verifications.append(found)
                if found.allowed is None:
                    time.sleep(_RETRY_SECONDS)
            time.sleep(self._chance.random() * _PAUSE_SECONDS)
        self._wire.close()

    def _path(self) -> str:
        self._count += 1
        return f"/{self.name}/{self._count}"

    def _stranger(self) -> Pass:
        """Return a token that nobody issued: of an unknown key, of a known one, or no token at all."""
        form = self._chance.randrange(3)
        if form == 0:
            return Pass(-1, "".join(self._chance.choices("rtnsa_0aZ", k=68)))
        known = self._history.pick(self._chance) if form == 1 else None
        kid = None if known is None else known.credential.partition("_")[2]
        return Pass(-1, mint(Kind.API_KEY, kid=kid or None).reveal())


def ask(wire: Wire, presented: Pass, path: str) -> Verification:
    """Ask the node about a token, and return what it answered."""
    body = {"token": presented.token, "method": "GET", "path": path}
    began = now()
    try:
        reply = wire.call("POST", "/v1/verify", body)
    except Broken:
        return Verification(presented.number, path, began, now(), None)
    ended = now()
    if reply.status != 200:
        return Verification(presented.number, path, began, ended, None, f"{reply.status} {reply.body}")
    account = (reply.body["account"] or {}).get("id")
    return Verification(
        presented.number, path, began, ended,
        reply.body["allowed"], reply.body["reason"], reply.body["credential_id"], account,
    )  # fmt: skip
