"""A small API that lets Retinue decide who may call it. Standard library and a guard.

``python -m examples.sample_api --mode gateway``: behind a gateway, which has asked the node.
``python -m examples.sample_api --mode direct``: called with a key, asks the node itself.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import FrameType
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

import msgspec

from examples.sample_api.callers import Asked, Caller, Direct, Gateway, Refused
from examples.sample_api.reports import Book, Invalid
from retinue import problem
from retinue.supervisor import die_with_parent

MAX_BODY = 64 << 10


class Call(NamedTuple):
    """One request, past the check: who, the query, and the body."""

    caller: Caller
    query: dict[str, list[str]]
    body: bytes


class Route(NamedTuple):
    """What a route needs and does; the action gives a document, or text that is CSV."""

    permission: str
    action: Callable[[Book, Call], object]


def _book(book: Book, call: Call) -> object:
    try:
        document = json.loads(call.body)
    except ValueError:
        raise Invalid("", "valid JSON") from None
    return book.book(document, call.caller.name)


#: Every route with its permission; what is not here does not exist.
ROUTES: dict[tuple[str, str], Route] = {
    ("GET", "/reports"): Route(
        "report:read", lambda book, call: {"items": book.entries(month=call.query.get("month", [None])[0])}
    ),
    ("GET", "/reports/monthly"): Route("report:read", lambda book, _: {"items": book.monthly()}),
    ("GET", "/exports/reports.csv"): Route("report:export", lambda book, _: book.as_csv()),
    ("POST", "/entries"): Route("report:write", _book),
}


class Handler(BaseHTTPRequestHandler):
    """Check, then work. The check never depends on what the work would be."""

    protocol_version = "HTTP/1.1"
    server_version = "sample-api"
    sys_version = ""
    timeout = 15
    book: Book
    source: Gateway | Direct

    def do_GET(self) -> None:
        """Answer a read."""
        self._answer("GET")

    def do_POST(self) -> None:
        """Answer a write."""
        self._answer("POST")

    def _answer(self, method: str) -> None:
        parts = urlsplit(self.path)
        body = self._body()
        if body is None:
            return self._send(413, {"status": 413, "code": "too_large"}, {"Connection": "close"})
        if parts.path == "/healthz" and method == "GET":
            return self._send(200, {"status": "ok"})
        route = ROUTES.get((method, parts.path))
        if route is None:
            return self._send(404, {"status": 404, "code": "not_found"})
        try:
            asked = Asked(self.headers, route.permission, method, parts.path, self.client_address[0])
            caller = self.source.caller(asked)
            result = route.action(self.book, Call(caller, parse_qs(parts.query), body))
        except Refused as refused:
            if str(refused):
                self.log_message("refused: %s", refused)
            denied = refused.denied
            document = msgspec.to_builtins(problem.problem_for(denied))
            return self._send(denied.reason.status, document, problem.headers_for(denied))
        except Invalid as invalid:
            document = {
                "status": 422,
                "code": "invalid_value",
                "field": invalid.field,
                "detail": str(invalid),
            }
            return self._send(422, document)
        return self._send(201 if method == "POST" else 200, result, {"Sample-Caller": caller.id})

    def _body(self) -> bytes | None:
        """Read the announced body; ``None`` if it is too large or its length is not announced in digits."""
        text = self.headers.get("Content-Length", "0")
        if not text.isdigit() or int(text) > MAX_BODY or "Transfer-Encoding" in self.headers:
            self.close_connection = True
            return None
        return self.rfile.read(int(text))

    def _send(self, status: int, result: object, headers: dict[str, str] | None = None) -> None:
        kind = "application/json" if status < 400 else problem.MEDIA_TYPE
        if isinstance(result, str):
            kind, data = "text/csv; charset=utf-8", result.encode()
        else:
            data = json.dumps(result).encode()
        self.send_response(status)
        for name, value in {
            "Content-Type": kind,
            "Content-Length": str(len(data)),
            **(headers or {}),
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        """Write one line a request: no header, so no token, ever."""
        sys.stderr.write(f"sample-api {format % args}\n")


class Server(ThreadingHTTPServer):
    """A thread a connection; they do not keep the process from ending."""

    daemon_threads = True
    request_queue_size = 128


def main() -> None:
    """Serve until SIGTERM or Ctrl-C."""
    die_with_parent()
    parser = argparse.ArgumentParser(
        prog="python -m examples.sample_api",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--mode", choices=("gateway", "direct"), required=True)
    parser.add_argument("--port", type=int, default=8472)
    parser.add_argument("--node-url", default="http://127.0.0.1:8471")
    options = parser.parse_args()
    Handler.book = Book()
    Handler.source = Gateway(options.node_url) if options.mode == "gateway" else Direct(options.node_url)
    server = Server(("127.0.0.1", options.port), Handler)

    def end(_number: int, _frame: FrameType | None) -> None:
        threading.Thread(target=server.shutdown, daemon=True).start()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    print(f"sample API ({options.mode}) on http://127.0.0.1:{options.port}", file=sys.stderr, flush=True)
    server.serve_forever()
    server.server_close()


if __name__ == "__main__":
    main()
