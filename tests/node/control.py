"""A control plane in a script's hands: it follows the protocol of the feed, until a fault is asked for.

Real sockets on the loopback. ``truth`` is what a replica must end up with; ``shipped`` what was taken of
the request log; ``received`` every request, in order.
"""

from __future__ import annotations

import json
import socketserver
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec

from retinue.replica import records
from retinue.replica.records import Change, Kind
from tests.node.renewal import Renewal

JSON = dict[str, Any]
Place = tuple[Kind, str]
HOLD_SECONDS = 0.1


class Truth:
    """What the control plane knows: records, the log of what changed, and where it stands."""

    def __init__(self) -> None:
        self.epoch = 1
        self.head = 0
        self.rows: dict[Place, bytes] = {}
        self.log: list[tuple[int, Place]] = []

    def change(self, *names: str, kind: Kind = Kind.PERMISSION) -> int:
        """Commit new records under these names, in one revision."""
        self.head += 1
        for name in names:
            self.rows[kind, name] = records.encode(records.Permission(name, self.head))
            self.log.append((self.head, (kind, name)))
        return self.head

    def put(self, kind: Kind, key: str, record: msgspec.Struct) -> int:
        """Commit one record as it is."""
        self.head += 1
        self.rows[kind, key] = records.encode(record)
        self.log.append((self.head, (kind, key)))
        return self.head

    def remove(self, name: str, kind: Kind = Kind.PERMISSION) -> int:
        """Commit that a record is gone."""
        self.head += 1
        del self.rows[kind, name]
        self.log.append((self.head, (kind, name)))
        return self.head

    def after(self, revision: int, limit: int) -> tuple[list[Change], bool]:
        """Return the changes after ``revision``, each object once, and whether there are more."""
        log = [(at, place) for at, place in self.log if at > revision]
        upto = log[limit - 1][0] if len(log) > limit else self.head
        latest = {place: at for at, place in log if at <= upto}
        changes = [Change(at, *place, self.rows.get(place)) for place, at in latest.items()]
        return sorted(changes, key=lambda change: change.revision), upto < self.head

    def page(self, after: str, limit: int) -> tuple[list[Change], str | None]:
        """Return the next records of the snapshot and the place where it goes on."""
        places = sorted(self.rows, key=_rank)
        if after:
            kind, _, key = after.partition("/")
            places = [place for place in places if _rank(place) > _rank((Kind(kind), key))]
        taken = places[:limit]
        following = f"{taken[-1][0].value}/{taken[-1][1]}" if len(places) > limit else None
        return [Change(self.head, *place, self.rows[place]) for place in taken], following


def _rank(place: Place) -> tuple[int, bytes]:
    return list(Kind).index(place[0]), place[1].encode()


@dataclass
class Request:
    """A request as it arrived; ``at_ns`` is the boot-time clock when it was complete."""

    method: str
    path: str
    query: dict[str, str]
    token: str
    body: JSON
    at_ns: int


@dataclass
class Exchange:
    """A request with its honest answer, and the wire to send that answer, or another, or none."""

    request: Request
    status: int
    body: JSON
    write: Callable[[bytes], object]
    more: dict[str, str] = field(default_factory=dict)

    def data(self) -> bytes:
        """Return the answer as bytes of HTTP."""
        text = msgspec.json.encode(self.body)
        lines = [f"HTTP/1.1 {self.status} Said", f"Content-Length: {len(text)}"]
        lines += [
            "Content-Type: application/json",
            *(f"{name}: {value}" for name, value in self.more.items()),
        ]
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + text

    def send(self) -> bool:
        """Send the answer; the connection goes on."""
        self.write(self.data())
        return True


#: Does something instead of sending the honest answer; true if the connection may go on.
Fault = Callable[[Exchange], bool]
#: Returns status and body of the refusal of a batch, or ``None``.
Refusal = Callable[[list[JSON]], tuple[int, JSON] | None]


