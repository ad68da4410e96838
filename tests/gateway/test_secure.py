"""The five gateways by TLS, with HTTP/1.1 and HTTP/2: the same checks as without; and gRPC."""

from __future__ import annotations

import json
import secrets
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from retinue.guard.identity import Identities
from retinue.guard.identity_keys import Keys
from tests.gateway.conftest import RULES, Accounts, Protected
from tests.gateway.secure import GRPC_FIELDS, Told, call, make_certificate, start_grpc
from tests.gateway.streaming import Stream, start_streaming
from tests.gateway.streams import Duplex
from tests.support.echo import Echo
from tests.support.gateways import NAMES, parameters, start_gateway
from tests.support.requirements import need, requires

pytestmark = requires("curl")


#: The gateways that can ask an application by HTTP/2.
HTTP2 = tuple(name for name in NAMES if name != "nginx")


@dataclass
class Secure(Protected):
    """The application behind a gateway that speaks TLS."""

    folder: Path
    tls: ssl.SSLContext

    def told(self, path: str, *fields: str, **how: Any) -> Told:
        """Call through the gateway; see :func:`call`."""
        return call(self.url + path, self.folder / "tls.crt", *fields, **how)


@contextmanager
def start_secure(
    name: str, accounts: Accounts, echo: Echo, folder: Path, grpc_port: int | None = None
) -> Iterator[Secure]:
    """Start a gateway that speaks TLS; with ``grpc_port`` it asks the application there, by HTTP/2."""
    need(name)
    tls, installation = make_certificate(folder), accounts.installation
    wanted = parameters(
        RULES,
        node_port=installation.node_port,
        application_port=echo.port if grpc_port is None else grpc_port,
        certificate="tls.pem" if name == "haproxy" else "tls.crt",
        key=None if name == "haproxy" else "tls.key",
        asks_http2=grpc_port is not None,
    )
    with start_gateway(name, folder, wanted, tls=tls) as url:
        identities = Identities(Keys(installation.node_url))
        yield Secure(name, url, echo, accounts, identities, wanted.rules, folder, tls)


@pytest.fixture(scope="module", params=NAMES)
def secure(
    request: pytest.FixtureRequest, accounts: Accounts, echo: Echo, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Secure]:
    """Each of the five gateways in turn."""
    name = str(request.param)
    with start_secure(name, accounts, echo, tmp_path_factory.mktemp(f"{name}-tls")) as running:
        yield running


@pytest.mark.parametrize("version", ["1.1", "2"])
def test_the_same_by_tls(secure: Secure, version: str) -> None:
    """
    No token 401 with the challenge, a missing permission 403 that names it, no rule 404; allowed, the application knows
    who calls, and neither the token nor what the client says of who it is reaches it.
    """
    reader, mark = secure.accounts.token("reader", "report:read"), secrets.token_hex(8)
    forged = f"x-mark: {mark}", "retinue-identity: e30.e30.AAAA", "retinue-caller: x"
    nobody = secure.told("/reports/7", *forged, version=version)
    lacking = secure.told("/entries", *forged, version=version, token=reader)
    unruled = secure.told("/admin", *forged, version=version, token=reader)
    assert [] == secure.echo.about(mark)
    allowed = secure.told("/reports/7?a=%2F", *forged, version=version, token=reader)

    assert [version] * 4 == [each.version for each in (nobody, lacking, unruled, allowed)]
    assert [401, 403, 404, 200] == [each.status for each in (nobody, lacking, unruled, allowed)]
    assert 'Bearer realm="retinue"' == nobody.fields["www-authenticate"]
    assert "token_missing" == json.loads(nobody.body)["code"]
    assert 'scope="report:write"' in lacking.fields["www-authenticate"]
    (seen,) = secure.echo.about(mark)
    assert "/reports/7?a=%2F" == seen.target
    assert "reader" == secure.check(seen).name


