"""Clients that issue keys and take them away again, in several ways, and read the receipt."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from tests.cluster.history import STOCK, Ending, History, Pass, now
from tests.cluster.verifiers import PERMISSION, question
from tests.support.installation import ADMIN_EMAIL
from tests.support.wire import Broken, Reply, Wire

ACCOUNTS, KEYS = "/v1/service-accounts", "/v1/keys"
OPERATIONS = ("revoke", "regenerate", "rotate", "disable", "delete account", "delete grant")
KEYS_EACH = 4
_RETRY_SECONDS = 0.05
#: A call that is not answered well after so long, and many attempts, never will be.
_GIVE_UP_SECONDS = 45.0
#: These are answers of a control plane that is busy or cut off; the call is repeated.
_AGAIN = frozenset({429, 500, 502, 503, 504})


class Unanswered(Exception):
    """A call is refused, or never promised."""


class Revoker(threading.Thread):
    """One client. A call that breaks is repeated, at the next control plane, until it is answered.

    One of a ``group`` takes a change for done when it is committed, as if telling the nodes were enough.
    """

    def __init__(self, name: str, wires: list[Wire], history: History, seed: str, group: str = "") -> None:
        super().__init__(name=name, daemon=True)
        self.stopping = threading.Event()
        self._wires = wires
        self._history = history
        self._chance = random.Random(seed)  # noqa: S311
        self._group = group
        self._count = 0

    def run(self) -> None:
        """Issue and take away until told to stop."""
        while not self.stopping.is_set():
            with suppress(Unanswered):  # it is a finding already
                self._round()
        for wire in self._wires:
            wire.close()

    def fill_stock(self, count: int) -> None:
        """Issue passes that nobody ends; for the thread that makes this client, before it starts."""
        path, _ = self._account()
        for _ in range(count):
            made = self._call("POST", f"{path}/keys", {"name": self._next()})
            self._history.stock.append(self._history.issued(question(made.body["token"]), STOCK))

    def _account(self) -> tuple[str, str]:
        """Make an account with a grant; return its path and the grant's id."""
        body = {"name": self._next(), "purpose": "a test", "owners": [ADMIN_EMAIL]}
        path = f"{ACCOUNTS}/{self._call('POST', ACCOUNTS, body).body['id']}"
        granted = {"permission": PERMISSION, "justification": "a test"}
        return path, self._call("POST", f"{path}/grants", granted).body["id"]

    def _round(self) -> None:
        """Make an account with a grant and keys; end some of the keys one by one, then the rest at once."""
        path, grant = self._account()
        keys = [
            self._issued(self._call("POST", f"{path}/keys", {"name": self._next()})) for _ in range(KEYS_EACH)
        ]
        for operation in self._chance.sample(OPERATIONS[:3], 3):
            ident, ended = keys.pop(0)
            body = {"overlap": "0s", "name": self._next()} if operation == "rotate" else {}
            reply = self._end(operation, "POST", f"{KEYS}/{ident}/{operation}", body, [ended])
            if operation != "revoke":
                keys.append(self._issued(reply))
        last = self._chance.choice(OPERATIONS[3:])
        method, target = {
            "disable": ("POST", f"{path}/disable"),
            "delete account": ("DELETE", path),
            "delete grant": ("DELETE", f"{path}/grants/{grant}"),
        }[last]
        self._end(last, method, target, {} if method == "POST" else None, [each for _, each in keys])

    def _issued(self, reply: Reply) -> tuple[str, Pass]:
        return reply.body["key"]["id"], self._history.issued(question(reply.body["token"]), self._group)

    def _end(self, operation: str, method: str, path: str, body: Any, passes: list[Pass]) -> Reply:
        """Make a change that ends passes, and wait for its promise."""
        called = now()
        self._history.calling(passes)
        try:
            reply = self._call(method, path, body, is_last=self._is_promised)
        except Unanswered:
            self._history.abandoned(passes)
            raise
        returned = now()
        receipt = (reply.body or {}).get("receipt") or {}
        self._history.returned(
            Ending(
                operation, tuple(each.number for each in passes), called, self._began, returned,
                bool(receipt.get("complete")) or bool(self._group), tuple(receipt.get("nodes", ())),
                self._history.phase, self._group,
            )
        )  # fmt: skip
        return reply

    def _is_promised(self, reply: Reply) -> bool:
        """A receipt that is not complete is followed by repeating the call, which waits for the same one."""
        return bool(self._group) or bool(((reply.body or {}).get("receipt") or {}).get("complete"))

    def _call(self, method: str, path: str, body: Any, is_last: Any = lambda reply: True) -> Reply:
        """Repeat a call until it is answered well; it is made once. Remembers when the last one was sent."""
        headers: Mapping[str, str] = {"Idempotency-Key": self._next()} | (
            {"Prefer": "wait=0"} if self._group else {}
        )
        attempts, give_up = 0, now() + _GIVE_UP_SECONDS
        while True:
            wire = self._wires[attempts % len(self._wires)]
            attempts += 1
            self._began = now()
            try:
                reply = wire.call(method, path, body, headers)
            except Broken:
                time.sleep(_RETRY_SECONDS)
                continue
            if reply.status < 300 and is_last(reply):
                return reply
            if (reply.body or {}).get("code") == "idempotency_used":
                raise Unanswered("made, and never promised")
            if (reply.status >= 300 and reply.status not in _AGAIN) or now() > give_up:
                said = f"{method} {path}: {reply.status} {reply.body}, attempt {attempts}"
                self._history.refusals.append(said)
                raise Unanswered(said)
            time.sleep(_RETRY_SECONDS)

    def _next(self) -> str:
        self._count += 1
        return f"{self.name}-{self._count}"
