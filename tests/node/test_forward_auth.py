"""The contract with gateways, row by row: what ``/v1/forward-auth/<permission>`` answers, and why."""

from __future__ import annotations

import pytest

from retinue.token import Kind, mint
from tests.node.wire import Reply
from tests.node.world import Node

DOCUMENTED = (
    "retinue-identity",
    "retinue-error",
    "www-authenticate",
    "retry-after",
    "retinue-token-expires",
    "retinue-token-retires",
    "retinue-token-rotate-by",
)
REALM = 'Bearer realm="retinue"'
INVALID = REALM + ', error="invalid_token"'


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD", "PROPFIND"])
def test_allowed_is_200_with_empty_body_for_any_method(node: Node, method: str) -> None:
    """
    Row 1: allowed is 200, never 204, with an empty body, whatever the method.
    """
    reply = node.forward_auth("report:read", "reader", method=method)

    assert (200, b"", "0") == (reply.status, reply.body, reply.fields["content-length"])


@pytest.mark.parametrize(
    "need",
    [
        "", "/", "//", "/report:read", "no:such", "*:read", "report:*", "*:*", "*", "report", "report:", ":read",
        "Report:Read", "report:read:x", "report%3Aread", "..", "%2e%2e/report:read", "report:read%20", "a" * 300,
        "report:read,report:write",
    ],
)  # fmt: skip
@pytest.mark.parametrize("token", [None, "reader"])
def test_a_permission_that_is_none_is_500(node: Node, need: str, token: str | None) -> None:
    """
    Row 2: a missing, empty, unknown, malformed or wildcard permission is 500, also without a token.
    """
    reply = node.forward_auth(need, token)

    assert (500, "permission_unknown") == (reply.status, reply.code)
    assert "permission_unknown" == reply.fields["retinue-error"]


def test_no_permission_at_all(node: Node) -> None:
    """
    Row 2: the endpoint without a permission is 500 too, not 404.
    """
    assert (500, 500) == (node.get("/v1/forward-auth").status, node.get("/v1/forward-auth?x=1").status)


@pytest.mark.parametrize("organization", ["", "nobody", "a%20b", "acme@other"])
@pytest.mark.parametrize("token", [None, "reader"])
def test_an_unknown_organization_is_500(node: Node, organization: str, token: str | None) -> None:
    """
    A gateway that protects an organization which does not exist is misconfigured.
    """
    reply = node.forward_auth(f"report:read@{organization}", token)

    assert (500, "organization_unknown") == (reply.status, reply.code)


def test_the_protected_organization(node: Node) -> None:
    """
    With @organization the tokens of others are unknown; without it they are accepted.
    """
    own = node.forward_auth("report:read@acme", "reader")
    foreign = node.forward_auth("report:read@acme", "elsewhere")
    unbound = node.forward_auth("report:read", "elsewhere")

    assert (200, 401, 200) == (own.status, foreign.status, unbound.status)
    assert "token_unknown" == foreign.fields["retinue-error"]


@pytest.mark.parametrize(
    ("token", "status", "reason", "challenge"),
    [
        (None, 401, "token_missing", REALM),
        ("closed", 401, "organization_disabled", INVALID),
        ("deleted", 401, "account_deleted", INVALID),
        ("disabled", 401, "account_disabled", INVALID),
        ("revoked", 401, "credential_revoked", INVALID),
        ("suspended", 401, "credential_suspended", INVALID),
        ("expired", 401, "credential_expired", INVALID),
        ("ingest", 403, "kind_not_accepted", REALM),
        ("powerless", 403, "permission_missing", REALM + ', error="insufficient_scope", scope="report:read"'),
    ],
)
def test_denied(node: Node, token: str | None, status: int, reason: str, challenge: str) -> None:
    """
    Row 3: denied is 401 or 403 with problem, challenge and Retinue-Error.
    """
    reply = node.forward_auth("report:read", token)

    assert (status, reason) == (reply.status, reply.code)
    assert (reason, challenge) == (reply.fields["retinue-error"], reply.fields["www-authenticate"])
    assert "application/problem+json" == reply.fields["content-type"]
    assert status == reply.json()["status"]