@pytest.mark.parametrize("version", ["1.1", "2"])
def test_tricks_by_tls(secure: Secure, version: str) -> None:
    """
    Two tokens, two readings of a path and an upgrade get no further than without TLS.
    """
    reader = secure.accounts.token("reader", "report:read")
    tried = {
        "twice": ("/reports/7", "authorization: Bearer x"),
        "up": ("/reports/../entries", "accept: a/b"),
        "encoded": ("/reports/%70rivate/1", "accept: a/b"),
        "slashes": ("/reports//private/1", "accept: a/b"),
    }
    statuses = {}
    for name, (path, field) in tried.items():
        mark = secrets.token_hex(8)
        told = secure.told(path, f"x-mark: {mark}", field, version=version, token=reader)
        statuses[name] = told.status
        assert [] == secure.echo.about(mark), name

    assert [] == [name for name, status in statuses.items() if status not in (400, 401, 403, 404)]


@pytest.mark.parametrize("version", ["1.1", "2"])
def test_a_revoked_key_by_tls(secure: Secure, version: str) -> None:
    """
    From the moment that the revoke has returned, the key is refused and the application asked no more.
    """
    mark = secrets.token_hex(8)
    token = secure.accounts.token(f"tls-{secure.name}-{version[0]}", "report:read")
    assert 200 == secure.told("/reports/7", version=version, token=token).status

    secure.accounts.post(f"/v1/keys/key_{token.split('_')[1]}/revoke", {"reason": "no_longer_needed"})

    refused = secure.told("/reports/7", f"x-mark: {mark}", version=version, token=token)
    assert (401, "credential_revoked") == (refused.status, json.loads(refused.body)["code"])
    assert [] == secure.echo.about(mark)


def test_without_tls(secure: Secure) -> None:
    """
    A call without TLS to a gateway that speaks it is not let in.
    """
    reader, mark = secure.accounts.token("reader", "report:read"), secrets.token_hex(8)
    statuses, seen = secure.send(
        f"GET /reports/7 HTTP/1.1\r\nHost: node\r\nX-Mark: {mark}\r\nAuthorization: Bearer {reader}\r\nConnection: close\r\n\r\n".encode(),
        mark,
    )

    assert 200 not in statuses
    assert [] == seen


def test_a_websocket_by_tls(secure: Secure) -> None:
    """
    A WebSocket is asked about before it begins; with the permission it is one.
    """
    reader, mark = secure.accounts.token("reader", "report:read"), secrets.token_hex(8)
    with Duplex(secure.port, secure.tls) as stream:
        assert 401 == stream.upgrade("/reports/1", f"X-Mark: {mark}").status
    assert [] == secure.echo.about(mark)

    with Duplex(secure.port, secure.tls) as stream:
        assert (
            101 == stream.upgrade("/reports/1", f"X-Mark: {mark}", f"Authorization: Bearer {reader}").status
        )
        assert "hello" == stream.say("hello")
    (seen,) = secure.echo.about(mark)
    assert "reader" == secure.check(seen).name


#: A message of gRPC: not compressed, of two bytes.
MESSAGE = b"\0\0\0\0\2hi"


def _refused(told: Told) -> int:
    """Return the status of HTTP for a refusal; Envoy tells a client of gRPC the one of gRPC, as 200."""
    if "grpc-status" not in told.fields:
        return told.status
    return {"16": 401, "7": 403}[told.fields["grpc-status"]]


def test_grpc_is_asked_about(secure: Secure) -> None:
    """
    A call of gRPC is a POST to a path: the rule for it is the one that is asked about, whatever its type.
    """
    writer, mark = secure.accounts.token("writer", "report:write"), secrets.token_hex(8)
    reader = secure.accounts.token("reader", "report:read")
    how: dict[str, Any] = {"version": "2", "method": "POST", "body": MESSAGE}
    nobody = secure.told("/reports/pkg.Report/Add", f"x-mark: {mark}", *GRPC_FIELDS, **how)
    lacking = secure.told("/reports/pkg.Report/Add", f"x-mark: {mark}", *GRPC_FIELDS, token=reader, **how)
    assert ([401, 403], []) == ([_refused(nobody), _refused(lacking)], secure.echo.about(mark))
    assert (secure.name == "envoy") == ("grpc-status" in nobody.fields)

    allowed = secure.told("/reports/pkg.Report/Add", f"x-mark: {mark}", *GRPC_FIELDS, token=writer, **how)
    (seen,) = secure.echo.about(mark)
    assert (200, MESSAGE) == (allowed.status, seen.body)
    assert ("writer", "report:write") == (secure.check(seen).name, secure.check(seen).permission)


