"""A denial as HTTP: RFC 9457 and RFC 6750, whatever the names in it hold."""

from __future__ import annotations

import json
import re
from http import HTTPStatus

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retinue import permission
from retinue.decision import Caller, Denied, Reason
from retinue.problem import CATALOGUE, MEDIA_TYPE, challenge, headers_for, problem, problem_for
from retinue.server.access.catalogue import MANAGEMENT

#: RFC 6750 section 3: these members, in quotes; a scope is of %x21 / %x23-5B / %x5D-7E, parted by blanks.
CHALLENGE = re.compile(
    r'Bearer realm="retinue"'
    r'(?:, error="(?P<error>invalid_token|insufficient_scope)")?'
    r'(?:, scope="(?P<scope>[\x21\x23-\x5b\x5d-\x7e]+(?: [\x21\x23-\x5b\x5d-\x7e]+)*)")?'
)
#: Names that people give to accounts: all of these are allowed, none may break out of where it stands.
NASTY = [
    '"',
    'x", scope="all',
    "a\r\nSet-Cookie: a=b",
    "\0\x1b[2J",
    "</script><script>",
    "{{7*7}}",
    "é\u2028\u202e",
    "\\",
]
names = st.from_regex(permission._NAME, fullmatch=True).filter(permission.is_name)


def caller(name: str) -> Caller:
    """A caller of this name."""
    return Caller("service_account", "sa_1", name, "org_1", "key_1", 3)


@given(st.sampled_from(Reason), names | st.sampled_from(MANAGEMENT))
def test_the_challenge_has_the_form_of_its_rfc(reason: Reason, name: str) -> None:
    """Each reason and each possible permission: a challenge of RFC 6750, or none where none belongs."""
    told = challenge(reason, name)
    found = CHALLENGE.fullmatch(told)

    assert (reason.status in (429, 503)) == (told == "")
    assert told == "" or found is not None
    if found is not None:
        scoped = reason in (Reason.PERMISSION_MISSING, Reason.RESOURCE_NOT_COVERED)
        assert (name if scoped else None) == found["scope"]


def test_the_error_of_each_reason() -> None:
    """A missing or unacceptable presentation, or a rule of place, tells the realm alone; a bad token is told so."""
    errors = {
        reason.value: found["error"] for reason in Reason if (found := CHALLENGE.fullmatch(challenge(reason)))
    }
    bad = [
        "token_malformed",
        "token_unknown",
        "organization_disabled",
        "account_deleted",
        "account_disabled",
        "credential_revoked",
        "credential_suspended",
        "credential_expired",
    ]

    assert bad == [reason for reason, error in errors.items() if error == "invalid_token"]
    assert ["permission_missing", "resource_not_covered"] == [
        reason for reason, error in errors.items() if error == "insufficient_scope"
    ]
    assert {"replica_stale", "rate_limited"} == {reason.value for reason in Reason} - set(errors)


def test_several_missing_permissions_are_one_scope() -> None:
    """A list is parted by blanks, as RFC 6749 section 3.3 has it."""
    found = CHALLENGE.fullmatch(challenge(Reason.PERMISSION_MISSING, "report:read report:write"))

    assert found is not None
    assert "report:read report:write" == found["scope"]


@pytest.mark.parametrize("reason", Reason)
@pytest.mark.parametrize("name", NASTY)
def test_no_name_reaches_a_header(reason: Reason, name: str) -> None:
    """The name of an account is people's free text: it stands in no header field, whose values are plain ASCII."""
    fields = headers_for(Denied(reason, caller(name), "report:read"))

    assert fields == headers_for(Denied(reason, caller("etl"), "report:read"))
    assert all(re.fullmatch(r"[\x20-\x7e]+", value) for value in fields.values())
    assert set(fields) <= {"Retinue-Error", "WWW-Authenticate", "Retry-After"}


@pytest.mark.parametrize("name", NASTY)
def test_a_name_is_data_in_the_body(name: str) -> None:
    """The body is JSON on one line, and gives the name back as it is."""
    body = msgspec.json.encode(problem_for(Denied(Reason.CREDENTIAL_REVOKED, caller(name))))

    assert name == json.loads(body)["account"]
    assert not any(byte < 0x20 for byte in body)


def test_members_of_a_problem() -> None:
    """The members of RFC 9457 and our own; what is not known is left out, not null."""
    denied = Denied(Reason.PERMISSION_MISSING, caller("etl"), "report:read")
    body = json.loads(msgspec.json.encode(problem_for(denied, "req_1")))

    assert "application/problem+json" == MEDIA_TYPE
    assert {
        "type": "/docs/errors/permission_missing",
        "title": "Missing permission report:read",
        "status": 403,
        "code": "permission_missing",
        "required": ["report:read"],
        "account": "etl",
        "request_id": "req_1",
    } == body


@pytest.mark.parametrize("reason", Reason)
def test_only_a_missing_permission_is_required(reason: Reason) -> None:
    """``required`` names what is missing; another denial does not tell what was asked for."""
    found = problem_for(Denied(reason, caller("etl"), "report:read"))
    scoped = reason in (Reason.PERMISSION_MISSING, Reason.RESOURCE_NOT_COVERED)

    assert (("report:read",) if scoped else ()) == found.required
    assert scoped or "report:read" not in found.title


def test_a_stranger_is_not_named() -> None:
    """Without a genuine token the problem names no account."""
    assert problem_for(Denied(Reason.TOKEN_UNKNOWN)).account is None


@pytest.mark.parametrize("code", CATALOGUE)
def test_every_code_is_a_whole_problem(code: str) -> None:
    """A code is a word, its status an HTTP error, its title a phrase without a stop."""
    found = problem(code)

    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", code)
    assert HTTPStatus(found.status).value >= 400
    assert re.fullmatch(r"[A-Z][^\n.]+", found.title)
    assert f"/docs/errors/{code}" == found.type


def test_the_catalogue_is_closed() -> None:
    """A code that is not listed cannot be sent."""
    with pytest.raises(KeyError):
        problem("no_such_code")


def test_status_and_title_can_be_the_gateways() -> None:
    """The same mistake, made by another, has another status; the code stays."""
    found = problem("permission_unknown", status=500, title="Misconfigured", detail="d", field="body.need")

    assert (500, "Misconfigured", "permission_unknown", "d", "body.need") == (
        found.status,
        found.title,
        found.code,
        found.detail,
        found.field,
    )
