"""``retinue gateway test``: it finds the five gateways closed, and each of the holes that a gateway may have."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from retinue.cli.probing import Gateway, Tokens, probe_all
from tests.gateway.conftest import Accounts, Protected
from tests.support.echo import Echo
from tests.support.processes import free_port

PATH = "/reports/1"


@pytest.fixture(scope="module")
def tokens(accounts: Accounts) -> Tokens:
    """A token that may use the path, one that may not, and one that may do nothing else."""
    narrowed = accounts.token(
        "narrowed", "report:read", restrictions={"methods": ["GET"], "endpoints": [PATH]}
    )
    return Tokens(accounts.token("reader", "report:read"), accounts.token("powerless"), narrowed)


def _files(tokens: Tokens, folder: Path) -> list[str]:
    flags = []
    for name, token in (
        ("token", tokens.allowed),
        ("without", tokens.without),
        ("narrowed", tokens.narrowed),
    ):
        (folder / name).touch(mode=0o600)
        (folder / name).write_text(f"{token}\n")
        flags += [f"--{name}-file", str(folder / name)]
    return flags


def test_the_five_gateways(protected: Protected, tokens: Tokens, tmp_path: Path) -> None:
    """
    Every probe is made and passed, exit code 0; nothing that is printed holds a token.
    """
    installation = protected.accounts.installation
    flags = ["--path", PATH, *_files(tokens, tmp_path), "--node", installation.node_url, "-o", "json"]
    done = installation.run("gateway", "test", protected.url, *flags)
    probes = json.loads(done.stdout)["items"]

    assert [] == [each for each in probes if each["result"] != "passed"]
    assert (0, "", 20) == (done.returncode, done.stderr, len(probes))
    assert not [
        token for token in (tokens.allowed, tokens.without, tokens.narrowed) if str(token) in done.stdout
    ]


class _Leaky(BaseHTTPRequestHandler):
    """A gateway of ours with one hole."""

    protocol_version = "HTTP/1.1"
    hole = ""
    node = application = 0

    def do_GET(self) -> None:
        refused = self._refused()
        if refused is not None:
            self._answer(*refused)
            return
        is_websocket = self.headers.get("Upgrade") == "websocket"
        status, fields, body = (
            (200, {}, b"") if is_websocket and self.hole == "websocket" else self._decided()
        )
        if status != 200 and self.hole != "open":
            self._answer(status, fields, body)
            return
        hidden = {"connection", "host"}
        if self.hole != "token":
            hidden.add("authorization")
        if self.hole != "upgrade":
            hidden.add("upgrade")
        sent = [(name, value) for name, value in self.headers.items() if name.lower() not in hidden]
        if self.hole != "underscore":
            sent = [each for each in sent if "_" not in each[0]]
        if not (self.hole == "identity" and "Retinue-Identity" in self.headers):
            sent = [each for each in sent if each[0].lower() != "retinue-identity"]
            sent.append(("Retinue-Identity", fields.get("retinue-identity", "")))
        self._answer(*_call(self.application, self.path, sent))

    def _refused(self) -> tuple[int, dict[str, str], bytes] | None:
        path = self.path.lower()
        if "%2e" in path or (self.hole != "spelling" and ("%2f" in path or "%5c" in path)):
            return 400, {}, b""
        if not path.startswith("/reports/") and self.hole != "rule":
            return 404, {}, b""
        if self.hole == "silent" and "Authorization" not in self.headers:
            return 401, {}, b""
        return None

    def _decided(self) -> tuple[int, dict[str, str], bytes]:
        lines = self.headers.get_all("Authorization") or []
        kept = lines[:1] if self.hole == "first wins" else lines
        asked = [("Authorization", line) for line in kept]
        told = {"X-Forwarded-Uri": self.path.partition("/..%")[0], "X-Forwarded-Method": self.command}
        if self.hole == "blind":
            told = {}
        if self.hole == "believes":
            told |= {name: value for name, value in self.headers.items() if name in told}
        return _call(self.node, "/v1/forward-auth/report:read", [*asked, *told.items()])

    def _answer(self, status: int, fields: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name in ("content-type", "www-authenticate", "retinue-error"):
            if name in fields and not (
                self.hole == "no scope" and status == 403 and name == "www-authenticate"
            ):
                self.send_header(name, fields[name])
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


def _call(port: int, path: str, fields: list[tuple[str, str]]) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.putrequest("GET", path)
    for name, value in fields:
        connection.putheader(name, value)
    connection.endheaders()
    answer = connection.getresponse()
    found = answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    connection.close()
    return found


@contextmanager
def _leaky(accounts: Accounts, echo: Echo, hole: str) -> Iterator[str]:
    members: dict[str, Any] = {
        "hole": hole,
        "node": accounts.installation.node_port,
        "application": echo.port,
    }
    with ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Leaky,), members)) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("hole", "found"),
    [
        ("", []),
        (
            "open",
            [
                "WebSocket without a token",
                "forged Retinue-Identity without a token",
                "malformed token",
                "no token",
                "wrong permission",
            ],
        ),
        ("token", ["Authorization at the application"]),
        ("identity", ["forged Retinue-Identity with a token"]),
        ("underscore", ["forged Retinue_Identity with a token"]),
        ("rule", ["path without a rule"]),
        ("spelling", ["encoded backslash", "encoded slash"]),
        ("silent", ["no token"]),
        ("no scope", ["wrong permission"]),
        ("first wins", ["two tokens"]),
        ("blind", ["method and path are seen"]),
        ("believes", ["forged method and path"]),
        ("websocket", ["WebSocket without a token"]),
        ("upgrade", ["Upgrade to another protocol", "Upgrade to h2c"]),
    ],
)
def test_holes(accounts: Accounts, echo: Echo, tokens: Tokens, hole: str, found: list[str]) -> None:
    """
    Each hole is found by the probe that is named after it, and a gateway without one has none.
    """
    with _leaky(accounts, echo, hole) as url:
        probes = probe_all(Gateway(url, PATH, tokens, accounts.installation.node_url))

    failed = {each.probe for each in probes if each.result == "failed"}
    assert set(found) <= failed
    assert found or not failed
    assert hole == "open" or set(found) == failed


def test_exit_codes(accounts: Accounts, echo: Echo, tokens: Tokens, tmp_path: Path) -> None:
    """
    7 for a hole, 9 without an answer, 2 for what is no URL or path; without the further tokens it is said what was not
    probed.
    """
    run, token = accounts.installation.run, _files(tokens, tmp_path)[:2]
    with _leaky(accounts, echo, "token") as url:
        done = run("gateway", "test", url, "--path", PATH, *token, "-o", "tsv")
    wrong = [
        run("gateway", "test", f"http://127.0.0.1:{free_port()}", "--path", PATH, *token),
        run("gateway", "test", "127.0.0.1:80", "--path", PATH, *token),
        run("gateway", "test", url, "--path", "reports", *token),
    ]

    assert (7, [9, 2, 2]) == (done.returncode, [each.returncode for each in wrong])
    assert "wrong permission" in done.stderr
    assert "Authorization at the application\tfailed\tgone\t200 reached the application" in done.stdout
