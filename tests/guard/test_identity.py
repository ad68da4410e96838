"""Who calls behind a gateway: what an application believes of ``Retinue-Identity``, and what it does not."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI, Request
from fastapi.testclient import TestClient

from retinue.guard import Denied, Guard, asgi, fastapi, wsgi
from retinue.guard import identity as guard_identity
from retinue.guard.identity import FORGET_SECONDS, Identities, Keys
from retinue.guard.outcome import Caller
from retinue.node.identity import Claims, IdentityKey, load_or_create

NEED = "report:read"


def _claims(**changed: Any) -> Claims:
    now = int(time.time())
    told = {
        "iss": "retinue", "sub": "sa_etl", "name": "etl", "kind": "service_account", "org": "org_acme", "cred": "key_x",
        "perm": NEED, "rev": 7, "iat": now, "exp": now + 60,
    }  # fmt: skip
    return Claims(**{**told, **changed})


def _text(key: IdentityKey, **changed: Any) -> str:
    return key.sign(_claims(**changed)).decode()


def _jwks(*keys: IdentityKey) -> bytes:
    listed = [{"kty": "OKP", "crv": "Ed25519", "kid": key.kid, "x": key.x, "alg": "EdDSA"} for key in keys]
    return json.dumps({"keys": [*listed, {"kty": "RSA", "kid": "other", "n": "AQAB", "e": "AQAB"}]}).encode()


@pytest.fixture
def key(tmp_path: Path) -> IdentityKey:
    """The key of a node."""
    return load_or_create(tmp_path / "node")


@pytest.fixture
def identities(key: IdentityKey, tmp_path: Path) -> Identities:
    """An application that has the list of keys in a file."""
    (tmp_path / "keys.json").write_bytes(_jwks(key))
    return Identities(tmp_path / "keys.json")


def _reason(identities: Identities, text: str | None, need: str | None = NEED) -> str:
    with pytest.raises(Denied) as denied:
        identities.caller(text, need)
    return denied.value.reason


def test_who_calls(identities: Identities, key: IdentityKey) -> None:
    """
    A header that a node has signed says who calls, with which credential, for what, and by which revision.
    """
    told = identities.caller(_text(key), NEED)

    assert Caller("service_account", "sa_etl", "etl", "org_acme", "key_x", NEED, 7) == told
    assert told == identities.caller(_text(key))


def _part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def _signed(key: IdentityKey, head: object, body: object) -> str:
    """Sign anything, as the owner of the key could."""
    message = f"{_part(head)}.{_part(body)}"
    signature = key._private.sign(message.encode())
    return f"{message}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


def _forgeries(key: IdentityKey, other: IdentityKey) -> dict[str, str]:
    good = _text(key)
    head, body, signature = good.split(".")
    claims = {name: getattr(_claims(), name) for name in Claims.__struct_fields__}
    named = {"alg": "EdDSA", "kid": key.kid, "typ": "retinue-identity+jwt"}
    mac = hmac.new(
        base64.urlsafe_b64decode(key.x + "="),
        f"{_part({**named, 'alg': 'HS256'})}.{body}".encode(),
        hashlib.sha256,
    )
    return {
        "nothing in it": "..", "no signature": f"{head}.{body}.", "two parts": f"{head}.{body}", "four parts": f"{good}.x",
        "two headers": f"{good}, {good}", "a space": f"{good} ", "a line": f"{good}\n", "padding": f"{good}=",
        "letters of all kinds": good + "ä", "too long": good + "A" * 5000, "plain text": "admin",
        "another signature": f"{head}.{body}.{_text(other).rpartition('.')[2]}",
        "a changed claim": f"{head}.{_part({**claims, 'sub': 'sa_admin'})}.{signature}",
        "a signature with a changed end": good[:-1] + ("A" if good[-1] != "A" else "B"),
        "alg none": f"{_part({**named, 'alg': 'none'})}.{body}.",
        "alg none, signed": f"{_part({**named, 'alg': 'none'})}.{body}.{signature}",
        "HS256 with the public key": f"{_part({**named, 'alg': 'HS256'})}.{body}.{base64.urlsafe_b64encode(mac.digest()).rstrip(b'=').decode()}",
        "alg in small letters": _signed(key, {**named, "alg": "eddsa"}, claims),
        "another type": _signed(key, {**named, "typ": "JWT"}, claims),
        "no type": _signed(key, {"alg": "EdDSA", "kid": key.kid}, claims),
        "no key id": _signed(key, {"alg": "EdDSA", "typ": "retinue-identity+jwt"}, claims),
        "its own key": _signed(other, {**named, "jwk": {"kty": "OKP", "crv": "Ed25519", "x": other.x}}, claims),
        "a critical field": _signed(key, {**named, "crit": ["b64"], "b64": False}, claims),
        "a key of nobody": _text(other), "another's key id": _signed(other, named, claims),
        "another issuer": _text(key, iss="elsewhere"), "no end": _signed(key, named, {**claims, "exp": None}),
        "from the future": _text(key, iat=int(time.time()) + 30, exp=int(time.time()) + 60),
        "for an hour": _text(key, exp=int(time.time()) + 3600), "over before it began": _text(key, exp=int(time.time()) - 1),
        "a list": _signed(key, named, [1]), "no account": _signed(key, named, {k: v for k, v in claims.items() if k != "sub"}),
        "numbers as text": _signed(key, named, {**claims, "iat": "0", "exp": "60"}),
    }  # fmt: skip


def test_forgeries(identities: Identities, key: IdentityKey, tmp_path: Path) -> None:
    """
    What no node has signed, or not for now, or not as that, says nothing; nor does it after a good one was seen.
    """
    other = load_or_create(tmp_path / "other")
    assert identities.caller(_text(key), NEED).name
    answers = {}
    for name, text in _forgeries(key, other).items():
        answers[name] = _reason(identities, text)

    assert {"token_malformed", "token_unknown"} >= set(answers.values())
    assert "token_missing" == _reason(identities, None) == _reason(identities, "")


def test_the_end_of_an_identity(
    identities: Identities, key: IdentityKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    It holds for 60 s and the difference of two clocks, also when it was verified before.
    """
    text, now = _text(key), time.time()
    assert identities.caller(text, NEED).name
    monkeypatch.setattr("retinue.guard.identity.time.time", lambda: now + 64)
    assert identities.caller(text, NEED).name
    monkeypatch.setattr("retinue.guard.identity.time.time", lambda: now + 66)

    assert "credential_expired" == _reason(identities, text)


