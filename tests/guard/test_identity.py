"""Who calls behind a gateway: what an application believes of ``Retinue-Identity``, and what it does not."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import time
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI, Request
from fastapi.testclient import TestClient

from retinue.decision import Allowed
from retinue.guard import Denied, Guard, asgi, fastapi, wsgi
from retinue.guard import identity as guard_identity
from retinue.guard.identity import Identities
from retinue.guard.outcome import Caller
from retinue.node.identity import Claims, IdentityKey, load_or_create
from retinue.verifier import Question
from tests.guard.identities import NEED, claims, identities, key, refusal, signed

__all__ = ["identities", "key"]


def test_who_calls(identities: Identities, key: IdentityKey) -> None:
    """
    A header that a node has signed says who calls, with which credential, for what, and by which revision.
    """
    told = identities.caller(signed(key), NEED)

    assert Caller("service_account", "sa_etl", "etl", "org_acme", "key_x", NEED, 7) == told
    assert told == identities.caller(signed(key))


def _part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def _signed(key: IdentityKey, head: object, body: object) -> str:
    """Sign anything, as the owner of the key could."""
    message = f"{_part(head)}.{_part(body)}"
    signature = key._private.sign(message.encode())
    return f"{message}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


def _forgeries(key: IdentityKey, other: IdentityKey) -> dict[str, str]:
    good = signed(key)
    head, body, signature = good.split(".")
    plain = {name: getattr(claims(), name) for name in Claims.__struct_fields__}
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
        "another signature": f"{head}.{body}.{signed(other).rpartition('.')[2]}",
        "a changed claim": f"{head}.{_part({**plain, 'sub': 'sa_admin'})}.{signature}",
        "a signature with a changed end": good[:-1] + ("A" if good[-1] != "A" else "B"),
        "alg none": f"{_part({**named, 'alg': 'none'})}.{body}.",
        "alg none, signed": f"{_part({**named, 'alg': 'none'})}.{body}.{signature}",
        "HS256 with the public key": f"{_part({**named, 'alg': 'HS256'})}.{body}.{base64.urlsafe_b64encode(mac.digest()).rstrip(b'=').decode()}",
        "alg in small letters": _signed(key, {**named, "alg": "eddsa"}, plain),
        "another type": _signed(key, {**named, "typ": "JWT"}, plain),
        "no type": _signed(key, {"alg": "EdDSA", "kid": key.kid}, plain),
        "no key id": _signed(key, {"alg": "EdDSA", "typ": "retinue-identity+jwt"}, plain),
        "its own key": _signed(other, {**named, "jwk": {"kty": "OKP", "crv": "Ed25519", "x": other.x}}, plain),
        "a critical field": _signed(key, {**named, "crit": ["b64"], "b64": False}, plain),
        "a key of nobody": signed(other), "another's key id": _signed(other, named, plain),
        "another issuer": signed(key, iss="elsewhere"), "no end": _signed(key, named, {**plain, "exp": None}),
        "from the future": signed(key, iat=int(time.time()) + 30, exp=int(time.time()) + 60),
        "for an hour": signed(key, exp=int(time.time()) + 3600), "over before it began": signed(key, exp=int(time.time()) - 1),
        "a list": _signed(key, named, [1]), "no account": _signed(key, named, {k: v for k, v in plain.items() if k != "sub"}),
        "numbers as text": _signed(key, named, {**plain, "iat": "0", "exp": "60"}),
    }  # fmt: skip


def test_forgeries(identities: Identities, key: IdentityKey, tmp_path: Path) -> None:
    """
    What no node has signed, or not for now, or not as that, says nothing; nor does it after a good one was seen.
    """
    other = load_or_create(tmp_path / "other")
    assert identities.caller(signed(key), NEED).name
    answers = {}
    for name, text in _forgeries(key, other).items():
        answers[name] = refusal(identities, text)

    assert {"token_malformed", "token_unknown"} >= set(answers.values())
    assert "token_missing" == refusal(identities, None) == refusal(identities, "")


def test_the_end_of_an_identity(
    identities: Identities, key: IdentityKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    It holds for 60 s and the difference of two clocks, also when it was verified before.
    """
    text, now = signed(key), time.time()
    assert identities.caller(text, NEED).name
    monkeypatch.setattr("retinue.guard.identity.time.time", lambda: now + 64)
    assert identities.caller(text, NEED).name
    monkeypatch.setattr("retinue.guard.identity.time.time", lambda: now + 66)

    assert "credential_expired" == refusal(identities, text)


def test_another_permission(identities: Identities, key: IdentityKey) -> None:
    """
    What was signed for one permission opens nothing that needs another one; the denial names what is missing.
    """
    with pytest.raises(Denied) as denied:
        identities.caller(signed(key), "report:write")

    assert (403, ("report:write",)) == (denied.value.status, denied.value.required)
    assert "permission_missing" == refusal(identities, signed(key, perm=None))


def test_another_organization(key: IdentityKey, identities: Identities, tmp_path: Path) -> None:
    """
    Who protects one organization knows nobody of another one.
    """
    bound = Identities(tmp_path / "keys.json", organization="org_acme")

    assert "etl" == bound.caller(signed(key), NEED).name
    assert "token_unknown" == refusal(bound, signed(key, org="org_other"))


@pytest.mark.parametrize(
    ("organization", "is_let_in"), [("org_acme", True), ("org_other", False), ("acme", False)]
)
def test_a_guard_of_an_organization(
    identities: Identities, key: IdentityKey, organization: str, is_let_in: bool
) -> None:
    """
    It counts here too. Signed is the id: a guard that names a handle lets nobody in, and the log says why.
    """
    question = Question(signed(key), (NEED,), organization)

    assert is_let_in == isinstance(identities.decide(question), Allowed)


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
    good = signed(key)

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

    good = (b"retinue-identity", signed(key).encode())
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

    assert "etl" == client.get("/reports/1", headers={"Retinue-Identity": signed(key)}).json()
    assert 403 == client.get("/reports/1", headers={"Retinue-Identity": signed(key, perm="a:b")}).status_code
    assert "token_missing" == client.get("/reports/1").json()["code"]


def test_the_operator_learns_why(
    identities: Identities, key: IdentityKey, caplog: pytest.LogCaptureFixture
) -> None:
    """
    The client gets a reason of the closed set, the log says what was wrong, and never the header itself.
    """
    text = signed(key, iss="elsewhere")
    refusal(identities, text)

    assert "from 'elsewhere', not from 'retinue'" in caplog.text
    assert text not in caplog.text


def test_what_is_remembered_is_bounded(
    identities: Identities, key: IdentityKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Headers that were verified are kept up to a number, so that nobody can fill the memory.
    """
    monkeypatch.setattr(guard_identity, "_REMEMBERED", 8)
    for number in range(30):
        identities.caller(signed(key, name=f"a{number}"), NEED)

    assert 8 >= len(identities._verified)
