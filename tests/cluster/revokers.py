"""Clients that issue credentials and take access away again, in every way that the API has.

A way is a reducing operation. They are drawn from bags that all clients share, so that each comes up before
any comes up again.
"""

from __future__ import annotations

import queue
import random
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import TypeVar

from tests.cluster.client import Client, Connect, Unanswered
from tests.cluster.history import STOCK, History
from tests.cluster.ways import ENDING_ACCOUNTS, ENDING_KEYS, account
from tests.cluster.ways_access import ENDING_ACCESS
from tests.cluster.ways_people import (
    ENDING_INGEST,
    ENDING_MINE,
    ENDING_ORGANIZATIONS,
    ENDING_USERS,
    Guest,
    ingest,
    mine,
    whole,
)

KEYS_EACH = 4
#: Of so many rounds; guests are there only once.
ROUNDS = {"keys": 6, "access": 5, "mine": 4, "ingest": 3, "guest": 2}
OPERATIONS = frozenset(
    {*ENDING_KEYS, *ENDING_ACCOUNTS, *ENDING_ACCESS, *ENDING_MINE, *ENDING_INGEST, *ENDING_USERS,
     *ENDING_ORGANIZATIONS}
)  # fmt: skip
#: Reducing operations that are not drawn, and why.
NOT_DRAWN = {
    "invite_again": "ends a link to the console, which no node decides about",
    "invite_administrator": "ends a link to the console, which no node decides about",
    "remove_node": "ends a node's own credential, which no node accepts: tests/cluster/test_attacks.py",
}
T = TypeVar("T")


class Draw:
    """What all clients draw from. Every bag is emptied before it is filled again."""

    def __init__(self, seed: str, guests: Sequence[Guest] = ()) -> None:
        self._chance = random.Random(seed)  # noqa: S311
        self._bags: dict[int, list[str]] = {}
        self._rounds: list[str] = []
        self._drawn = threading.local()
        self._lock = threading.Lock()
        self._guests: queue.SimpleQueue[Guest] = queue.SimpleQueue()
        for each in guests:
            self._guests.put(each)

    def way(self, ways: Mapping[str, T]) -> T:
        """Draw one of these ways."""
        with self._lock:
            bag = self._bags.setdefault(id(ways), [])
            if not bag:
                bag += self._chance.sample(sorted(ways), len(ways))
            name = bag.pop()
            self._drawn.last = (bag, name)
            return ways[name]

    def put_back(self) -> None:
        """What this thread has drawn last was never promised: it comes up again next."""
        with self._lock:
            bag, name = getattr(self._drawn, "last", (None, ""))
            if bag is not None:
                bag.append(name)
            self._drawn.last = (None, "")

    def round(self) -> str:
        """Draw a kind of round."""
        with self._lock:
            if not self._rounds:
                self._rounds = self._chance.sample(list(ROUNDS), sum(ROUNDS.values()), counts=ROUNDS.values())
            return self._rounds.pop()

    def guest(self) -> Guest | None:
        """Draw a guest; nobody, if there is none left."""
        with suppress(queue.Empty):
            return self._guests.get_nowait()
        return None


class Revoker(threading.Thread):
    """One client that goes on until it is told to stop. See :class:`tests.cluster.client.Client`."""

    def __init__(
        self, name: str, connect: Connect, history: History, seed: str, draw: Draw, *, group: str = ""
    ) -> None:
        super().__init__(name=name, daemon=True)
        self.client = Client(name, connect, history, seed, group=group)
        self.stopping = self.client.stopping
        self._draw = draw
        self._rounds: dict[str, Callable[[], None]] = {
            "keys": self.keys, "access": self.access, "mine": self.mine, "ingest": self.ingest,
            "guest": self.guest,
        }  # fmt: skip
        self._kind = "keys" if group else ""

    def run(self) -> None:
        """Issue and take away until told to stop."""
        while not self.stopping.is_set():
            kind = self._kind or self._draw.round()
            self.client.begin()
            try:
                self._rounds[kind]()
            except Unanswered:  # it is a finding already, if it is one
                self._draw.put_back()
        self.client.close()

    def keys(self) -> None:
        """Make an account with keys; end some of the keys one by one, then the rest at once."""
        made = account(self.client, KEYS_EACH)
        for _ in range(3):
            successor = self._draw.way(ENDING_KEYS)(self.client, made.keys.pop(0))
            if successor is not None:
                made.keys.append(successor)
        self._draw.way(ENDING_ACCOUNTS)(self.client, made)

    def access(self) -> None:
        """Take away what an account has from elsewhere."""
        self._draw.way(ENDING_ACCESS)(self.client)

    def mine(self) -> None:
        """End a token of the administrator's own, and what takes its place."""
        self._draw.way(ENDING_MINE)(self.client, mine(self.client))

    def ingest(self) -> None:
        """End an ingest token, and what takes its place."""
        self._draw.way(ENDING_INGEST)(self.client, ingest(self.client))

    def guest(self) -> None:
        """End what the people of an organization have, one by one, and then the organization."""
        guest = self._draw.guest()
        if guest is None:
            return
        owner = self.client.holder_of(guest.token)
        try:
            users = [(user, owner.held(token)) for user, token in guest.users]
            for user, held in users:
                self._draw.way(ENDING_USERS)(owner, user, held)
            self._draw.way(ENDING_ORGANIZATIONS)(whole(self.client, owner, guest))
        finally:
            owner.close()


def fill_stock(client: Client, count: int) -> None:
    """Issue passes that nobody ends, before the clients start."""
    made = account(client, 1)
    for _ in range(count):
        key = client.post(f"{made.path}/keys", name=client.next())
        client.history.stock.append(client.held_for(STOCK, key["token"]))


def prepare(client: Client) -> None:
    """Let the organization's policy allow every way: ingest tokens, many tokens, deletion of what is in use."""
    change = {
        "ingest.enabled": True,
        "pat.max_usable": None,
        "credentials.max_usable": None,
        "revoke.delete_requires_revoked": False,
    }
    client.end("change_policy", "PATCH", "/v1/policy", {"set": change}, [])