@pytest.fixture(scope="module")
def grpc_port(echo: Echo, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Where the application speaks HTTP/2 without TLS and answers with trailers."""
    need("nginx")
    with start_grpc(tmp_path_factory.mktemp("grpc"), echo.port) as port:
        yield port


@pytest.mark.parametrize("name", HTTP2)
def test_grpc(name: str, accounts: Accounts, echo: Echo, grpc_port: int, tmp_path: Path) -> None:
    """
    With an application that is asked by HTTP/2, as the page says, a call of gRPC comes back with its trailers: the
    application knows who calls and gets no token; without one nothing reaches it.
    """
    with start_secure(name, accounts, echo, tmp_path, grpc_port) as secure:
        writer, mark = accounts.token("writer", "report:write"), secrets.token_hex(8)
        fields = f"x-mark: {mark}", "retinue-identity: e30.e30.AAAA", *GRPC_FIELDS
        how: dict[str, Any] = {"version": "2", "method": "POST", "body": MESSAGE}
        nobody = secure.told("/reports/pkg.Report/Add", *fields, **how)
        assert (401, []) == (_refused(nobody), echo.about(mark))

        allowed = secure.told("/reports/pkg.Report/Add", *fields, token=writer, **how)
        (seen,) = echo.about(mark)
        assert "writer" == secure.check(seen).name

    assert (200, "0") == (allowed.status, allowed.fields["grpc-status"])
    assert (MESSAGE, ["HTTP/2.0"], ["trailers"]) == (
        seen.body,
        seen.values("Seen-Version"),
        seen.values("Seen-TE"),
    )


@pytest.fixture(scope="module")
def streaming(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, Path]]:
    """Where an application answers a call while it is asked, and the file with what it was asked."""
    with start_streaming(tmp_path_factory.mktemp("streaming")) as running:
        yield running


@pytest.mark.parametrize("name", HTTP2)
def test_streams_of_grpc(
    name: str, accounts: Accounts, echo: Echo, streaming: tuple[int, Path], tmp_path: Path
) -> None:
    """
    A call with two streams is asked about once, before its first message: each message gets through when it is sent,
    also after a revoke; then no new call begins.
    """
    port, asked = streaming
    before = len(asked.read_text().splitlines())
    with start_secure(name, accounts, echo, tmp_path, port) as secure:
        path = "/reports/pkg.Report/Talk"
        nobody = secure.told(path, *GRPC_FIELDS, version="2", method="POST", body=MESSAGE)
        assert (401, before) == (_refused(nobody), len(asked.read_text().splitlines()))
        handle = f"stream-{name}-{secrets.token_hex(4)}"
        token = accounts.token(handle, "report:write")
        stream = Stream(secure.url + path, tmp_path, token)
        try:
            first = stream.say(b"\0\0\0\0\3one")
            accounts.post(f"/v1/keys/key_{token.split('_')[1]}/revoke", {"reason": "no_longer_needed"})
            second = stream.say(b"\0\0\0\0\3two")
            code = stream.end()
        finally:
            stream.close()
        again = secure.told(path, *GRPC_FIELDS, version="2", method="POST", body=MESSAGE, token=token)
        lines = [json.loads(line) for line in asked.read_text().splitlines()[before:]]
        caller = secure.identities.caller(lines[0]["fields"]["retinue-identity"], "report:write")

    assert (b"\0\0\0\0\3one", b"\0\0\0\0\3two", 0) == (first, second, code)
    assert (401, 1) == (_refused(again), len(lines))
    assert (path, "2", False) == (
        lines[0]["path"],
        lines[0]["version"],
        "authorization" in lines[0]["fields"],
    )
    assert handle == caller.name