def test_the_missing_permission_is_named(node: Node) -> None:
    """
    A 403 names what is missing and whose call it was, and no permission that is held.
    """
    problem = node.forward_auth("report:write", "reader").json()

    assert (["report:write"], "reader") == (problem["required"], problem["account"])
    assert "Missing permission report:write" == problem["title"]
    assert "report:read" not in str(problem)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("Basic dXNlcjpwYXNz", "scheme_not_accepted"),
        ("Apikey x", "scheme_not_accepted"),
        ("x", "scheme_not_accepted"),
        ("Bearer", "token_missing"),
        ("Bearer ", "token_missing"),
        ("", "token_missing"),
        ("Bearer a b", "token_malformed"),
        ("Bearer x", "token_malformed"),
        ("Bearer " + "x" * 5000, "token_malformed"),
        ("Bearer x, Bearer y", "scheme_not_accepted"),
        ("Bearer " + mint(Kind.API_KEY).reveal(), "token_unknown"),
    ],
    ids=[
        "basic",
        "apikey",
        "bare",
        "alone",
        "blank",
        "empty",
        "two words",
        "short",
        "long",
        "two",
        "unknown",
    ],
)
def test_presentations_that_are_refused(node: Node, value: str, reason: str) -> None:
    """
    Only one Bearer token in one Authorization field is a presentation; the rest has its reason.
    """
    reply = node.get("/v1/forward-auth/report:read", f"Authorization: {value}")

    assert (401, reason) == (reply.status, reply.code)


@pytest.mark.parametrize("scheme", ["bearer", "BEARER", "bEaReR"])
def test_the_scheme_has_no_case(node: Node, scheme: str) -> None:
    """
    The scheme's case does not matter (RFC 9110 section 11.1), nor do blanks around the token.
    """
    token = node.world.token("reader")
    reply = node.get("/v1/forward-auth/report:read", f"authorization:   {scheme}   {token}  ")

    assert 200 == reply.status


@pytest.mark.parametrize("name", ["access_token", "token", "other"])
def test_a_token_in_the_query_is_never_accepted(node: Node, name: str) -> None:
    """
    The query is ignored, as gateways append it; a token in it opens nothing and is told apart.
    """
    token = node.world.token("reader")
    in_query = node.get(f"/v1/forward-auth/report:read?{name}={token}")
    forwarded = node.get("/v1/forward-auth/report:read", f"X-Forwarded-Uri: /a?{name}={token}")
    beside = node.forward_auth("report:read?access_token=x", "reader")

    assert (401, "scheme_not_accepted") == (in_query.status, in_query.code)
    assert (401, "scheme_not_accepted") == (forwarded.status, forwarded.code)
    assert 200 == beside.status


@pytest.mark.parametrize(
    ("need", "token"),
    [("report:read", "reader"), ("report:read", None), ("report:read", "powerless"), ("no:such", "reader")],
)
def test_every_documented_field_stands_on_every_answer(node: Node, need: str, token: str | None) -> None:
    """
    Row 5: a gateway may copy any documented field from any answer; none is absent, none is cached.
    """
    reply = node.forward_auth(need, token)

    assert [] == [name for name in DOCUMENTED if name not in reply.fields]
    assert "no-store" == reply.fields["cache-control"]
    assert (reply.status == 200) == bool(reply.fields["retinue-identity"])
    assert (reply.status == 200) != bool(reply.fields["retinue-error"])


def test_warnings_become_fields(node: Node) -> None:
    """
    Expiry, retirement and rotation are told to the client on success.
    """
    reply = node.forward_auth("report:read", "warned")

    assert all(reply.fields[name].endswith("Z") for name in DOCUMENTED[4:])


def _names(reply: Reply) -> set[str]:
    return set(reply.fields)


def test_unknown_and_wrong_tokens_look_alike(node: Node) -> None:
    """
    An unknown key id and a wrong secret give the same status, fields and code.
    """
    known = node.world.tokens["reader"]
    unknown, wrong = mint(Kind.API_KEY), mint(Kind.API_KEY, kid=known.kid)
    replies = [
        node.get("/v1/forward-auth/report:read", f"Authorization: Bearer {token.reveal()}")
        for token in (unknown, wrong)
    ]
    bodies = [{k: v for k, v in reply.json().items() if k != "request_id"} for reply in replies]

    assert (401, "token_unknown") == (replies[0].status, replies[0].code)
    assert replies[0].status == replies[1].status
    assert bodies[0] == bodies[1]
    assert _names(replies[0]) == _names(replies[1])
