"""One sample host for each framework, and real requests: the same questions, the same answers."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from tests.guard.served import FRAMEWORKS, Answer, Host, serving


@pytest.fixture(scope="module", params=FRAMEWORKS)
def running(request: pytest.FixtureRequest) -> Iterator[Host]:
    """A sample host of each framework."""
    with serving(request.param) as host:
        yield host


@pytest.fixture
def host(running: Host) -> Host:
    """A sample host with an empty request log."""
    running.obey("log")
    return running


#: What is asked, and how it is denied: method, path, whose token; status and code.
DENIALS = {
    "no token": ("GET", "/reports", None, 401, "token_missing"),
    "no token, a body": ("POST", "/reports", None, 401, "token_missing"),
    "no route, no token": ("GET", "/nowhere", None, 401, "token_missing"),
    "no rule, no token": ("GET", "/uncovered", None, 401, "token_missing"),
    "no rule": ("GET", "/uncovered", "writer", 403, "endpoint_not_allowed"),
    "no rule, a body": ("POST", "/uncovered", "writer", 403, "endpoint_not_allowed"),
    "permission missing": ("GET", "/reports", "nobody", 403, "permission_missing"),
    "another permission missing": ("POST", "/reports", "reader", 403, "permission_missing"),
    "on a resource": ("GET", "/reports/7", "nobody", 403, "permission_missing"),
    "expired": ("GET", "/reports", "expired", 401, "credential_expired"),
    "revoked": ("GET", "/reports", "revoked", 401, "credential_revoked"),
    "malformed": ("GET", "/reports", "Bearer nonsense", 401, "token_malformed"),
    "basic": ("GET", "/reports", "Basic eDp5", 401, "scheme_not_accepted"),
    "head": ("HEAD", "/reports", None, 401, ""),
}


def _denied(host: Host, name: str) -> Answer:
    method, path, who, _, _ = DENIALS[name]
    return host.ask(method, path, who, body="{not json" if method == "POST" else None)


@pytest.mark.parametrize("name", DENIALS)
def test_denials(host: Host, name: str) -> None:
    """
    Status and code of each denial; a body that is none is not even read.
    """
    answer = _denied(host, name)
    _, _, _, status, code = DENIALS[name]

    assert (status, code) == (answer.status, answer.json["code"] if answer.body else "")
    assert "no-store" == answer.fields["cache-control"]
    assert ("www-authenticate" in answer.fields) == (status in (401, 403))


def test_a_denial_is_the_same_document_everywhere() -> None:
    """
    Byte for byte, with the same header fields, whatever the framework.
    """
    told: dict[str, set[str]] = {name: set() for name in DENIALS}
    for framework in FRAMEWORKS:
        with serving(framework) as host:
            for name in DENIALS:
                told[name].add(repr(_denied(host, name).denial))

    assert dict.fromkeys(DENIALS, 1) == {name: len(each) for name, each in told.items()}, told


def test_the_missing_permission_is_named(host: Host) -> None:
    """
    In the body and in the challenge; nothing that is held is told.
    """
    answer = host.ask("POST", "/reports", "reader")

    assert ["report:write"] == answer.json["required"]
    assert 'scope="report:write"' in answer.fields["www-authenticate"]
    assert b"report:read" not in answer.body


def test_who_may_is_let_in_and_known(host: Host) -> None:
    """
    Over one path by two methods, and on a resource.
    """
    read = host.ask("GET", "/reports?x=1", "reader")
    written = host.ask("POST", "/reports", "writer", body='{"a": 1}', Content_Type="application/json")
    one = host.ask("GET", "/reports/7", "reader")

    assert (200, {"hello": "reader"}) == (read.status, read.json)
    assert (201, {"hello": "writer"}) == (written.status, written.json)
    assert (200, {"hello": "reader"}) == (one.status, one.json)


def test_what_is_public_needs_no_token(host: Host) -> None:
    """
    And nothing of it stands in the request log.
    """
    assert (200, {"hello": None}) == ((answer := host.ask("GET", "/healthz")).status, answer.json)
    assert [] == host.obey("log")


def test_warnings_are_header_fields(host: Host) -> None:
    """
    Of an answer that is allowed; a token without an end has none.
    """
    retiring = host.ask("GET", "/reports", "retiring").fields
    expiring = host.ask("GET", "/reports", "expiring").fields
    due = host.ask("POST", "/reports", "due", body='{"a": 1}', Content_Type="application/json").fields
    plain = host.ask("GET", "/reports", "reader").fields

    assert ["retinue-token-retires"] == [name for name in retiring if name.startswith("retinue")]
    assert ["retinue-token-expires"] == [name for name in expiring if name.startswith("retinue")]
    assert ["retinue-token-rotate-by"] == [name for name in due if name.startswith("retinue")]
    assert [] == [name for name in plain if name.startswith("retinue")]
    for told in (retiring["retinue-token-retires"], due["retinue-token-rotate-by"]):
        assert abs(datetime.fromisoformat(told) - datetime.now(UTC)) < timedelta(hours=1)


def test_the_log_tells_what_was_answered(host: Host) -> None:
    """
    Method, path, its template, the status, the permission, the client: of what was allowed and what was denied.
    """
    host.ask("GET", "/reports/7?secret=1", "reader")
    host.ask("POST", "/reports", "writer", body='{"a": 1}', Content_Type="application/json")
    denied = host.ask("GET", "/reports/8", "nobody").json["request_id"]
    host.ask("GET", "/uncovered", "writer")
    host.ask("GET", "/broken", "reader")
    logged = host.obey("log")

    seen = [
        (each["method"], each["path"], each["status"], each["allowed"], each["reason"]) for each in logged
    ]
    assert [
        ("GET", "/reports/7", 200, True, None),
        ("POST", "/reports", 201, True, None),
        ("GET", "/reports/8", 403, False, "permission_missing"),
        ("GET", "/uncovered", 403, False, "endpoint_not_allowed"),
        ("GET", "/broken", 500, True, None),
    ] == seen
    assert denied == logged[2]["request_id"]
    assert ["report:read", "report:write", "report:read", None, "report:read"] == [
        each["permission"] for each in logged
    ]
    assert all(0 < each["duration_us"] < 5_000_000 for each in logged)
    assert {("127.0.0.1", "sample/1")} == {(each["address"], each["client"]) for each in logged}
    assert {TEMPLATES.get(host.framework, "/reports/{report_id}")} == {logged[0]["route"], logged[2]["route"]}
    assert "/reports" == logged[1]["route"]


#: How frameworks write the template of a path.
TEMPLATES = {
    "flask": "/reports/<int:report_id>",
    "django": "/reports/<int:report_id>",
    "django-asgi": "/reports/<int:report_id>",
    "drf": "/reports/<int:report_id>",
}


def test_a_path_without_a_route(host: Host) -> None:
    """
    Whoever has a token hears from the host that there is nothing, or that there is no rule; nobody is let in.
    """
    answer = host.ask("GET", "/nowhere", "writer")

    assert answer.status == (403 if host.framework in ("asgi", "wsgi") else 404)


def test_a_method_that_a_route_does_not_have(host: Host) -> None:
    """
    It is not the way around a rule.
    """
    assert host.ask("DELETE", "/reports").status == 401
    assert host.ask("DELETE", "/reports", "writer").status in (403, 405)


def test_threads(host: Host) -> None:
    """
    Forty requests at once by two tokens: each gets its own answer.
    """
    wrong: list[object] = []

    def ask(who: str, status: int) -> None:
        for _ in range(5):
            answer = host.ask("GET", "/reports", who)
            if answer.status != status or (status == 200 and answer.json != {"hello": who}):
                wrong.append((who, answer))

    people = [("reader", 200), ("writer", 200), ("nobody", 403), ("revoked", 401)] * 2
    threads = [threading.Thread(target=ask, args=each) for each in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [] == wrong


def test_the_lease_ends_in_the_middle(host: Host) -> None:
    """
    From then on nothing is allowed, whatever was before; once it runs again it is.
    """
    assert host.ask("GET", "/reports", "reader").status == 200
    host.obey("stale")
    answer = host.ask("GET", "/reports", "reader")
    host.obey("fresh")

    assert (503, "replica_stale", "1") == (answer.status, answer.json["code"], answer.fields["retry-after"])
    assert host.ask("GET", "/reports", "reader").status == 200