def test_another_permission(identities: Identities, key: IdentityKey) -> None:
    """
    What was signed for one permission opens nothing that needs another one; the denial names what is missing.
    """
    with pytest.raises(Denied) as denied:
        identities.caller(_text(key), "report:write")

    assert (403, ("report:write",)) == (denied.value.status, denied.value.required)
    assert "permission_missing" == _reason(identities, _text(key, perm=None))


def test_another_organization(key: IdentityKey, identities: Identities, tmp_path: Path) -> None:
    """
    Who protects one organization knows nobody of another one.
    """
    bound = Identities(tmp_path / "keys.json", organization="org_acme")

    assert "etl" == bound.caller(_text(key), NEED).name
    assert "token_unknown" == _reason(bound, _text(key, org="org_other"))


class _Published:
    """A list of keys on a server, which can be changed and taken away."""

    def __init__(self) -> None:
        self.body: bytes | None = None
        self.asked = 0
        published = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                published.asked += 1
                assert self.path == "/v1/identity-keys"
                self.send_response(200 if published.body else 503)
                self.end_headers()
                self.wfile.write(published.body or b"")

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def published() -> Iterator[_Published]:
    """A running server with a list of keys."""
    running = _Published()
    thread = threading.Thread(target=running.server.serve_forever, args=(0.01,))
    thread.start()
    yield running
    running.server.shutdown()
    thread.join()
    running.server.server_close()


