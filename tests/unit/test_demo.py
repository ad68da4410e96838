"""The demo's parts that need no server: the days before today, and the checklist."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from retinue.client.basics import PrincipalRef
from retinue.client.credentials import Key
from retinue.client.models import AuditEvent, RequestRecord, Subject
from retinue.demo.checklist import STEPS, Checklist
from retinue.demo.history import DAYS, Past, records

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
ETL = PrincipalRef(id="sa_1", kind="service_account", handle="etl", name="etl")
KEY = Key(id="key_1", key_id="1", account=ETL, name="main", state="active")


def _past(**changes: Any) -> Past:
    return Past(
        **{"organization": "org_1", "key": KEY, "calls": ("a:read GET /a",), "a_day": 10.0, **changes}
    )


def test_past_lies_in_the_past() -> None:
    """
    Every record has a time within the thirty days before now, in order, and the same past is made each time.
    """
    made = records([_past()], NOW)
    times = [datetime.fromtimestamp(each["at_ms"] / 1000, UTC) for each in made]

    assert made == records([_past()], NOW)
    assert sorted(times) == times
    assert NOW - timedelta(days=DAYS) <= times[0] < times[-1] < NOW
    assert 100 < len(made) < 400


def test_past_of_who_stopped() -> None:
    """
    Who stopped calling some days ago has no record since, and what is denied has its reason.
    """
    made = records([_past(quiet_days=10, denied_each=5, reason="permission_missing")], NOW)
    denied = [each for each in made if not each["allowed"]]

    assert max(each["at_ms"] for each in made) <= (NOW - timedelta(days=9)).timestamp() * 1000
    assert len(denied) == len(made) // 5
    assert {("permission_missing", 403)} == {(each["reason"], each["status"]) for each in denied}


def _event(kind: str, ident: str = "key_2", **changes: Any) -> AuditEvent:
    subject = Subject(kind="key", id=ident, name="mine/k")
    return AuditEvent(id="1.1", revision=1, at="2026-11-26T12:00:00Z", type=kind, subject=subject, **changes)


def _record(credential: str, reason: str | None = None) -> RequestRecord:
    return RequestRecord(
        id="1",
        at="2026-11-26T12:00:01Z",
        account=Subject(kind="service_account", id="sa_2"),
        credential_id=credential,
        decision="denied" if reason else "allowed",
        reason=reason,
        permission="report:read",
        method="GET",
        path="/reports",
    )


def test_checklist_ticks_each_step_once() -> None:
    """
    Each of the seven steps ticks when the logs show it, in any number of looks, and never again.
    """
    found = Checklist(frozenset({"key_other"}))
    events = [_event("account.created"), _event("key.issued"), _event("key.rotated")]
    events += [_event("grant.deleted", "grant_1", before={"principal": "sa_2"}), _event("key.revoked")]
    lines = [_record("key_2"), _record("key_2", "permission_missing"), _record("key_2", "credential_revoked")]

    first = [step for step, _ in found.take(events[:2], lines[:1])]
    rest = [step for step, _ in found.take(events, lines)]

    assert ([0, 1, 2, 3], [5, 4, 6]) == (first, rest)
    assert list(range(len(STEPS))) == sorted(found.done)
    assert [] == list(found.take(events, lines))


def test_checklist_leaves_out_what_others_do() -> None:
    """
    The demo's own callers tick nothing: neither their calls, nor a revoked key of theirs that is called.
    """
    found = Checklist(frozenset({"key_other"}))

    assert [] == list(found.take([], [_record("key_other"), _record("key_other", "credential_revoked")]))
    assert [] == list(found.take([], [_record("key_3", "permission_missing")]))
