"""The WSGI and ASGI adapters: the same requests, the same answers."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest

from retinue.guard import asgi, wsgi
from retinue.guard.testing import FakeGuard, Tokens

RULES = {"GET /reports*": "report:read", "POST /reports": "report:write"}
PUBLIC = ["/healthz"]


@dataclass
class Answer:
    """Status, header fields by lower-case name, and body."""

    status: int
    fields: dict[str, str]
    body: bytes

    @property
    def code(self) -> str:
        return str(msgspec.json.decode(self.body)["code"]) if self.body else ""


Ask = Callable[..., Answer]


def _wsgi(guard: FakeGuard) -> Ask:
    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        caller = environ.get(wsgi.CALLER)
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [(caller.name if caller else "nobody").encode()]

    protected = wsgi.Protect(app, guard, RULES, public=PUBLIC)

    def ask(method: str, path: str, headers: dict[str, str] | None = None) -> Answer:
        plain, _, query = path.partition("?")
        environ: dict[str, Any] = {
            "REQUEST_METHOD": method, "PATH_INFO": plain, "QUERY_STRING": query, "REQUEST_URI": path,
            "REMOTE_ADDR": "192.0.2.7", "wsgi.input": io.BytesIO(),
        }  # fmt: skip
        environ |= {"HTTP_" + k.upper().replace("-", "_"): v for k, v in (headers or {}).items()}
        told: list[Any] = []
        body = b"".join(protected(environ, lambda status, fields, *_: told.extend((status, fields))))
        return Answer(int(told[0].split()[0]), {k.lower(): v for k, v in told[1]}, body)

    return ask


def _asgi(guard: FakeGuard) -> Ask:
    async def app(scope: asgi.Scope, receive: asgi.Receive, send: asgi.Send) -> None:
        caller = scope.get(asgi.CALLER)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": (caller.name if caller else "nobody").encode()})

    protected = asgi.Protect(app, guard, RULES, public=PUBLIC)

    def ask(method: str, path: str, headers: dict[str, str] | None = None) -> Answer:
        plain, _, query = path.partition("?")
        scope: dict[str, Any] = {
            "type": "http", "method": method, "path": plain, "raw_path": plain.encode(),
            "query_string": query.encode(), "client": ("192.0.2.7", 1),
            "headers": [(k.lower().encode(), v.encode()) for k, v in (headers or {}).items()],
        }  # fmt: skip
        sent: list[Any] = []

        async def send(message: Any) -> None:
            sent.append(message)

        async def receive() -> Any:
            return {"type": "http.request"}

        asyncio.run(protected(scope, receive, send))
        fields = {k.decode().lower(): v.decode() for k, v in sent[0]["headers"]}
        return Answer(sent[0]["status"], fields, b"".join(each["body"] for each in sent[1:]))

    return ask


@pytest.fixture(params=[_wsgi, _asgi], ids=["wsgi", "asgi"])
def ask(request: pytest.FixtureRequest, retinue_guard: FakeGuard) -> Ask:
    """Calls the protected application."""
    made: Ask = request.param(retinue_guard)
    return made


def test_who_may_is_let_in_and_known(ask: Ask, retinue_token: Tokens) -> None:
    """
    The application learns its caller, and the answer is its own.
    """
    answer = ask("GET", "/reports?x=1", retinue_token("report:read", name="etl"))

    assert (200, b"etl") == (answer.status, answer.body)


PROXIES = {
    "direct": ("192.0.2.7", None, "192.0.2.7"),
    "a stranger says something": ("192.0.2.7", "198.51.100.1", "192.0.2.7"),
    "by a proxy": ("10.0.0.5", "198.51.100.1", "198.51.100.1"),
    "by two": ("10.0.0.5", "203.0.113.9, 198.51.100.1, 10.0.0.6", "198.51.100.1"),
    "no address": ("10.0.0.5", "unknown", None),
    "a Unix socket": ("", "203.0.113.9, 198.51.100.1", "198.51.100.1"),
    "a Unix socket that says nothing": ("", None, None),
}


@pytest.mark.parametrize("name", PROXIES)
def test_the_address_of_the_client(name: str, retinue_guard: FakeGuard, retinue_token: Tokens) -> None:
    """
    It is the connection's; of a trusted proxy the first from the right that is none. So the request log has it.
    """
    peer, forwarded, expected = PROXIES[name]

    def inside(_: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response("204 No Content", [])
        return []

    app = wsgi.Protect(inside, retinue_guard, RULES, trusted_proxies=["10.0.0.0/8", "unix"])
    environ = {
        "REQUEST_METHOD": "GET", "PATH_INFO": "/reports", "REMOTE_ADDR": peer,
        "HTTP_AUTHORIZATION": retinue_token("report:read")["Authorization"],
    }  # fmt: skip
    if forwarded is not None:
        environ["HTTP_X_FORWARDED_FOR"] = forwarded
    list(app(environ, lambda *_: None))
    untrusted = wsgi.Protect(inside, retinue_guard, RULES)
    list(untrusted(environ, lambda *_: None))

    assert [expected, peer or None] == [each.address for each in retinue_guard.replica.log]


def test_denials_are_told_in_full(ask: Ask, retinue_token: Tokens) -> None:
    """
    Without a token, without the permission, with an ended one: status, code, challenge and the missing name.
    """
    nobody = ask("GET", "/reports")
    weak = ask("POST", "/reports", retinue_token("report:read"))
    ended = ask("GET", "/reports", retinue_token.revoked("report:read"))
    stale = ask("GET", "/reports", retinue_token.stale("report:read"))

    assert (401, "token_missing", 'Bearer realm="retinue"') == (
        nobody.status, nobody.code, nobody.fields["www-authenticate"],
    )  # fmt: skip
    assert (403, "permission_missing") == (weak.status, weak.code)
    assert 'scope="report:write"' in weak.fields["www-authenticate"]
    assert (401, "credential_revoked") == (ended.status, ended.code)
    assert (503, "replica_stale", "1") == (stale.status, stale.code, stale.fields["retry-after"])
    assert {"no-store"} == {each.fields["cache-control"] for each in (nobody, weak, ended, stale)}


def test_a_path_without_a_rule_is_refused(ask: Ask, retinue_token: Tokens) -> None:
    """
    Whatever the token may do; and a stranger does not learn which paths there are.
    """
    known = ask("GET", "/admin", retinue_token("report:read", "report:write"))
    stranger = ask("GET", "/admin")
    climbing = ask("GET", "/reports/..%2fadmin", retinue_token("report:read"))

    assert (403, "endpoint_not_allowed") == (known.status, known.code)
    assert (401, "token_missing") == (stranger.status, stranger.code)
    assert (403, "endpoint_not_allowed") == (climbing.status, climbing.code)


def test_what_is_public_needs_nothing(ask: Ask) -> None:
    """
    And has no caller.
    """
    answer = ask("GET", "/healthz")

    assert (200, b"nobody") == (answer.status, answer.body)


def test_two_credentials_are_none(ask: Ask, retinue_token: Tokens) -> None:
    """
    Never "the first wins".
    """
    good = retinue_token("report:read")["Authorization"]
    twice = ask("GET", "/reports", {"Authorization": f"{good}, {good}"})
    basic = ask("GET", "/reports", {"Authorization": "Basic eA=="})

    assert (401, "scheme_not_accepted") == (twice.status, twice.code)
    assert (401, "scheme_not_accepted") == (basic.status, basic.code)


def test_warnings_go_with_the_answer(ask: Ask, retinue_token: Tokens) -> None:
    """
    A token that retires is told so on every answer.
    """
    assert "retinue-token-retires" in ask("GET", "/reports", retinue_token.retiring("report:read")).fields
    assert "retinue-token-retires" not in ask("GET", "/reports", retinue_token("report:read")).fields


def test_head_has_no_body(ask: Ask) -> None:
    """
    A denial of HEAD says the same in its header alone.
    """
    answer = ask("HEAD", "/reports")

    assert (401, b"") == (answer.status, answer.body)
    assert 0 < int(answer.fields["content-length"])