def _later(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    now = time.monotonic() + seconds
    monkeypatch.setattr("retinue.guard.identity.time.monotonic", lambda: now)


def test_keys_over_http(
    key: IdentityKey, published: _Published, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    The list is read once; a key that is not in it makes it read again, once a second however many ask.
    """
    new = load_or_create(tmp_path / "new")
    published.body = _jwks(key)
    identities = Identities(published.url)
    assert all(identities.caller(_text(key), NEED).name for _ in range(5))
    assert 1 == published.asked

    published.body = _jwks(key, new)
    assert ["token_unknown"] * 9 == [_reason(identities, _text(new)) for _ in range(9)]
    assert 1 == published.asked
    _later(monkeypatch, 2)
    assert "etl" == identities.caller(_text(new), NEED).name
    assert 2 == published.asked


def test_a_key_that_was_taken_back(
    key: IdentityKey, published: _Published, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    A key that is no longer listed is believed for a minute at most.
    """
    published.body = _jwks(key)
    identities = Identities(published.url)
    text = _text(key)
    assert identities.caller(text, NEED).name
    published.body = _jwks(load_or_create(tmp_path / "new"))
    _later(monkeypatch, 61)

    assert "token_unknown" == _reason(identities, text)


def test_without_a_list(key: IdentityKey, published: _Published, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Who never had a list answers 503; who had one goes on for an hour, and then believes nothing.
    """
    identities = Identities(published.url)
    assert "replica_stale" == _reason(identities, _text(key))
    _later(monkeypatch, 2)
    published.body = _jwks(key)
    assert identities.caller(_text(key), NEED).name
    published.body = None
    _later(monkeypatch, 120)
    assert identities.caller(_text(key), NEED).name
    _later(monkeypatch, FORGET_SECONDS + 3)

    assert "replica_stale" == _reason(identities, _text(key))


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{", b'{"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "x", "x": "AA"}]}']
)
def test_a_list_that_is_none(key: IdentityKey, body: bytes, tmp_path: Path) -> None:
    """
    A damaged list is no list.
    """
    (tmp_path / "keys.json").write_bytes(body)

    assert "replica_stale" == _reason(Identities(tmp_path / "keys.json"), _text(key))


@pytest.mark.parametrize("url", ["ftp://x", "http://", "://x"])
def test_a_source_that_is_none(url: str) -> None:
    """
    A URL that is none is a mistake of the program.
    """
    with pytest.raises(ValueError, match="URL"):
        Keys(url)


def _wsgi(application: wsgi.Protect, **headers: str) -> tuple[int, bytes]:
    answered = []
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/reports/1", "REMOTE_ADDR": "127.0.0.1", **headers}
    body = b"".join(application(environ, lambda status, _headers, *_: answered.append(int(status[:3]))))
    return answered[0], body


def test_wsgi(identities: Identities, key: IdentityKey) -> None:
    """
    A WSGI application finds its caller; two headers, joined by the server, are none; a token of the client is not read.
    """

    def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", [])
        return [environ[wsgi.CALLER].name.encode()]

    protected = wsgi.Protect(
        application, Guard(decider=identities), {"GET /reports/*": NEED, "/entries": "a:b"}
    )
    good = _text(key)

    assert (200, b"etl") == _wsgi(protected, HTTP_RETINUE_IDENTITY=good)
    assert (200, b"etl") == _wsgi(protected, HTTP_RETINUE_IDENTITY=good, HTTP_AUTHORIZATION="Bearer x")
    assert 401 == _wsgi(protected, HTTP_RETINUE_IDENTITY=f"{good},{good}")[0]
    assert 401 == _wsgi(protected, HTTP_AUTHORIZATION=f"Bearer {good}")[0]
    assert 403 == _wsgi(protected, HTTP_RETINUE_IDENTITY=good, PATH_INFO="/entries")[0]
    assert 403 == _wsgi(protected, HTTP_RETINUE_IDENTITY=good, PATH_INFO="/other")[0]


def test_asgi(identities: Identities, key: IdentityKey) -> None:
    """
    So does an ASGI application.
    """

    async def application(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": scope[asgi.CALLER].name.encode()})

    protected = asgi.Protect(application, Guard(decider=identities), {"GET /reports/*": NEED})
    answers = []

    async def call(headers: list[tuple[bytes, bytes]]) -> None:
        async def send(message: Any) -> None:
            answers.append(message.get("status", message.get("body")))

        scope = {"type": "http", "method": "GET", "path": "/reports/1", "headers": headers, "client": None}
        await protected(scope, None, send)  # type: ignore[arg-type]

    good = (b"retinue-identity", _text(key).encode())
    asyncio.run(call([good]))
    asyncio.run(call([good, good]))

    assert [200, b"etl", 401] == answers[:3]


def test_fastapi(identities: Identities, key: IdentityKey) -> None:
    """
    And every adapter that takes a guard.
    """
    app = FastAPI()
    guard = fastapi.Guard(decider=identities)
    guard.install(app)

    @app.get("/reports/{ident}", dependencies=[guard.requires(NEED)])
    def report(ident: str, request: Request) -> str:
        caller: Caller = request.scope[asgi.CALLER]
        return caller.name

    client = TestClient(app)

    assert "etl" == client.get("/reports/1", headers={"Retinue-Identity": _text(key)}).json()
    assert 403 == client.get("/reports/1", headers={"Retinue-Identity": _text(key, perm="a:b")}).status_code
    assert "token_missing" == client.get("/reports/1").json()["code"]


def test_the_operator_learns_why(
    identities: Identities, key: IdentityKey, caplog: pytest.LogCaptureFixture
) -> None:
    """
    The client gets a reason of the closed set, the log says what was wrong, and never the header itself.
    """
    text = _text(key, iss="elsewhere")
    _reason(identities, text)

    assert "from 'elsewhere', not from 'retinue'" in caplog.text
    assert text not in caplog.text


def test_threads(key: IdentityKey, published: _Published) -> None:
    """
    Many threads at once wait for one list, and read it once.
    """
    published.body = _jwks(key)
    identities = Identities(published.url)
    found: list[str] = []
    threads = [
        threading.Thread(target=lambda: found.append(identities.caller(_text(key), NEED).name))
        for _ in range(16)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert ["etl"] * 16 == found
    assert 1 == published.asked


def test_what_is_remembered_is_bounded(
    identities: Identities, key: IdentityKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Headers that were verified are kept up to a number, so that nobody can fill the memory.
    """
    monkeypatch.setattr(guard_identity, "_REMEMBERED", 8)
    for number in range(30):
        identities.caller(_text(key, name=f"a{number}"), NEED)

    assert 8 >= len(identities._verified)
