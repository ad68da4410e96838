"""A control plane and a node of the tests' own: fixed answers, and a record of the calls."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.cli.access_answers import PLAN, created_account
from tests.cli.access_routes import ACCESS
from tests.cli.answers import (
    ALLOWED,
    EPOCH,
    ETL_ID,
    EVENT,
    FINDING,
    ISSUED,
    KEYS,
    LOST,
    ME,
    NODE,
    PAT,
    REQUEST,
    REVIEW,
    REVIEW_ITEM,
    USER,
    WEB,
    Reply,
    account,
    compromised,
    imported,
    issued,
    key,
    problem,
)
from tests.cli.answers import page as _page
from tests.cli.bulk_answers import bulk
from tests.cli.calls import Call as Call
from tests.cli.organization_answers import DISABLING
from tests.cli.organization_routes import PEOPLE
from tests.cli.traffic_answers import TRAFFIC
from tests.cli.view_answers import VIEWS
from tests.cli.webhook_answers import WEBHOOKS


def _accounts(query: dict[str, str]) -> Reply:
    known = account()
    wanted = query.get("handle") or query.get("search")
    fits = wanted in (None, "etl") and query.get("state") != "deleted"
    return _page([known] if fits else [])


@dataclass
class FakeServer:
    """Fixed answers; :attr:`replies` puts others before them, by method and path."""

    url: str = ""
    calls: list[Call] = field(default_factory=list)
    replies: dict[tuple[str, str], Reply] = field(default_factory=dict)
    #: Answers that are given one after another, before all others.
    series: dict[tuple[str, str], list[Reply]] = field(default_factory=dict)

    def answer(self, call: Call) -> Reply:
        """Record the call and return status and body."""
        self.calls.append(call)
        if self.series.get((call.method, call.path)):
            return self.series[call.method, call.path].pop(0)
        special = self.replies.get((call.method, call.path))
        if special is not None:
            return special
        for method, pattern, reply in _ROUTES:
            match = re.fullmatch(pattern, call.path)
            if method == call.method and match:
                return reply(call, match)
        return problem(404, "not_found")

    def changes(self) -> list[Call]:
        """Return the calls that change something."""
        return [call for call in self.calls if call.method != "GET" and not call.path.endswith("/check")]


def _key(call: Call, match: re.Match[str]) -> Reply:
    found = [item for item in KEYS if item["id"] == match[1]]
    return (200, found[0]) if found else problem(404, "not_found")


def _ended(of: dict[str, Any]) -> dict[str, Any]:
    return {**of, "state": "revoked", "status": "revoked"}


def _tokens(path: str, of: dict[str, Any]) -> list[tuple[str, str, Callable[[Call, re.Match[str]], Reply]]]:
    """What can be done to the one token of a kind."""
    one = f"{path}/([^/]+)"
    return [
        ("GET", path, lambda c, m: _page([of])),
        ("POST", path, lambda c, m: (201, issued({**of, "name": c.body["name"]}))),
        ("PATCH", one, lambda c, m: (200, {**of, "name": c.body["name"]})),
        ("POST", f"{one}/(rotate|regenerate)", lambda c, m: (201, issued(of))),
        ("POST", f"{one}/expire", lambda c, m: (200, {"key": of, "expiry": ISSUED["expiry"]})),
        ("POST", f"{one}/(restrict|restore)", lambda c, m: (200, of)),
        ("POST", f"{one}/(revoke|finish-rotation)", lambda c, m: (200, _ended(of))),
        ("DELETE", one, lambda c, m: (200, {**_ended(of), "state": "deleted", "status": "deleted"})),
    ]


_MANY = "(keys|service-accounts)/(enable|disable|delete|revoke|expire|restrict|rotate)"
_A, _K = "/v1/service-accounts", "/v1/keys"
_ROUTES: list[tuple[str, str, Callable[[Call, re.Match[str]], Reply]]] = [
    ("GET", _A, lambda c, m: _accounts(c.query)),
    ("POST", _A, lambda c, m: (201, created_account(c.body))),
    ("GET", f"{_A}/{ETL_ID}", lambda c, m: (200, account())),
    (
        "PATCH",
        f"{_A}/{ETL_ID}",
        lambda c, m: (200, account(**{k: v for k, v in c.body.items() if k == "name"})),
    ),
    ("DELETE", f"{_A}/{ETL_ID}", lambda c, m: (200, account(state="deleted", status="deleted"))),
    ("POST", f"{_A}/{ETL_ID}/(enable|approve)", lambda c, m: (200, account())),
    ("POST", f"{_A}/{ETL_ID}/duplicate", lambda c, m: (201, created_account(c.body))),
    *ACCESS,
    ("GET", f"{_A}/{ETL_ID}/disable", lambda c, m: (200, DISABLING)),
    ("POST", f"{_A}/{ETL_ID}/disable", lambda c, m: (200, account(state="disabled", status="disabled"))),
    ("POST", f"{_A}/{ETL_ID}/restore", lambda c, m: (200, account(state="disabled", status="disabled"))),
    ("GET", f"{_A}/{ETL_ID}/keys", lambda c, m: _page(KEYS)),
    ("POST", f"{_A}/{ETL_ID}/keys", lambda c, m: (201, ISSUED)),
    ("GET", _K, lambda c, m: _page(KEYS)),
    ("GET", f"{_K}/(key_[^/]+)", _key),
    ("PATCH", f"{_K}/(key_[^/]+)", lambda c, m: (200, key(m[1], c.body["name"]))),
    ("POST", f"{_K}/(key_[^/]+)/(rotate|regenerate)", lambda c, m: (201, ISSUED)),
    ("POST", f"/v1/bulk/{_MANY}", lambda c, m: (200, bulk(c.body, f"{m[1]}/{m[2]}"))),
    ("POST", "/v1/bulk/keys/import", lambda c, m: (200, imported(c.body))),
    ("POST", f"{_K}/(key_[^/]+)/expire", lambda c, m: (200, {"key": key(m[1]), "expiry": ISSUED["expiry"]})),
    ("POST", f"{_K}/(key_[^/]+)/restrict", lambda c, m: (200, key(m[1], **c.body))),
    ("POST", f"{_K}/(key_[^/]+)/restore", lambda c, m: (200, key(m[1]))),
    (
        "POST",
        f"{_K}/(key_[^/]+)/finish-rotation",
        lambda c, m: (200, key(m[1], state="revoked", status="revoked", reason="superseded")),
    ),
    (
        "POST",
        f"{_K}/(key_[^/]+)/extend-rotation",
        lambda c, m: (200, key(m[1], status="retiring", retires_at="2026-03-01T00:00:00.000Z")),
    ),
    ("POST", f"{_K}/(key_[^/]+)/undo-rotation", lambda c, m: (200, key(m[1]))),
    ("POST", f"{_K}/(key_[^/]+)/revoke", lambda c, m: (200, key(m[1], state="revoked", status="revoked"))),
    ("DELETE", f"{_K}/(key_[^/]+)", lambda c, m: (200, key(m[1], state="deleted", status="deleted"))),
    (
        "GET",
        "/v1/users",
        lambda c, m: _page([USER] if c.query.get("email", USER["email"]) == USER["email"] else []),
    ),
    ("POST", "/v1/users", lambda c, m: (201, {**USER, "email": c.body["email"], "name": c.body["name"]})),
    *PEOPLE,
    *VIEWS,
    *TRAFFIC,
    *WEBHOOKS,
    ("GET", "/v1/users/(.+)", lambda c, m: (200, USER)),
    ("GET", "/v1/me", lambda c, m: (200, ME)),
    *_tokens("/v1/me/tokens", PAT),
    *_tokens("/v1/ingest-tokens", WEB),
    ("GET", "/v1/personal-access-tokens", lambda c, m: _page([PAT])),
    ("POST", "/v1/personal-access-tokens/([^/]+)/revoke", lambda c, m: (200, _ended(PAT))),
    (
        "GET",
        "/v1/personal-access-tokens/([^/]+)/convert",
        lambda c, m: (200, {"token": PAT, "permissions": ["report:read"], "left_out": []}),
    ),
    (
        "POST",
        "/v1/personal-access-tokens/([^/]+)/convert",
        lambda c, m: (
            201,
            {**ISSUED, "account": account(), "permissions": ["report:read"], "left_out": [], "replaced": PAT},
        ),
    ),
    ("GET", "/v1/credentials/expiry-plan", lambda c, m: (200, PLAN)),
    ("GET", "/v1/credentials", lambda c, m: _page([key(), PAT, WEB])),
    (
        "POST",
        "/v1/credentials/identify",
        lambda c, m: (200, {"key": key(), "accepted": True, "reason": None}),
    ),
    ("GET", "/v1/.*/compromise", lambda c, m: (200, compromised(key()))),
    ("POST", "/v1/.*/compromise", lambda c, m: (200, compromised(_ended(key())))),
    ("GET", "/v1/requests", lambda c, m: _page([REQUEST])),
    ("GET", "/v1/audit-events", lambda c, m: _page([EVENT])),
    ("GET", "/v1/findings", lambda c, m: _page([FINDING])),
    ("GET", "/v1/findings/counts", lambda c, m: _page([{"kind": "idle_key", "severity": "low", "open": 3}])),
    ("POST", "/v1/findings/(.+)/(accept|reopen)", lambda c, m: (200, {**FINDING, "state": "accepted"})),
    ("GET", "/v1/epochs", lambda c, m: _page([EPOCH])),
    ("POST", "/v1/epochs", lambda c, m: (201, {**EPOCH, "cause": "declared"})),
    ("GET", "/v1/epochs/current", lambda c, m: (200, EPOCH)),
    ("POST", "/v1/epochs/current/skip", lambda c, m: (200, {**EPOCH, "journals": []})),
    ("GET", "/v1/epochs/2/lost", lambda c, m: _page([LOST])),
    ("GET", "/v1/reviews", lambda c, m: _page([REVIEW])),
    ("POST", "/v1/reviews", lambda c, m: (201, {**REVIEW, "name": c.body["name"]})),
    ("GET", "/v1/reviews/rev_1/items", lambda c, m: _page([REVIEW_ITEM])),
    ("POST", "/v1/reviews/rev_1/items/(.+)/decide", lambda c, m: (200, {**REVIEW_ITEM, "decision": "keep"})),
    ("POST", "/v1/reviews/rev_1/apply", lambda c, m: (200, {**REVIEW, "state": "applied"})),
    ("POST", "/v1/reviews/rev_1/export", lambda c, m: (200, {"review": REVIEW, "items": [REVIEW_ITEM]})),
    ("GET", "/v1/nodes", lambda c, m: _page([NODE])),
    ("GET", "/v1/nodes/(.+)", lambda c, m: (200, NODE)),
    (
        "POST",
        "/v1/nodes",
        lambda c, m: (201, {"node": {**NODE, "name": c.body["name"]}, "token": "rtnnode_" + "n" * 62}),
    ),
    ("DELETE", "/v1/nodes/(.+)", lambda c, m: (200, {**NODE, "state": "removed"})),
    ("POST", "/v1/verify", lambda c, m: (200, ALLOWED)),
]


@contextmanager
def serving() -> Iterator[FakeServer]:
    """Serve on a free port of loopback until the block ends."""
    fake = FakeServer()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _reply(self) -> None:
            parts = urlsplit(self.path)
            data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            is_form = headers.get("content-type") == "application/x-www-form-urlencoded"
            body = dict(parse_qsl(data.decode())) if is_form else json.loads(data) if data else None
            status, answer = fake.answer(
                Call(self.command, parts.path, dict(parse_qsl(parts.query)), headers, body)
            )
            text = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_POST = do_PATCH = do_DELETE = _reply

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    fake.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    try:
        yield fake
    finally:
        server.shutdown()
        server.server_close()
