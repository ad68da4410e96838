"""Polls of nodes on the event loop: what is usual is answered from memory and in rounds, the rest by Django.

This is the same operation as ``feed.poll_feed``, behind the same address. Whatever is not known here word for
word (a header that stands twice, a proxy that says something new, a body that no follower sends) is handed on
as it came, so that each refusal is given, and counted, in one place.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Any, Protocol

import msgspec
from django.conf import settings

from retinue.network import Gateways
from retinue.server.api import admitted, guard, intake
from retinue.server.api.admitted import Admitted
from retinue.server.errors import Refused
from retinue.server.ids import new_id
from retinue.server.nodes import feed
from retinue.server.nodes.answers import PollAnswer
from retinue.server.nodes.polls import Poll
from retinue.server.nodes.renewing import Said
from retinue.server.nodes.rounds import Rounds
from retinue.server.nodes.rules import PollRequest, check_poll

PATH = "/v1/feed/poll"
#: Of one node at once in rounds.
MOST_OPEN = 4
#: Polls that are answered by themselves at once; others wait for their turn.
MOST_ALONE = 16
#: Bodies that are on their way at once, and for how long one may be.
MOST_TAKEN = 512
BODY_SECONDS = 5.0
_JSON = "application/json"
_decode = msgspec.json.Decoder(PollRequest).decode
_ANSWERED = [
    ("Content-Type", _JSON),
    ("Cache-Control", "no-store"),
    ("X-Content-Type-Options", "nosniff"),
]
_encode = msgspec.json.Encoder().encode
#: Status, headers and body.
Answer = tuple[int, list[tuple[str, str]], bytes]


class ByDjango(Protocol):
    """Answers any request, each in a thread."""

    async def answer(self, scope: Any, protocol: Any) -> None:
        """Answer."""

    async def ask(self, scope: Any, sent: bytes) -> Answer:
        """Return the answer to a request with this body."""


class Polling:
    """Answers polls, on ``loop``; hands on to ``calls`` what is not usual. ``transport_policy`` is said
    where the caller came by TLS.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, calls: ByDjango, transport_policy: str) -> None:
        self._loop = loop
        self._calls = calls
        self._transport_policy = transport_policy
        self._gateways = Gateways(settings.INSTALLATION.trusted_proxies)
        self._rounds = Rounds(admitted.memory.check, self._deliver)
        self._come: list[Poll] = []
        #: Who takes a body, and since when (the loop's clock).
        self._taking: dict[asyncio.Task[Any], float] = {}
        self._overdue: set[asyncio.Task[Any]] = set()
        self._places = asyncio.Semaphore(MOST_ALONE)
        self._hosts: set[str] = set()
        self.is_ending = False

    def start(self) -> None:
        """Begin."""
        self._rounds.start()
        self._look()

    async def answer(self, scope: Any, protocol: Any) -> None:
        """Answer one poll."""
        fields = scope.headers.items()
        given = dict(fields)
        is_plain = len(given) == len(fields) and _is_announced(given) and len(self._taking) < MOST_TAKEN
        if not is_plain:
            await self._calls.answer(scope, protocol)
            return
        node = self._admitted(scope, given)
        sent = await self._take(protocol)
        if sent is None:
            protocol.response_bytes(408, [("Connection", "close")], b"")
            return
        request = _read(sent)
        body = None if node is None or request is None else await self._in_round(node, request)
        if body is None:
            answer, waits = await self._alone(scope, sent, request)
            body = None if waits is None else await self._held(scope, given, waits)
        if body is None:
            protocol.response_bytes(*answer)
        else:
            protocol.response_bytes(200, self._headers(scope, given), body)

    async def _take(self, protocol: Any) -> bytes | None:
        """Return the body; ``None`` if it does not come."""
        task = asyncio.current_task(self._loop)
        assert task is not None  # noqa: S101  (a coroutine of the loop)
        self._taking[task] = self._loop.time()
        try:
            sent: bytes = await protocol()
            return sent
        except Exception:
            return None
        except asyncio.CancelledError:
            if task not in self._overdue:
                raise
            self._overdue.discard(task)
            task.uncancel()
            return None
        finally:
            del self._taking[task]

    def _look(self) -> None:
        """End what takes too long; once a second, for all: a timer for each poll costs more than its body."""
        last = self._loop.time() - BODY_SECONDS
        for task in [task for task, since in self._taking.items() if since < last]:
            self._overdue.add(task)
            task.cancel()
        self._loop.call_later(1.0, self._look)

    async def _in_round(self, node: Admitted, request: PollRequest) -> bytes | None:
        """Return the answer to what is usual; ``None`` if the poll must be answered by itself."""
        if node.open >= MOST_OPEN or not node.is_usual(request):
            return None
        node.open += 1
        try:
            return (await self._asked(node, request)).answer
        finally:
            node.open -= 1

    async def _alone(
        self, scope: Any, sent: bytes, request: PollRequest | None
    ) -> tuple[Answer, PollRequest | None]:
        """Let Django answer, at once; return the poll too if it may wait for something new."""
        if request is not None and request.wait > 0:
            sent = _encode(msgspec.structs.replace(request, wait=0.0))
        async with self._places:
            answer = await self._calls.ask(scope, sent)
        if request is None or answer[0] != 200 or request.wait <= 0:
            return answer, None
        told = msgspec.json.decode(answer[2], type=PollAnswer)
        return answer, None if feed.is_news(told, request) or told.journal or told.recovering else request

    async def _held(self, scope: Any, given: dict[str, str], request: PollRequest) -> bytes | None:
        """Hold a poll that was answered by itself, and is usual now that all it told is looked after."""
        node = self._admitted(scope, given)
        if node is None:
            return None
        request = msgspec.structs.replace(request, followers=None, probes=(), losses=(), clock=None)
        return await self._in_round(node, request)

    def _admitted(self, scope: Any, given: dict[str, str]) -> Admitted | None:
        """Return the node that asks, if it was admitted with just this header from just this address."""
        if scope.query_string or given.get("content-type") != _JSON or len(given) > intake.MAX_HEADERS:
            return None
        if not self._is_host(given.get("host", "")):
            return None
        peer = address = _peer(scope)
        if self._gateways.trusts(peer):
            forwarded = given.get("x-forwarded-for", "").encode("latin-1", "replace")
            address = self._gateways.client(peer, forwarded) or peer
        found = admitted.memory.get(given.get("authorization", ""), address)
        if found is None or not found.may_poll():
            return None
        if any(name in given for name in found.others) or self._must_pause(address, found):
            return None
        return found

    def _must_pause(self, address: str, found: Admitted) -> bool:
        network = self._gateways.guesser(address) if guard.attempts else None
        return network is not None and guard.attempts.pause_of_row(network, found.kid) > 0

    def _is_host(self, host: str) -> bool:
        if host in self._hosts:
            return True
        is_served = bool(intake.is_served(host))
        if is_served and len(self._hosts) < 100:
            self._hosts.add(host)
        return is_served

    async def _asked(self, node: Admitted, request: PollRequest) -> Poll:
        """Put a poll into the next round, with those that come in the same turn of the loop."""
        poll = Poll(Said(node.node, request), node.may_poll, node.renews(), self._loop.create_future())
        if not self._come:
            self._loop.call_soon(self._put)
        self._come.append(poll)
        await poll.asker
        return poll

    def _put(self) -> None:
        come, self._come = self._come, []
        self._rounds.put(come)

    def _deliver(self, polls: Sequence[Poll]) -> None:
        """Wake those who asked; from the thread of the rounds."""
        if polls:
            with contextlib.suppress(RuntimeError):  # the loop has ended
                self._loop.call_soon_threadsafe(_wake, polls)

    def _headers(self, scope: Any, given: dict[str, str]) -> list[tuple[str, str]]:
        headers = [*_ANSWERED, ("Retinue-Request-Id", new_id("req"))]
        proto = given.get("x-forwarded-proto", "") if self._gateways.trusts(_peer(scope)) else ""
        if settings.SESSION_COOKIE_SECURE or proto.strip().lower() == "https":
            headers.append(("Strict-Transport-Security", self._transport_policy))
        if self.is_ending:
            headers.append(("Connection", "close"))
        return headers


def _peer(scope: Any) -> str:
    peer: str = scope.client.rpartition(":")[0].strip("[]")
    return peer


def _wake(polls: Sequence[Poll]) -> None:
    for poll in polls:
        if not poll.asker.done():
            poll.asker.set_result(None)


def _is_announced(given: dict[str, str]) -> bool:
    """Tell whether a body comes whose size is known, and may be."""
    length = given.get("content-length", "")
    is_number = length.isascii() and length.isdigit() and len(length) < 9
    return is_number and 0 < int(length) <= intake.MAX_BODY_OF[PATH] and "transfer-encoding" not in given


def _read(sent: bytes) -> PollRequest | None:
    """Return a poll; ``None`` for what no follower sends."""
    try:
        request = _decode(sent)
        check_poll(request)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, Refused):
        return None
    return request
