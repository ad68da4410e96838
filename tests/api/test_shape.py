"""Requests of a bad shape, and bodies that try to hurt: refused early, with the rule, leaving nothing."""

from __future__ import annotations

import json

import pytest

from retinue.server.directory.queries import Principal
from retinue.server.ledger import queries as ledger
from retinue.token import Kind, mint
from tests.api.world import HOST, STRANGER, Caller, World

ACCOUNTS = "/v1/service-accounts"


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/v1/../v1/me", 400, "path_refused"),
        ("/v1//me", 400, "path_refused"),
        ("/v1/keys/%2e%2e/me", 400, "path_refused"),
        ("/v1/keys/a%00b", 400, "path_refused"),
        ("/v1/keys/a%5cb", 400, "path_refused"),
        ("/v1/keys/a%252fb", 400, "path_refused"),
        ("/v1/keys/" + "x" * 9000, 414, "uri_too_long"),
        ("/v1/me?" + "x" * 9000, 414, "uri_too_long"),
        ("/v1/me?access_token=" + mint(Kind.API_KEY).reveal(), 401, "scheme_not_accepted"),
        ("/v1/keys/" + mint(Kind.API_KEY).reveal(), 401, "scheme_not_accepted"),
    ],
)  # fmt: skip
def test_ambiguous_addresses_are_refused(world: World, path: str, status: int, code: str) -> None:
    """
    An address with two readings, or with a token in it, is refused; the token is not repeated.
    """
    answer = world.owner.get(path)

    assert (status, code) == (answer.status, answer.code)
    assert "rtnsa_" not in answer.text


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({"host": ""}, 400, "bad_request"),
        ({"host": f"{HOST},{HOST}"}, 400, "bad_request"),
        ({"host": "evil.example"}, 400, "bad_request"),
        ({"transfer-encoding": "chunked"}, 400, "bad_request"),
        ({f"x-{n}": "1" for n in range(70)}, 431, "headers_too_large"),
        ({"authorization": "Negotiate YTpi"}, 401, "scheme_not_accepted"),
        ({"authorization": "Bearer a, Bearer b"}, 401, "scheme_not_accepted"),
        ({"authorization": "Bearer"}, 401, "token_missing"),
        ({"authorization": "Bearer nonsense"}, 401, "token_malformed"),
        ({"authorization": "Bearer " + mint(Kind.API_KEY).reveal()}, 401, "token_unknown"),
    ],
)
def test_bad_headers_are_refused(world: World, headers: dict[str, str], status: int, code: str) -> None:
    """
    Two hosts, foreign hosts, chunked bodies, too many headers and unaccepted schemes are refused.
    """
    answer = world.owner.call("GET", "/v1/me", headers=headers)

    assert (status, code) == (answer.status, answer.code), answer.text
    assert "retinue-request-id" in answer.headers


def nested(depth: int) -> bytes:
    """An object that nests."""
    return b'{"systems":' + b"[" * depth + b"]" * depth + b"}"


BODIES: list[tuple[str, bytes, int, str]] = [
    ("no object", b"[]", 400, "bad_json"),
    ("cut off", b'{"name":', 400, "bad_json"),
    ("not UTF-8", b'{"name":"\xff"}', 400, "bad_json"),
    ("deep", nested(10_000), 400, "bad_json"),
    ("too deep by one", nested(32), 400, "bad_json"),
    ("unclosed", b'{"name":' + b"[" * 60_000, 400, "bad_json"),
    ("many members", json.dumps({f"m{n}": 1 for n in range(300)}).encode(), 400, "bad_json"),
    ("many items", json.dumps({"name": "x", "systems": ["s"] * 1001}).encode(), 400, "invalid_value"),
    ("twice", b'{"name":"a","name":"b"}', 400, "bad_json"),
    ("NaN", b'{"name":NaN}', 400, "bad_json"),
    ("infinity", b'{"name":1e999}', 400, "invalid_value"),
    ("huge integer", b'{"name":' + b"9" * 5000 + b"}", 400, "bad_json"),
    ("NUL", b'{"name":"a\\u0000b"}', 400, "invalid_value"),
    ("line break in a name", b'{"name":"a\\nb"}', 400, "invalid_value"),
    ("C1 control", b'{"name":"a\\u0085b"}', 400, "invalid_value"),
    ("lone surrogate", b'{"name":"\\ud800"}', 400, "invalid_value"),
    ("long text", json.dumps({"name": "x", "purpose": "p" * 9000}).encode(), 400, "invalid_value"),
    ("number for a text", b'{"name":1}', 400, "invalid_value"),
    ("null for a text", b'{"name":null}', 400, "invalid_value"),
    ("text for a list", b'{"name":"a","owners":"b"}', 400, "invalid_value"),
    ("unknown member", b'{"name":"a","admin":true}', 400, "unknown_field"),
    ("empty", b"", 400, "missing_field"),
    ("over 64 KiB", b'{"name":"' + b"x" * (64 << 10) + b'"}', 413, "too_large"),
]


