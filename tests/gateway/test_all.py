"""What each of the five gateways does, by the configuration that is printed: the same checks for all of them."""

from __future__ import annotations

import re

import pytest

from tests.gateway.conftest import Protected
from tests.support.processes import wait_for


@pytest.fixture
def reader(protected: Protected) -> str:
    """A token that may read reports."""
    return protected.accounts.token("reader", "report:read")


@pytest.fixture
def writer(protected: Protected) -> str:
    """A token that may write reports."""
    return protected.accounts.token("writer", "report:write")


def test_allowed(protected: Protected, reader: str) -> None:
    """
    The application gets the request as it was, who calls in one signed header, and no token.
    """
    status, seen = protected.ask(
        "/reports/7?month=2026-01&x=%2F", f"Authorization: Bearer {reader}", "Accept: a/b"
    )

    assert (200, 1) == (status, len(seen))
    assert ("GET", "/reports/7?month=2026-01&x=%2F", ["a/b"]) == (
        seen[0].method,
        seen[0].target,
        seen[0].values("Accept"),
    )
    caller = protected.check(seen[0])
    assert ("reader", "report:read") == (caller.name, caller.permission)


def test_body_and_method_arrive(protected: Protected, writer: str) -> None:
    """
    A body reaches the application whole, and the rule for the method is the one that is asked about.
    """
    body = b'{"cents": 1234, "pad": "' + b"x" * 20_000 + b'"}'
    status, seen = protected.ask("/reports/7", f"Authorization: Bearer {writer}", method="POST", body=body)

    assert (200, 1) == (status, len(seen))
    assert ("POST", body) == (seen[0].method, seen[0].body)
    assert "report:write" == protected.check(seen[0]).permission


def test_without_a_token(protected: Protected) -> None:
    """
    401 with a challenge that names the realm only, the reason in a header field and in the problem.
    """
    answer = protected.call("/reports/7")

    assert (401, "token_missing", "token_missing") == (
        answer.status,
        answer.headers["retinue-error"],
        answer.json()["code"],
    )
    assert 'Bearer realm="retinue"' == answer.headers["www-authenticate"]
    assert "application/problem+json" == answer.headers["content-type"]


def test_without_the_permission(protected: Protected, reader: str) -> None:
    """
    403 that names what is missing, for another method, another path, and a path within a path.
    """
    answers = [
        protected.call("/reports/7", reader, method="POST", body={}),
        protected.call("/entries", reader),
        protected.call("/reports/private/1", reader),
        protected.call("/reports/7/lines", reader),
    ]

    assert [(403, "permission_missing")] * 4 == [(each.status, each.json()["code"]) for each in answers]
    assert ["report:write", "report:write", "report:export", "report:export"] == [
        re.findall('scope="([^"]+)"', each.headers["www-authenticate"])[0] for each in answers
    ]


def test_head_is_a_get(protected: Protected, reader: str) -> None:
    """
    A rule for GET is one for HEAD.
    """
    assert 200 == protected.call("/reports/7", reader, method="HEAD").status


def test_without_a_rule(protected: Protected, reader: str) -> None:
    """
    A path or a method without a rule does not exist; nor does a path in another case, or the question to the node.
    """
    places = [
        ("GET", "/"), ("GET", "/admin"), ("GET", "/reports"), ("GET", "/Reports/7"), ("GET", "/entries/"),
        ("DELETE", "/reports/7"), ("GET", "/v1/forward-auth/report:read"), ("GET", "/_retinue/report:read"),
    ]  # fmt: skip

    assert [(404, [])] * len(places) == [
        protected.ask(path, f"Authorization: Bearer {reader}", method=method) for method, path in places
    ]


@pytest.mark.parametrize(
    "name", ["Retinue-Identity", "retinue-identity", "RETINUE-IDENTITY", "Retinue_Identity"]
)
def test_a_forged_identity(protected: Protected, reader: str, name: str) -> None:
    """
    What a client says of who it is never reaches the application: it is replaced, removed or refused.
    """
    for fields in ([f"Authorization: Bearer {reader}"], []):
        status, seen = protected.ask("/reports/7", *fields, f"{name}: e30.e30.AAAA")
        assert status in ((200, 400) if fields else (400, 401))
        for each in seen:
            assert "reader" == protected.check(each).name
            assert "e30.e30" not in repr(each)


def test_a_revoked_key(protected: Protected) -> None:
    """
    From the moment that the revoke has returned, the key is refused and the application asked no more.
    """
    handle = f"revoked-{protected.name}"
    token = protected.accounts.token(handle, "report:read")
    assert 200 == protected.call("/reports/7", token).status

    protected.accounts.post(f"/v1/keys/key_{token.split('_')[1]}/revoke", {"reason": "no_longer_needed"})

    refused = protected.call("/reports/7", token)
    assert (401, "credential_revoked") == (refused.status, refused.json()["code"])
    assert 'error="invalid_token"' in refused.headers["www-authenticate"]


def test_a_token_in_a_field_of_its_own(protected: Protected) -> None:
    """
    Where the organization lets tokens stand in another field, the gateway shows it to the node and to nobody else; a
    token there and another one in Authorization are none.
    """
    accounts = protected.accounts
    reader = accounts.token("reader", "report:read")
    accounts.post(
        "/v1/policy", {"set": {"credentials.schemes": ["bearer", "header:x-api-key"]}}, method="PATCH"
    )
    wait_for("the node knows", lambda: 200 == protected.ask("/reports/7", f"X-Api-Key: {reader}")[0])

    status, seen = protected.ask("/reports/7", f"X-Api-Key: {reader}")
    both = protected.ask("/reports/7", f"X-Api-Key: {reader}", f"Authorization: Bearer {reader}")
    twice = protected.ask("/reports/7", f"X-Api-Key: {reader}", f"x-api-key: {reader}")

    assert (200, "reader") == (status, protected.check(seen[0]).name)
    assert [(401, []), (401, [])] == [both, twice]
