"""The limits of bodies, queries and header values, at their bounds, on the control plane as it is served."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.raw import ACCOUNTS, get, post
from tests.support.installation import Installation, http
from tests.support.processes import wait_for


def account(**fields: Any) -> dict[str, Any]:
    """The body of an account."""
    return {"name": "x", "purpose": "a test", "owners": ["nobody"], **fields}


OVER = [
    ("body of 64 KiB and one byte", b'{"name": "' + b"x" * ((64 << 10) - 11) + b'"}', (413, "too_large")),
    ("body of 64 KiB", b'{"name": "' + b"x" * ((64 << 10) - 12) + b'"}', (400, "invalid_value")),
    ("depth 33", b'{"a":' + b"[" * 32 + b"]" * 32 + b"}", (400, "bad_json")),
    ("depth 32", b'{"a":' + b"[" * 31 + b"]" * 31 + b"}", (400, "missing_field")),
    ("257 keys", {f"m{n}": 1 for n in range(257)}, (400, "bad_json")),
    ("256 keys", {f"m{n}": 1 for n in range(256)}, (400, "missing_field")),
    ("1,001 items", account(extra=[0] * 1001), (400, "invalid_value")),
    ("1,000 items", account(extra=[0] * 1000), (400, "unknown_field")),
    ("text over 8 KiB", account(extra="x" * 8193), (400, "invalid_value")),
    ("text of 8 KiB", account(extra="x" * 8192), (400, "unknown_field")),
    ("above 2^53", account(extra=(1 << 53) + 1), (400, "bad_json")),
    ("2^53", account(extra=1 << 53), (400, "unknown_field")),
    ("below -2^53", account(extra=-(1 << 53) - 1), (400, "bad_json")),
    ("one member twice", b'{"name":"a","name":"a"}', (400, "bad_json")),
    ("twice in NFC", '{"extra":{"\u00e9":1,"e\u0301":2}}'.encode(), (400, "bad_json")),
    ("NaN", b'{"name":NaN}', (400, "bad_json")),
    ("Infinity", b'{"name":-Infinity}', (400, "bad_json")),
    ("NUL", b'{"name":"a\\u0000"}', (400, "invalid_value")),
    ("NUL in a member", b'{"a\\u0000":1}', (400, "invalid_value")),
    ("not UTF-8", b'{"name":"\xff"}', (400, "bad_json")),
    ("byte order mark", b'\xef\xbb\xbf{"name":"a"}', (400, "bad_json")),
]  # fmt: skip


@pytest.mark.parametrize(("body", "expected"), [each[1:] for each in OVER], ids=[each[0] for each in OVER])
def test_limits_of_a_body(installation: Installation, body: object, expected: tuple[int, str]) -> None:
    """
    Each limit holds at its bound: what is at the bound passes on to the next rule, what is above it does not.
    """
    assert expected == post(installation, body)


@pytest.mark.parametrize(
    ("target", "lines", "status"),
    [
        (b"/v1/me", b"Idempotency-Key: " + b"k" * 256 + b"\r\n", 200),
        (b"/v1/service-accounts?limit=200", b"", 200),
        (b"/v1/service-accounts?limit=201", b"", 400),
        (b"/v1/service-accounts?cursor=" + b"c" * 513, b"", 400),
        (b"/v1/service-accounts?" + b"&".join(b"a%d=1" % n for n in range(200)), b"", 400),
        (b"/v1/service-accounts?search=%ff", b"", 200),
    ],
)
def test_limits_of_a_query(installation: Installation, target: bytes, lines: bytes, status: int) -> None:
    """
    Pages, cursors and the number of parameters are bounded; what a read does not use does not stop it.
    """
    assert status == get(installation, target, lines)


def test_limits_of_header_values(installation: Installation) -> None:
    """
    A token of more than 512 bytes is none, an idempotency key has 255 bytes at most.
    """
    long_key = post(installation, account(), **{"Idempotency-Key": "k" * 256})
    full_key = post(installation, account(), **{"Idempotency-Key": "k" * 255})
    token = http("GET", f"{installation.url}/v1/me", token="a" * 513)

    assert (400, "invalid_value") == long_key
    assert (400, "invalid_value") != full_key
    assert (401, "token_malformed") == (token.status, token.json()["code"])


def test_text_is_normalized(installation: Installation) -> None:
    """
    Text comes back in NFC.
    """
    me = http("GET", f"{installation.url}/v1/me", token=installation.token()).json()
    body = {"name": "Cafe\u0301", "purpose": "a test", "owners": [me["principal"]["id"]]}
    made = http("POST", f"{installation.url}{ACCOUNTS}", token=installation.token(), body=body)

    assert (201, "Caf\u00e9") == (made.status, made.json()["name"])


def test_own_calls_are_in_the_request_log(installation: Installation) -> None:
    """
    What a served process decides about its callers is listed within seconds, and nothing on the way is lost.
    """
    mark = "probe-of-the-log"
    for _ in range(3):
        http("GET", f"{installation.url}/v1/me", token=installation.token(), headers={"User-Agent": mark})

    def listed() -> list[dict[str, Any]]:
        answer = http("GET", f"{installation.url}/v1/requests?limit=50", token=installation.token())
        return [item for item in answer.json()["items"] if item["client"] == mark]

    wait_for("three calls are listed", lambda: len(listed()) == 3, seconds=60)

    assert {("control plane", "/v1/me", "allowed")} == {
        (item["node"], item["path"], item["decision"]) for item in listed()
    }
