"""What the node serves, and where. Paths are exact: what is not listed here does not exist."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager

import msgspec

from retinue.node import identity, presentation
from retinue.node.callers import Callers
from retinue.node.decisions import FORWARD_AUTH, Decisions
from retinue.node.exchange import Handler, Operation, Request
from retinue.node.metrics import MEDIA_TYPE as METRICS_MEDIA_TYPE
from retinue.node.metrics import Metrics
from retinue.node.responses import Responses, without_body
from retinue.node.settings import Settings
from retinue.problem import CATALOGUE, PAGES, problem
from retinue.replica import lease
from retinue.replica.reading import Replica, Snapshot
from retinue.replica.records import SCHEMA, Meta

JSON = "application/json"
PROBLEMS = PAGES.encode()
_NO_STORE = (b"Cache-Control", b"no-store")
_ANY = b""  # the operation for every method that is not listed


class Routes:
    """The application behind the listener."""

    def __init__(
        self,
        settings: Settings,
        replica: Replica,
        decisions: Decisions,
        metrics: Metrics,
        responses: Responses,
    ) -> None:
        self.replica = replica
        self.draining = False
        self._settings = settings
        self._decisions = decisions
        self._metrics = metrics
        self._responses = responses
        guard = Callers(decisions, responses, settings).guard if settings.asks_callers else None
        self._forward = Operation(decisions.forward_auth, guard=guard)
        self._forward_head = Operation(_headed(decisions.forward_auth), guard=guard)
        self._exact: dict[bytes, dict[bytes, Operation]] = {
            b"/v1/verify": self._methods(
                {b"POST": Operation(decisions.verify, reads_body=True, guard=guard)}
            ),
            b"/v1/identity-keys": self._reading(self.identity_keys),
            b"/healthz": self._reading(self.healthz),
            b"/readyz": self._reading(self.readyz),
            b"/metrics": self._reading(self.metrics),
        }
        if settings.bench:
            # The baselines of measurements: the same listener with answers that cost nothing. A POST takes
            # the same question as a verification and gives an answer as long as a decision's.
            greeting = {
                **self._reading(lambda _: responses.hello),
                b"POST": Operation(lambda _: responses.constant, reads_body=True),
            }
            self._exact[b"/hello"] = self._methods(greeting)

    # --- what the listener asks for ---

    def find(self, request: Request) -> Operation:
        """Return the operation for a request's method and target."""
        target = request.target
        operations = self._exact.get(target)
        if operations is not None:
            return operations.get(request.method) or operations[_ANY]
        if target.startswith(FORWARD_AUTH):
            return self._forward_head if request.method == b"HEAD" else self._forward
        return self._search(request)

    def refusal(self, code: str) -> bytes:
        """Return the answer to a request that the listener refuses."""
        self._metrics.refused_request()
        return self._responses.problem(problem(code, request_id=self._decisions.ids.next()))

    def failure(self) -> bytes:
        """Return the answer to a request that could not be answered because of an error of ours."""
        self._metrics.error()
        return self._responses.problem(problem("internal", request_id=self._decisions.ids.next()))

    def connection(self, change: int) -> None:
        """Note that a connection was opened (+1) or has ended (-1)."""
        self._metrics.connection(change)

    # --- the operations ---

    def healthz(self, _request: Request) -> bytes:
        """The process is up."""
        return self._responses.body(200, JSON, b'{"status":"ok"}', _NO_STORE)

    def readyz(self, _request: Request) -> bytes:
        """Some organization's lease is running and the worker is not going down: it may be sent traffic."""
        meta, remaining_ms = self._standing()
        if not remaining_ms or self.draining:
            detail = "going down" if self.draining else "no complete replica, or its lease has ended"
            found = problem("replica_stale", detail=detail, request_id=self._decisions.ids.next())
            return self._responses.problem(found)
        return self._responses.body(200, JSON, b'{"status":"ok","revision":%d}' % meta.revision, _NO_STORE)

    def metrics(self, _request: Request) -> bytes:
        """The counters of all workers of this host."""
        meta, remaining_ms = self._standing()
        text = self._metrics.exposition(
            revision=meta.revision,
            epoch=meta.epoch,
            loaded=meta.complete,
            lease_seconds=remaining_ms / 1000,
        )
        return self._responses.body(200, METRICS_MEDIA_TYPE, text, _NO_STORE)

    def identity_keys(self, _request: Request) -> bytes:
        """The public keys (RFC 7517) by which ``Retinue-Identity`` is checked: ours, and all nodes'."""
        now_ms = time.time_ns() // 1_000_000
        with self._snapshot() as snapshot:
            keys = {
                key.kid: key.x
                for key in snapshot.identity_keys()
                if key.not_after_ms == 0 or now_ms < key.not_after_ms
            }
        replaced = identity.previous(self._settings.replica, now_ms)
        if replaced is not None:
            keys[replaced.kid] = replaced.x
        own = self._decisions.identity
        if own is not None:
            keys[own.kid] = own.x
        listed = [
            {"kty": "OKP", "crv": "Ed25519", "kid": kid, "x": x, "use": "sig", "alg": "EdDSA"}
            for kid, x in sorted(keys.items())
        ]
        body = msgspec.json.encode({"keys": listed})
        return self._responses.body(200, JSON, body, (b"Cache-Control", b"max-age=60"))

    # --- inside ---

    def _snapshot(self) -> AbstractContextManager[Snapshot]:
        return self.replica.snapshot()

    def _standing(self) -> tuple[Meta, int]:
        """Return the position of the replica, and for how many milliseconds the longest lease still runs."""
        with self._snapshot() as snapshot:
            meta = snapshot.meta()
            longest_ms = snapshot.longest_lease_ms()
        if not (meta.complete and meta.schema == SCHEMA):
            return meta, 0
        now = lease.boot_clock_ns(), lease.wall_clock_ms()
        return meta, lease.remaining_ms(meta, longest_ms, lease.boot_id(), *now)

    def _search(self, request: Request) -> Operation:
        """The rare targets: with a query, in absolute form, misspelled, or not there."""
        target = request.target
        if target[:7].lower() == b"http://" or target[:8].lower() == b"https://":
            _, _, rest = target.partition(b"://")[2].partition(b"/")
            request.target = b"/" + rest
            return self.find(request)
        path = target.partition(b"?")[0]
        operations = self._exact.get(path)
        if operations is not None:
            return operations.get(request.method) or operations[_ANY]
        if path == FORWARD_AUTH[:-1]:
            return self._forward
        if path.startswith(PROBLEMS) and path[len(PROBLEMS) :].decode("latin-1") in CATALOGUE:
            return self._explained(path)
        return self._problem(400 if presentation.is_ambiguous(path) else 404)

    def _explained(self, path: bytes) -> Operation:
        """Send whoever follows the ``type`` of a problem on to the page that the control plane has for it."""
        there = (b"Location", self._settings.control_url.rstrip("/").encode() + path)
        return Operation(lambda _: self._responses.body(307, "text/plain", b"", there))

    def _problem(self, status: int) -> Operation:
        code = "path_refused" if status == 400 else "not_found"

        def answer(request: Request) -> bytes:
            found = self._responses.problem(problem(code, request_id=self._decisions.ids.next()))
            return without_body(found) if request.method == b"HEAD" else found

        return Operation(answer)

    def _reading(self, handle: Handler) -> dict[bytes, Operation]:
        return self._methods({b"GET": Operation(handle), b"HEAD": Operation(_headed(handle))})

    def _methods(self, operations: dict[bytes, Operation]) -> dict[bytes, Operation]:
        """Add the answer 405, which names the methods that there are."""
        allow = (b"Allow", b", ".join(sorted(operations)))

        def refuse(request: Request) -> bytes:
            found = problem("method_not_allowed_here", request_id=self._decisions.ids.next())
            answer = self._responses.problem(found, allow)
            return without_body(answer) if request.method == b"HEAD" else answer

        operations[_ANY] = Operation(refuse)
        return operations


def _headed(handle: Handler) -> Handler:
    """Return the HEAD form of ``handle``."""
    return lambda request: without_body(handle(request))
