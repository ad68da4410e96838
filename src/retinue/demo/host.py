"""``python -m retinue.demo.host``: the application of the demo, with the guard in its own process."""

from __future__ import annotations

import argparse
import json
import signal
import socketserver
import sys
import threading
from collections.abc import Callable, Iterable
from types import FrameType
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from retinue.guard import Guard, wsgi
from retinue.supervisor import die_with_parent

#: What each path needs. A path without a rule is refused.
RULES = {
    "GET /reports*": "report:read",
    "POST /entries": "report:write",
    "GET /exports/*": "report:export",
    "GET /contacts*": "contact:read",
    "POST /contacts": "contact:write",
    "GET /deals*": "deal:read",
    "POST /deals": "deal:write",
    "GET /invoices*": "invoice:read",
    "POST /measurements": "measurement:write",
}
_REPORTS = [
    {"month": "2026-08", "region": "north", "revenue": 412_900},
    {"month": "2026-09", "region": "north", "revenue": 398_150},
    {"month": "2026-10", "region": "north", "revenue": 441_020},
]


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Answer a request that the guard let in: the same sample rows for every read, 201 for every write."""
    caller = environ[wsgi.CALLER]
    is_write = environ["REQUEST_METHOD"] == "POST"
    body = json.dumps({"caller": caller.name, "items": [] if is_write else _REPORTS}).encode() + b"\n"
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
    start_response("201 Created" if is_write else "200 OK", headers)
    return [body]


def healthy(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Tell that the process answers: needs no token."""
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "3")])
    return [b"ok\n"]


class Quiet(WSGIRequestHandler):
    """Writes no line a request: the request log is Retinue's."""

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


class Server(socketserver.ThreadingMixIn, WSGIServer):
    """A thread a connection; they do not keep the process from ending."""

    daemon_threads = True
    request_queue_size = 64

    def server_bind(self) -> None:
        """Bind without asking a name server what this host is called."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = "localhost", self.server_address[1]
        self.setup_environ()


def main() -> int:
    """Serve until SIGTERM."""
    die_with_parent()
    parser = argparse.ArgumentParser(prog="python -m retinue.demo.host", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    options = parser.parse_args()
    # Any organization of this installation may call it; whose token it is stands in the decision.
    protected = wsgi.Protect(application, Guard(), RULES)

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        answer = healthy if environ["PATH_INFO"] == "/healthz" else protected
        return answer(environ, start_response)

    server = Server((options.host, options.port), Quiet)
    server.set_app(app)

    def end(_number: int, _frame: FrameType | None) -> None:
        threading.Thread(target=server.shutdown, daemon=True).start()

    signal.signal(signal.SIGTERM, end)
    server.serve_forever(poll_interval=0.1)
    server.server_close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
