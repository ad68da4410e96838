"""Decisions: the set of reasons is closed, its order is the order of the checks, and the documents agree."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from retinue.decision import GUESSES, Allowed, Caller, Denied, Reason, Warning
from retinue.problem import CATALOGUE, problem_for

#: MODEL.md section 7, row by row: the reasons of each step, and the status that the protected API sends.
TABLE: list[tuple[int, list[str], int]] = [
    (1, ["token_missing", "scheme_not_accepted"], 401),
    (2, ["token_malformed"], 401),
    (3, ["replica_stale"], 503),
    (4, ["token_unknown"], 401),
    (5, ["organization_disabled", "account_deleted", "account_disabled"], 401),
    (5, ["credential_revoked", "credential_suspended", "credential_expired"], 401),
    (6, ["kind_not_accepted"], 403),
    (7, ["network_not_allowed", "endpoint_not_allowed", "method_not_allowed", "time_not_allowed"], 403),
    (8, ["permission_missing", "resource_not_covered"], 403),
    (9, ["rate_limited"], 429),
]
REASONS = [(reason, status) for _, reasons, status in TABLE for reason in reasons]
CALLER = Caller("service_account", "sa_1", "etl", "org_1", "key_1", 3, 10, 20, 30, (Warning.RETIRING,))


def test_the_reasons_are_those_of_the_table_in_its_order() -> None:
    """The set is closed: these reasons, in the order of the checks, with these statuses, and no other."""
    assert REASONS == [(reason.value, reason.status) for reason in Reason]


def test_the_documents_list_the_same_reasons() -> None:
    """The page of reasons tells the same table, in the same order."""
    page = (Path(__file__).parents[2] / "docs" / "reference" / "reasons.md").read_text()
    listed = re.findall(r"^\| `([a-z_]+)` \| (\d{3}) \|", page, re.MULTILINE)

    assert REASONS == [(reason, int(status)) for reason, status in listed]


@pytest.mark.parametrize("reason", Reason)
def test_each_reason_is_a_problem_of_the_same_name(reason: Reason) -> None:
    """Name, status and title of a reason stand in the catalogue of problems."""
    found = problem_for(Denied(reason))

    assert (reason.value, reason.status) == (found.code, found.status)
    assert CATALOGUE[reason.value].title == found.title


def test_what_may_be_guessing() -> None:
    """Whoever presents what is no token of ours may be guessing; who presents none, or a genuine one, is not."""
    assert {"scheme_not_accepted", "token_malformed", "token_unknown"} == {reason.value for reason in GUESSES}


def test_the_warnings() -> None:
    """Three warnings, of these names."""
    assert ["expires_soon", "retiring", "rotation_due"] == [warning.value for warning in Warning]


@pytest.mark.parametrize(
    "decision", [Allowed(CALLER, "a:b"), Allowed(CALLER), Denied(Reason.TOKEN_UNKNOWN), CALLER]
)
def test_decisions_are_values(decision: msgspec.Struct) -> None:
    """A decision cannot be changed, equals one with the same content, and can be a key."""
    same = msgspec.structs.replace(decision)

    assert decision == same
    assert hash(decision) == hash(same)
    with pytest.raises(AttributeError):
        setattr(decision, decision.__struct_fields__[0], None)


def test_a_denial_of_a_stranger_names_nobody() -> None:
    """Without more, a denial has neither caller nor permission."""
    denied = Denied(Reason.TOKEN_UNKNOWN)

    assert (None, None) == (denied.caller, denied.permission)


def test_a_denial_is_never_true_as_an_allowed() -> None:
    """The two outcomes are two types: no flag to forget, and neither is an instance of the other."""
    assert not isinstance(Denied(Reason.TOKEN_UNKNOWN), Allowed)
    assert not isinstance(Allowed(CALLER), Denied)
    assert not hasattr(Allowed(CALLER), "reason")