class Control(socketserver.ThreadingTCPServer):
    """The server. ``faults`` are done one after the other, by the kind of request: poll, snapshot, ..."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.truth = Truth()
        self.lock = threading.RLock()
        self.changed = threading.Condition(self.lock)
        self.faults: dict[str, deque[Fault]] = defaultdict(deque)
        self.received: list[Request] = []
        self.on_poll: Callable[[Request], object] = lambda _request: None
        self.batch = 1_000
        self.page = 1_000
        self.shipped: dict[str, dict[int, JSON]] = defaultdict(dict)
        self.next: dict[str, int] = defaultdict(int)
        self.refusal: Refusal = lambda _records: None
        self.journal: list[JSON] = []
        self.handed_over = 0
        self.tokens: set[str] | None = None
        self.renewal: Renewal | None = None
        self.issue: Callable[[Request], str] | None = None
        self.skew_ms = 0  # how far its clock is wrong
        self.lease_ms = 10_000
        self.removed: set[str] = set()  # tokens of nodes that were removed
        self.canary: JSON | None = None  # goes with changes of credentials

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def change(self, *names: str) -> int:
        """Commit records, and wake the polls that are held."""
        with self.changed:
            revision = self.truth.change(*names)
            self.changed.notify_all()
        return revision

    def work(self, count: int = 12) -> None:
        """Change, make and remove records, some of them twice."""
        with self.lock:
            for number in range(count):
                self.change(f"p{number:04d}", f"new{number:04d}")
            self.truth.remove("p0003")
            self.truth.remove("new0002")

    def count(self, kind: str) -> int:
        """Return how many requests of a kind have arrived."""
        with self.lock:
            return sum(1 for request in self.received if _kind(request) == kind)

    def answer(self, request: Request) -> tuple[int, JSON]:
        """Return the honest answer."""
        if request.token in self.removed:
            return 410, {"code": "node_removed"}
        if self.tokens is not None and request.token not in self.tokens:
            return 401, {"code": "credential_revoked"}
        kind = _kind(request)
        if self.renewal is not None and not self.renewal.accepts(request.token):
            return 401, {"code": "credential_revoked"}
        if kind == "poll":
            renew = self.renewal is not None and self.renewal.polled(request.token)
            return 200, self._poll(request.body) | {"renew": renew}
        if kind == "credential" and self.issue is not None:
            return 200, {"token": self.issue(request), "expires_at": "2027-01-01T00:00:00Z"}
        if kind == "credential" and self.renewal is not None:
            return 200, {"token": self.renewal.renew(request.token), "expires_at": "2027-01-01T00:00:00Z"}
        if kind == "snapshot":
            with self.lock:
                changes, following = self.truth.page(request.query.get("after", ""), self.page)
                body = {"epoch": self.truth.epoch, "head": self.truth.head, "changes": changes}
                return 200, body | {"next": following}
        if kind == "requests":
            return self._take(request.body)
        if kind == "journal":
            return self._hand_over(request.body)
        if kind == "announce":
            return 200, {"node": request.body["node"]}
        return 404, {"code": "not_found"}

    def _poll(self, body: JSON) -> JSON:
        applied = body["applied"]
        with self.changed:
            if (applied["epoch"], applied["revision"]) == (self.truth.epoch, self.truth.head):
                self.changed.wait(min(body.get("wait", 0.0), HOLD_SECONDS))
            truth = self.truth
            snapshot = applied["epoch"] != truth.epoch or applied["revision"] > truth.head
            changes, more = ([], False) if snapshot else truth.after(applied["revision"], self.batch)
            answer = {"incarnation": body["incarnation"], "epoch": truth.epoch, "head": truth.head}
            answer |= {"changes": changes, "more": more, "lease": not more and not snapshot}
            answer |= {"snapshot": snapshot, "lease_ms": self.lease_ms}
            answer |= {"canary": self.canary if any(c.kind is Kind.CREDENTIAL for c in changes) else None}
            return answer | {"time": time.time_ns() // 1_000_000 + self.skew_ms}

    def _hand_over(self, body: JSON) -> tuple[int, JSON]:
        with self.lock:
            if body["epoch"] != self.truth.epoch:
                return 409, {"code": "state_conflict"}
            self.journal += body["lines"]
            self.handed_over += not body["more"]
        return 200, {"epoch": body["epoch"], "unknown": len(body["lines"])}

    def _take(self, body: JSON) -> tuple[int, JSON]:
        spool, first, entries = body["spool"], body["first"], body["records"]
        with self.lock:
            if entries and (refused := self.refusal(entries)) is not None:
                return refused
            for sequence, entry in enumerate(entries, start=first):
                if sequence >= self.next[spool]:
                    self.shipped[spool][sequence] = entry
            if entries:
                self.next[spool] = max(self.next[spool], first + len(entries))
            return 200, {"next": self.next[spool]}


class _Handler(socketserver.StreamRequestHandler):
    server: Control

    def handle(self) -> None:
        goes_on = True
        while goes_on and (request := self._request()) is not None:
            kind = _kind(request)
            with self.server.lock:
                self.server.received.append(request)
                faults = self.server.faults[kind]
                fault = faults.popleft() if faults else None
            if kind == "poll":
                self.server.on_poll(request)
            exchange = Exchange(request, *self.server.answer(request), self.wfile.write)
            try:
                goes_on = exchange.send() if fault is None else fault(exchange)
            except (BrokenPipeError, ConnectionResetError):
                return

    def _request(self) -> Request | None:
        try:
            head = self.rfile.readline().decode().split()
            fields: dict[str, str] = {}
            while line := self.rfile.readline().decode().strip():
                name, _, value = line.partition(":")
                fields[name.lower()] = value.strip()
            length = int(fields.get("content-length", "0"))
            text = self.rfile.read(length)
        except ConnectionResetError:
            return None
        if not head or len(text) < length:  # the caller has ended meanwhile
            return None
        at, parts = time.clock_gettime_ns(time.CLOCK_BOOTTIME), urlsplit(head[1])
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        token = fields.get("authorization", "").removeprefix("Bearer ")
        return Request(head[0], parts.path, query, token, json.loads(text or b"{}"), at)


def _kind(request: Request) -> str:
    return request.path.rpartition("/")[2]


@contextmanager
def controlling(port: int = 0) -> Iterator[Control]:
    """Run a control plane until the block ends."""
    with Control(port) as control:
        thread = threading.Thread(target=control.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield control
        finally:
            control.shutdown()
            thread.join()
