"""Problems and challenges: one catalogue, complete and closed."""

from __future__ import annotations

import msgspec
import pytest

from retinue.decision import Caller, Denied, Reason
from retinue.problem import CATALOGUE, challenge, headers_for, problem, problem_for

CALLER = Caller("service_account", "sa_1", "etl", "org_1", "key_1", 3)


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_is_a_problem(reason: Reason) -> None:
    """
    Each reason has a code of its own name, with the status of the table and a title.
    """
    found = problem_for(Denied(reason), "req_1")

    assert (reason.value, reason.status, "req_1") == (found.code, found.status, found.request_id)
    assert f"/docs/errors/{reason.value}" == found.type
    assert found.title


@pytest.mark.parametrize("reason", Reason)
def test_every_401_has_a_challenge(reason: Reason) -> None:
    """
    401 carries a challenge always; 503 and 429 carry Retry-After instead; no challenge can be split.
    """
    fields = headers_for(Denied(reason, permission="report:read"))

    assert reason.value == fields["Retinue-Error"]
    assert reason.status != 401 or fields["WWW-Authenticate"].startswith('Bearer realm="retinue"')
    assert (reason.status in (429, 503)) == ("Retry-After" in fields)
    assert "\n" not in "".join(fields.values())


@pytest.mark.parametrize(
    ("reason", "error"),
    [
        (Reason.TOKEN_MISSING, None),
        (Reason.SCHEME_NOT_ACCEPTED, None),
        (Reason.TOKEN_MALFORMED, "invalid_token"),
        (Reason.TOKEN_UNKNOWN, "invalid_token"),
        (Reason.CREDENTIAL_EXPIRED, "invalid_token"),
        (Reason.NETWORK_NOT_ALLOWED, None),
        (Reason.PERMISSION_MISSING, "insufficient_scope"),
    ],
)
def test_the_error_of_the_challenge(reason: Reason, error: str | None) -> None:
    """
    Without a usable credential only the realm is told (RFC 6750 section 3.1).
    """
    told = challenge(reason)

    assert (f'error="{error}"' in told) if error else ("error" not in told)


def test_the_missing_permission_is_in_scope_and_body() -> None:
    """
    A 403 for a permission names it in challenge, title and body, with the account.
    """
    denied = Denied(Reason.PERMISSION_MISSING, CALLER, "report:write")
    found = problem_for(denied)

    assert (("report:write",), "etl") == (found.required, found.account)
    assert 'scope="report:write"' in headers_for(denied)["WWW-Authenticate"]
    assert "report:write" in found.title


def test_absent_members_are_left_out() -> None:
    """
    A problem has no null members.
    """
    body = msgspec.json.decode(msgspec.json.encode(problem("not_found")))

    assert {"type", "title", "status", "code"} == set(body)


def test_the_catalogue_is_closed() -> None:
    """
    A code outside the catalogue cannot be sent; codes are words, statuses are errors.
    """
    with pytest.raises(KeyError):
        problem("made_up")
    assert all(code.replace("_", "").isalpha() and code.islower() for code in CATALOGUE)
    assert all(400 <= meaning.status < 600 and meaning.title for meaning in CATALOGUE.values())


def test_the_status_may_be_anothers_fault() -> None:
    """
    The same code can be a gateway's misconfiguration.
    """
    assert (422, 500) == (
        problem("permission_unknown").status,
        problem("permission_unknown", status=500).status,
    )
