"""What a relay serves to the nodes that follow it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from urllib.parse import parse_qs

import lmdb
import msgspec

from retinue.node import pages
from retinue.node.children import MOST_CHILDREN, Superseded, TooMany
from retinue.node.exchange import Operation, Request
from retinue.node.feed_client import FeedError, PollAnswer
from retinue.node.forwarding import Forwarder
from retinue.node.relay import NotNow, Question, Relay, is_renewal_due
from retinue.node.relay_admission import Admission, Refused, RelayRequest, check_relay
from retinue.node.responses import Responses
from retinue.problem import MEDIA_TYPE, Problem, problem
from retinue.replica import lease
from retinue.replica.records import Node
from retinue.request_ids import RequestIds
from retinue.token import parse
from retinue.verifier import Verifier

_log = logging.getLogger("retinue.relay")
JSON = "application/json"
#: What is passed on to the control plane, with the most bytes of a body.
RENEWAL = b"/v1/nodes/self/credential"
FORWARDED = {
    b"/v1/feed/requests": 2 << 20,
    b"/v1/feed/journal": 2 << 20,
    b"/v1/feed/announce": 64 << 10,
    b"/v1/feed/claim": 4 << 10,
    RENEWAL: 64 << 10,
}
_POLL_BYTES = 256 << 10
#: So long a renewed credential is waited for, so that the node's next poll is not refused.
RENEWAL_SECONDS = 2.0
_NO_STORE = (b"Cache-Control", b"no-store")
_question = msgspec.json.Decoder(Question).decode
_encode = msgspec.json.Encoder().encode
Later = Callable[["RelayRequest"], Awaitable[bytes]]


class _Renewed(msgspec.Struct):
    token: str


class Changed:
    """Wakes the polls that are held when the replica was written."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiting: set[asyncio.Future[None]] = set()

    def announce(self) -> None:
        """Wake everybody who waits; from any thread."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        for each in self._waiting:
            if not each.done():
                each.set_result(None)
        self._waiting.clear()

    async def wait(self, seconds: float) -> None:
        """Wait until the replica was written, at most so long."""
        future = self._loop.create_future()
        self._waiting.add(future)
        try:
            await asyncio.wait_for(future, seconds)
        except TimeoutError:
            pass
        finally:
            self._waiting.discard(future)


class RelayRoutes:
    """The application behind a relay's listener."""

    def __init__(
        self,
        relay: Relay,
        verifier: Verifier,
        forwarder: Forwarder,
        changed: Changed,
        brands: tuple[str, ...],
        heard: Callable[[], object],
    ) -> None:
        self.relay = relay
        self._forwarder = forwarder
        self._changed = changed
        self._brands = brands
        self._heard = heard
        self._admission = Admission(relay, verifier, brands)
        self._responses = Responses()
        self._ids = RequestIds()
        self.draining = False
        self._later: dict[tuple[bytes, bytes], tuple[Operation, Later]] = {
            (b"POST", b"/v1/feed/poll"): self._operation(self.poll, _POLL_BYTES),
            (b"GET", b"/v1/feed/snapshot"): self._operation(self.snapshot, 0),
            **{(b"POST", path): self._operation(self.forward, most) for path, most in FORWARDED.items()},
        }
        self._ready = Operation(self.readyz)
        self._healthy = Operation(lambda _: self._responses.body(200, JSON, b'{"status":"ok"}', _NO_STORE))

    # --- what the listener asks for ---

    def find(self, request: Request) -> Operation:
        """Return the operation for a request's method and target; there always is one."""
        path = request.target.partition(b"?")[0]
        found = self._later.get((request.method, path))
        if found is not None:
            return found[0]
        if request.method == b"GET" and path == b"/readyz":
            return self._ready
        if request.method == b"GET" and path == b"/healthz":
            return self._healthy
        known = any(each == path for _, each in self._later)
        code = "method_not_allowed_here" if known else "not_found"
        return Operation(lambda _: self._problem(problem(code)))

    def later(self, request: Request) -> Later | None:
        """Return what answers a request later; ``None`` for one that is answered at once."""
        found = self._later.get((request.method, request.target.partition(b"?")[0]))
        return None if found is None else found[1]

    def refusal(self, code: str) -> bytes:
        """Return the answer to a request that the listener refuses."""
        return self._problem(problem(code))

    def failure(self) -> bytes:
        """Return the answer to a request that could not be answered because of an error of ours."""
        return self._problem(problem("internal"))

    def connection(self, change: int) -> None:
        """Note that a connection was opened (+1) or has ended (-1)."""

    def refresh(self) -> None:
        """Keep the date of answers right; call it some times a second."""
        self._responses.refresh()

    async def answer(self, request: RelayRequest, later: Later) -> bytes:
        """Answer, whatever happens."""
        try:
            return await later(request)
        except Refused as refused:
            return self._problem(refused.problem)
        except (NotNow, lmdb.Error) as error:
            return self._problem(problem("replica_stale", detail=str(error)))
        except Superseded:
            return self._problem(
                problem("superseded", detail="another follower of this node came after this one")
            )
        except FeedError as error:
            return self._problem(problem("replica_stale", detail=f"nobody answers this relay: {error}"))
        except Exception:
            _log.exception("a request could not be answered")
            return self.failure()

    def _operation(self, later: Later, most: int) -> tuple[Operation, Later]:
        # A later answer is not given by the handler; the listener asks for it by `later`.
        guard = self._guard
        operation = Operation(lambda _: self.failure(), reads_body=most > 0, guard=guard, most_bytes=most)
        return operation, later

    def _guard(self, request: Request) -> bytes | None:
        """Return the refusal, or ``None`` for an enrolled node."""
        assert isinstance(request, RelayRequest)  # noqa: S101  (the listener makes no others)
        try:
            self._admission.admit(request)
        except Refused as refused:
            return self._problem(refused.problem)
        except lmdb.Error as error:
            return self._problem(problem("replica_stale", detail=str(error)))
        return None

    # --- the operations ---

    def readyz(self, _request: Request) -> bytes:
        """This relay has a whole replica and may decide: nodes can follow it."""
        try:
            is_ready = self.relay.is_ready() and not self.draining
        except lmdb.Error:
            is_ready = False
        if not is_ready:
            return self._problem(problem("replica_stale", detail="no whole replica, or its lease has ended"))
        return self._responses.body(200, JSON, b'{"status":"ok"}', _NO_STORE)

    async def poll(self, request: RelayRequest) -> bytes:
        """``POST /v1/feed/poll``: note what is applied; answer with what has changed, or hold until something
        has.

        A held poll is answered when the replica has been written: there are changes, or a younger lease.
        """
        arrived_ns, arrived = lease.boot_clock_ns(), time.monotonic()
        question = _read(request.body, request.asker)
        try:
            child = self.relay.hear(question, request.asker, arrived_ns)
        except TooMany:
            detail = f"at most {MOST_CHILDREN} nodes follow one relay"
            raise Refused(problem("rate_limited", detail=detail)) from None
        self._heard()
        until = arrived + min(question.wait, self.relay.hold_seconds())
        first: int | None = None
        while True:
            left = until - time.monotonic()
            try:
                answer, fresh_from_ns = self.relay.answer(question, child, arrived_ns)
            except NotNow:
                if left <= 0:
                    raise
            else:
                first = fresh_from_ns if first is None else first
                is_news = answer.changes or answer.snapshot or fresh_from_ns != first
                if left <= 0 or is_news or self.draining:
                    return self._told(answer, request)
            await self._changed.wait(max(left, 0.001))
            self._admission.check(request)

    async def snapshot(self, request: RelayRequest) -> bytes:
        """``GET /v1/feed/snapshot``: a page of all records that the node may know, in key order."""
        query = parse_qs(request.target.partition(b"?")[2].decode("latin-1"), keep_blank_values=True)
        relay = query.get("relay", ["false"]) == ["true"]
        if relay:
            check_relay(request.asker)
        try:
            place = pages.place("".join(query.get("after", ())))
        except FeedError:
            raise Refused(problem("invalid_value", field="query.after")) from None
        page = self.relay.snapshot(place, relay=relay)
        return self._responses.body(200, JSON, _encode(page), _NO_STORE)

    async def forward(self, request: RelayRequest) -> bytes:
        """Pass a call on, as it came, with the token of the node that sent it."""
        path, method = request.target.decode("latin-1"), request.method.decode()
        status, body = await self._forwarder.forward(method, path, request.body, request.token)
        if status == 200 and request.target == RENEWAL:
            await self._wait_for_renewed(body)
        return self._responses.body(status, JSON if status < 400 else MEDIA_TYPE, body, _NO_STORE)

    # --- inside ---

    def _told(self, answer: PollAnswer, request: RelayRequest) -> bytes:
        answer.renew = request.asker.replaced or is_renewal_due(request.expires_at_ms)
        return self._responses.body(200, JSON, _encode(answer), _NO_STORE)

    async def _wait_for_renewed(self, body: bytes) -> None:
        """Wait until this relay knows the credential that was issued just now: it is used next."""
        try:
            issued = parse(msgspec.json.decode(body, type=_Renewed).token, self._brands)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return
        until = time.monotonic() + RENEWAL_SECONDS
        while issued is not None and (left := until - time.monotonic()) > 0:
            with self.relay.reading() as snapshot:
                if snapshot.credential(issued.kid) is not None:
                    return
            await self._changed.wait(left)

    def _problem(self, found: Problem) -> bytes:
        return self._responses.problem(msgspec.structs.replace(found, request_id=self._ids.next()))


def _read(body: bytes, node: Node) -> Question:
    """Return the poll of a node. Raises :class:`Refused` for what no follower sends."""
    try:
        question = _question(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refused(problem("bad_json", detail=str(error)[:200])) from None
    field = question.mistake()
    if field:
        raise Refused(problem("invalid_value", field=f"body.{field}"))
    if question.node and question.node != node.name:
        detail = f"this credential is bound to the node {node.name}"
        raise Refused(problem("caller_forbidden", detail=detail, field="body.node"))
    if question.relay or question.followers is not None:
        check_relay(node)
    return question
