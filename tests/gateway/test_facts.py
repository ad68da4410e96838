"""What the node learns from each gateway, and what the request log says afterwards."""

from __future__ import annotations

from typing import Any

import pytest

from tests.gateway.conftest import Protected
from tests.support.installation import Answer, http
from tests.support.processes import wait_for


def _logged(protected: Protected, account: str) -> list[dict[str, Any]]:
    """Return what the request log has about an account, the newest first."""
    installation = protected.accounts.installation
    answer = http("GET", f"{installation.url}/v1/requests?account={account}", token=installation.token())
    return list(answer.json()["items"])


def test_the_request_log(protected: Protected) -> None:
    """
    Method, path without the query, permission, client and address of an allowed and of a denied request are listed.
    """
    account = f"logged-{protected.name}"
    token = protected.accounts.token(account, "report:read")
    named = f"Authorization: Bearer {token}", "User-Agent: etl/1"
    protected.ask("/reports/7?secret=1", *named)
    protected.ask("/reports/8", *named, method="POST", body=b"x")
    wait_for("both are listed", lambda: len(_logged(protected, account)) == 2)
    listed = _logged(protected, account)

    told = ("decision", "reason", "method", "path", "permission", "address", "client")
    assert [
        ("denied", "permission_missing", "POST", "/reports/8", "report:write", "127.0.0.1", "etl/1"),
        ("allowed", None, "GET", "/reports/7", "report:read", "127.0.0.1", "etl/1"),
    ] == [tuple(each[name] for name in told) for each in listed]


def test_a_narrowed_key(protected: Protected) -> None:
    """
    A key for one method and one path is let in there and nowhere else, whatever the client says of its request.
    """
    accounts = protected.accounts
    narrow = accounts.token(
        "narrow",
        "report:read",
        "report:write",
        restrictions={"methods": ["GET"], "endpoints": ["/reports/1"]},
    )
    lies = {"X_Forwarded_Uri": "/reports/1", "X_Forwarded_Method": "GET", "X_Original_URL": "/reports/1"}

    assert 200 == protected.call("/reports/1", narrow).status
    assert [(403, "endpoint_not_allowed"), (403, "endpoint_not_allowed"), (403, "method_not_allowed")] == [
        (each.status, each.json()["code"])
        for each in (
            protected.call("/reports/2", narrow),
            protected.call("/reports/2", narrow, **lies),
            protected.call("/reports/1", narrow, method="POST", body={}, **lies),
        )
    ]


@pytest.mark.parametrize(
    "name", ["X-Forwarded-For", "X_Forwarded_For", "Forwarded", "X-Real-IP", "True-Client-IP"]
)
def test_the_address(protected: Protected, name: str) -> None:
    """
    The client's address is the connection's; a network that it writes into its header is not where it is.
    """
    token = protected.accounts.token(
        "elsewhere", "report:read", restrictions={"networks": ["198.51.100.0/24"]}
    )
    value = "for=198.51.100.7" if name == "Forwarded" else "198.51.100.7"
    for fields in ((), ("Connection: close, X-Forwarded-For",)):
        status, seen = protected.ask(
            "/reports/1", f"Authorization: Bearer {token}", f"{name}: {value}", *fields
        )
        assert ((400, []) == (status, seen)) or ((403, []) == (status, seen))


def test_from_here(protected: Protected) -> None:
    """
    A key for the network where the client is, is let in.
    """
    token = protected.accounts.token("here", "report:read", restrictions={"networks": ["127.0.0.1/32"]})

    assert 200 == protected.call("/reports/1", token).status


def test_a_limit_of_calls(protected: Protected) -> None:
    """
    Who has used up its limit gets 429 with the time after which it may come again.
    """
    protected.accounts.post(
        "/v1/policy",
        {"environment": "limited", "set": {"limits.per_account": {"per_minute": 2}}},
        method="PATCH",
    )
    handle = f"limited-{protected.name}"
    token = protected.accounts.token(handle, "report:read", environment="limited")
    answers: list[Answer] = []

    def is_refused() -> bool:  # each worker of the node learns of the other's counters within a moment
        answers.append(protected.call("/reports/1", token))
        return answers[-1].status != 200

    wait_for("the limit holds", is_refused)
    assert 200 == answers[0].status
    assert 429 == answers[-1].status
    assert "rate_limited" == answers[-1].json()["code"]
    assert 0 < int(answers[-1].headers["retry-after"])


def test_warnings(protected: Protected) -> None:
    """
    nginx and Envoy tell a client when its token ends; the others have no way to.
    """
    token = protected.accounts.token("ending", "report:read", expires="3d")
    answer = protected.call("/reports/1", token)

    told = protected.name in ("nginx", "envoy")
    assert (200, told) == (answer.status, answer.headers.get("retinue-token-expires", "").endswith("Z"))
