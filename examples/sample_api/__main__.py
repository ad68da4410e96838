"""Serves the sample API.

Behind a gateway it trusts only the signed ``Retinue-Identity``. Called directly with a token it asks the
node itself. It never looks at a token.
"""

from __future__ import annotations

import argparse
import json
import sys
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from examples.sample_api.identity import Identities, NotTrusted
from examples.sample_api.reports import Reports


class Refused(Exception):
    """The caller may not; carries status and code."""

    def __init__(self, status: int, code: str) -> None:
        super().__init__(code)
        self.status = status
        self.code = code


class Handler(BaseHTTPRequestHandler):
    """Answers GET /reports, /reports/YYYY-MM and /reports/export."""

    protocol_version = "HTTP/1.1"
    reports = Reports()
    node_url = ""
    identities: Identities

    def do_GET(self) -> None:
        """Answer one request."""
        path = self.path.partition("?")[0].rstrip("/")
        try:
            if path == "/healthz":
                self._answer(200, {"status": "ok"})
            elif path == "/reports":
                self._answer(200, {"caller": self._caller("report:read"), "items": self.reports.months()})
            elif path == "/reports/export":
                self._caller("report:export")
                self._answer(200, self.reports.table(), "text/csv")
            elif path.startswith("/reports/"):
                caller = self._caller("report:read")
                self._answer(200, {"caller": caller, "items": self.reports.month(path.rpartition("/")[2])})
            else:
                self._answer(404, {"code": "not_found"})
        except Refused as refused:
            self._answer(refused.status, {"code": refused.code})

    def _caller(self, permission: str) -> str:
        """Return the caller's name, or refuse."""
        token = self.headers.get("Authorization")
        if token is None:
            return self._through_gateway(permission)
        return self._directly(token, permission)

    def _through_gateway(self, permission: str) -> str:
        try:
            claims = self.identities.verify(self.headers.get("Retinue-Identity"))
        except NotTrusted as error:
            raise Refused(401, str(error)) from None
        if claims.get("perm") != permission:
            raise Refused(403, "permission_missing")
        return str(claims["name"])

    def _directly(self, header: str, permission: str) -> str:
        question = {
            "token": header.partition(" ")[2],
            "need": [permission],
            "method": self.command,
            "path": self.path.partition("?")[0],
            "address": self.client_address[0],
        }
        request = urllib.request.Request(
            f"{self.node_url}/v1/verify",
            json.dumps(question).encode(),
            {"Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:
                decision = json.load(answer)
        except (urllib.error.URLError, OSError):
            raise Refused(503, "no_decision") from None
        if not decision["allowed"]:
            raise Refused(403 if decision["reason"] == "permission_missing" else 401, decision["reason"])
        return str(decision["account"]["name"])

    def _answer(self, status: int, body: Any, kind: str = "application/json") -> None:
        data = (body if isinstance(body, str) else json.dumps(body) + "\n").encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *arguments: Any) -> None:
        """Say nothing: the request log is in Retinue."""


def main() -> int:
    """Serve until ended."""
    parser = argparse.ArgumentParser(prog="python -m examples.sample_api", description=__doc__)
    parser.add_argument("--port", type=int, default=8472)
    parser.add_argument("--node-url", default="http://127.0.0.1:8471")
    options = parser.parse_args()
    Handler.node_url = options.node_url
    Handler.identities = Identities(options.node_url)
    server = ThreadingHTTPServer(("127.0.0.1", options.port), Handler)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        return 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
