"""A client of the control plane: repeats a call until it is answered, and knows when a change was promised."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.cluster.history import Ending, History, Pass, now
from tests.cluster.verifiers import question
from tests.support.installation import ADMIN_EMAIL
from tests.support.wire import Broken, Reply, Wire

ACCOUNTS, KEYS = "/v1/service-accounts", "/v1/keys"
PERMISSION = "report:read"
WHY = {"justification": "a test"}
_RETRY_SECONDS = 0.05
#: A call that is not answered well after so long, and many attempts, never will be.
_GIVE_UP_SECONDS = 45.0
_HURRY = 0.8
#: These are answers of a control plane that is busy or cut off; the call is repeated.
_AGAIN = frozenset({429, 500, 502, 503, 504})

#: Opens connections to all control planes as the holder of a token, or as the administrator.
Connect = Callable[[str | None], list[Wire]]


class Unanswered(Exception):
    """A call is refused, or never promised."""


@dataclass(slots=True)
class Key:
    """A credential, by its address, and the pass that presents its token."""

    path: str
    held: Pass

    @property
    def id(self) -> str:
        """Its id."""
        return self.path.rpartition("/")[2]


@dataclass(slots=True)
class Account:
    """A service account and its keys."""

    path: str
    keys: list[Key]

    @property
    def id(self) -> str:
        """Its id."""
        return self.path.rpartition("/")[2]


class Client:
    """Calls as one principal. A call that breaks is repeated, at the next control plane, until it is answered.

    One of a ``group`` takes a change for done when it is committed, as if telling the nodes were enough.
    """

    def __init__(
        self, name: str, connect: Connect, history: History, seed: str, *, group: str = "", token: str = ""
    ) -> None:
        self.name = name
        self.history = history
        self.chance = random.Random(seed)  # noqa: S311
        #: No call is begun any more.
        self.stopping = threading.Event()
        self._connect = connect
        self._group = group
        self._wires = connect(token or None)
        self._count = 0
        self._began = 0.0
        self._round = now()

    def begin(self) -> None:
        """Begin with something that depends on nothing from before."""
        self._round = now()

    def holder_of(self, token: str) -> Client:
        """Return the client of another principal, of the same history."""
        name = f"{self.name}-{self.next()}"
        made = Client(name, self._connect, self.history, name, group=self._group, token=token)
        made.stopping = self.stopping
        return made

    def alike(self, name: str) -> Client:
        """Return another client of the same principal."""
        return Client(name, self._connect, self.history, name, group=self._group)

    def close(self) -> None:
        """Drop the connections."""
        for wire in self._wires:
            wire.close()

    def next(self) -> str:
        """Return a name that nobody else uses."""
        self._count += 1
        return f"{self.name}-{self._count}"

    def get(self, path: str) -> Any:
        """Return what an address shows."""
        return self._call("GET", path, None).body

    def post(self, path: str, **body: object) -> Any:
        """Make something that takes nothing away."""
        return self._call("POST", path, body).body

    def account(self, **more: object) -> Account:
        """Make an account with one key; ``more`` says what it holds."""
        body = {"name": self.next(), "purpose": "a test", "owners": [ADMIN_EMAIL], "key": {"name": "k0"}}
        made = self.post(ACCOUNTS, **(body | more))
        return Account(f"{ACCOUNTS}/{made['id']}", [self.key(made["key"], made["token"])])

    def key(self, shown: Mapping[str, Any], token: str, **asked: object) -> Key:
        """Return a key that was issued; ``asked`` is what its pass asks beside the permission."""
        return Key(f"{KEYS}/{shown['id']}", self.held(token, **asked))

    def held(self, token: str, **asked: object) -> Pass:
        """Return the pass that presents a token."""
        return self.history.issued(question(token, **asked), self._group, asked)

    def held_for(self, group: str, token: str) -> Pass:
        """Return the pass of a group, which counts apart."""
        return self.history.issued(question(token), group)

    def end(self, operation: str, method: str, path: str, body: Any, ended: list[Pass]) -> Any:
        """Make a change that ends passes, and wait for its promise. Return the body of the answer."""
        called = now()
        self.history.calling(ended)
        try:
            reply = self._call(method, path, body, is_last=self._is_promised)
        except Unanswered:
            self.history.abandoned(ended)
            raise
        receipt = (reply.body or {}).get("receipt") or {}
        self.history.returned(
            Ending(
                operation, tuple(each.number for each in ended), called, self._began, now(),
                bool(receipt.get("complete")) or bool(self._group), tuple(receipt.get("nodes", ())),
                self.history.phase, self._group,
            )
        )  # fmt: skip
        return reply.body

    def _is_promised(self, reply: Reply) -> bool:
        """A receipt that is not complete is followed by repeating the call, which waits for the same one."""
        return bool(self._group) or bool(((reply.body or {}).get("receipt") or {}).get("complete"))

    def _hurries(self, is_last: Callable[[Reply], bool] | None) -> bool:
        """Tell whether not to wait for the nodes: most of what gives access need not hold at once."""
        return bool(self._group) or (is_last is None and self.chance.random() < _HURRY)

    def _call(
        self, method: str, path: str, body: Any, is_last: Callable[[Reply], bool] | None = None
    ) -> Reply:
        """Repeat a call until it is answered well; it is made once. Remembers when the last one was sent."""
        headers = {"Idempotency-Key": self.next()} | ({"Prefer": "wait=0"} if self._hurries(is_last) else {})
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
            if reply.status < 300 and (is_last is None or is_last(reply)):
                return reply
            # Who has ended its own access as well cannot ask for the answer that was lost.
            if (reply.body or {}).get("code") == "idempotency_used" or (
                is_last is not None and reply.status in (401, 403) and attempts > 1
            ):
                raise Unanswered("made, and never promised")
            if (reply.status >= 300 and reply.status not in _AGAIN) or now() > give_up:
                said = f"{method} {path}: {reply.status} {reply.body}, attempt {attempts}"
                if not self.history.was_restored(since=self._round):
                    self.history.refusals.append(said)
                raise Unanswered(said)
            time.sleep(_RETRY_SECONDS)