@pytest.mark.parametrize(
    ("body", "status", "code"), [each[1:] for each in BODIES], ids=[each[0] for each in BODIES]
)
def test_bad_bodies_are_refused_and_leave_nothing(world: World, body: bytes, status: int, code: str) -> None:
    """
    A body that breaks a rule is refused with the rule; no row and no revision is left behind.
    """
    before = (ledger.head(), Principal.objects.count())
    answer = world.owner.call("POST", ACCOUNTS, raw=body)

    assert (status, code) == (answer.status, answer.code), answer.text
    assert before == (ledger.head(), Principal.objects.count())
    assert "pydantic" not in answer.text


def test_other_media_types_are_refused(world: World) -> None:
    """
    A body is JSON, or it is not read.
    """
    for kind in ("text/plain", "application/x-www-form-urlencoded", "application/json; charset=latin-1"):
        answer = world.owner.call("POST", ACCOUNTS, raw=b"{}", headers={"content-type": kind})

        assert (415, "unsupported_media_type") == (answer.status, answer.code)


def test_body_where_none_belongs_is_refused(world: World) -> None:
    """
    A read takes no body.
    """
    answer = world.owner.call("GET", ACCOUNTS, raw=b"{}")

    assert (400, "bad_request") == (answer.status, answer.code)


@pytest.mark.parametrize(
    ("query", "code", "field"),
    [
        ("limit=0", "invalid_value", "query.limit"),
        ("limit=201", "invalid_value", "query.limit"),
        ("limit=ten", "invalid_value", "query.limit"),
        ("limit=1&limit=2", "invalid_value", "query.limit"),
        ("colour=red", "unknown_field", "query.colour"),
        ("sort=password", "invalid_value", "query.sort"),
        ("search=%00", "invalid_value", "query.search"),
        ("cursor=forged", "cursor_invalid", "query.cursor"),
    ],
)
def test_bad_queries_are_refused(world: World, query: str, code: str, field: str) -> None:
    """
    A parameter that is unknown, doubled or out of range is refused by name.
    """
    answer = world.owner.get(f"{ACCOUNTS}?{query}")

    assert (400, code, field) == (answer.status, answer.code, answer.field), answer.text


def test_strangers_bodies_are_not_read(world: World) -> None:
    """
    Who may call is decided before the body: a stranger with a broken body hears about the token.
    """
    answers = [caller.call("POST", ACCOUNTS, raw=b'{"') for caller in (STRANGER, world.caller())]

    assert [(401, "token_missing"), (403, "permission_missing")] == [
        (each.status, each.code) for each in answers
    ]


def test_line_breaks_stand_where_text_has_lines(world: World) -> None:
    """
    Description and purpose may have lines; they come back normalized.
    """
    body = {"name": "Cafe\u0301", "purpose": "a\r\nb", "owners": [world.owner.id], "handle": "cafe"}
    made = world.owner.post(ACCOUNTS, body)

    assert ("Caf\u00e9", "a\nb") == (made.json["name"], made.json["purpose"])


def test_database_refusal_is_not_an_error_of_the_caller(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    A database that does not answer gives 503 with a pause, and an unexpected error 500 with the request id.
    """
    from django.db import OperationalError

    from retinue.server.directory import queries

    def broken(error: Exception) -> tuple[int, str, str | None, bool]:
        def fail(*_: object, **__: object) -> None:
            raise error

        with monkeypatch.context() as patch:
            patch.setattr(queries, "accounts", fail)
            answer = Caller(world.owner.token).get(ACCOUNTS)
        told = answer.json["request_id"] == answer.headers["retinue-request-id"]
        assert "secret text" not in answer.text
        return answer.status, answer.code, answer.headers.get("retry-after"), told

    assert (503, "database_unavailable", "1", True) == broken(OperationalError("secret text"))
    assert (500, "internal", None, True) == broken(RuntimeError("secret text"))
