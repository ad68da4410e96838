"""An application that answers each request with the request."""

from __future__ import annotations

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

#: By this member the probes know that they see what reached the application.
MARK = "retinue_echo"
_MOST_BODY = 1 << 20


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "retinue-echo"
    sys_version = ""

    def do_any(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        if length > _MOST_BODY or "Transfer-Encoding" in self.headers:
            self.close_connection = True
        elif length:
            self.rfile.read(length)
        seen = {MARK: 1, "method": self.command, "target": self.path, "headers": self.headers.items()}
        body = json.dumps(seen).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Cache-Control", "no-store")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_any

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: a request may hold what belongs into no log."""


def serve(host: str, port: int) -> None:
    """Answer until interrupted. Raises ``OSError`` if nobody can listen there."""
    with ThreadingHTTPServer((host, port), _Handler) as server:
        sys.stderr.write(f"listening on {host}:{server.server_port}\n")
        sys.stderr.flush()
        server.serve_forever()
