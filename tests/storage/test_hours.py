"""The request log counted by hours: it is what the records are, whatever is stored, deleted and asked for."""

from __future__ import annotations

import random
import secrets
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest

from retinue.server.traffic import counts, rollup
from retinue.server.traffic.actions import Entry, ingest, prune
from retinue.server.traffic.models import CredentialHour, OrganizationHour, Request
from tests.server_support.hours import recount
from tests.storage.estate import Task

pytestmark = pytest.mark.usefixtures("server_database")
_BEGIN = datetime(2023, 11, 14, 22, 0, tzinfo=UTC)
_SPAN = timedelta(days=4)
_REASONS = ("permission_missing", "credential_revoked")
_STEPS = {"minute": timedelta(minutes=1), "hour": rollup.HOUR, "day": timedelta(days=1)}


class _Log:
    """The request log of an organization of a test's own: three accounts, two keys each, in four days."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)  # noqa: S311
        self.organization = f"org_{secrets.token_hex(8)}"
        self.accounts = [f"sa_{secrets.token_hex(8)}" for _ in range(3)]
        self.keys = {account: [f"key_{secrets.token_hex(8)}" for _ in range(2)] for account in self.accounts}

    def instant(self) -> datetime:
        """Return one within the four days or a little outside, on the hour as often as not."""
        at = _BEGIN + self.chance.uniform(-0.1, 1.1) * _SPAN
        at = at.replace(microsecond=at.microsecond // 1000 * 1000)
        return self.chance.choice((at, rollup.begin(at), rollup.begin(at) - timedelta(milliseconds=1)))

    def entry(self) -> Entry:
        account = self.chance.choice(self.accounts)
        allowed = self.chance.random() < 0.7
        return Entry(
            at_ms=int(self.instant().timestamp() * 1000),
            organization=self.organization,
            account=account,
            account_name="etl",
            account_kind="service_account",
            credential_id=self.chance.choice(self.keys[account]),
            allowed=allowed,
            reason=None if allowed else self.chance.choice(_REASONS),
        )

    def store(self, records: int) -> None:
        ingest("node-h", secrets.token_hex(8), 0, [self.entry() for _ in range(records)])

    def rows(self) -> list[Request]:
        return list(Request.objects.filter(organization=self.organization))

    def kept(self) -> tuple[Counter[Any], Counter[Any]]:
        """Return what the rollup holds of this organization, by credential and by reason."""
        of_credentials: Counter[Any] = Counter()
        for row in CredentialHour.objects.filter(organization=self.organization):
            assert min(row.allowed, row.denied) >= 0
            assert row.allowed + row.denied > 0
            of_credentials[row.account, row.credential, row.hour, True] = row.allowed
            of_credentials[row.account, row.credential, row.hour, False] = row.denied
        of_reasons: Counter[Any] = Counter()
        for hour in OrganizationHour.objects.filter(organization=self.organization):
            assert hour.count > 0
            of_reasons[hour.hour, hour.allowed, hour.reason] = hour.count
        return +of_credentials, of_reasons

    def counted(self) -> tuple[Counter[Any], Counter[Any]]:
        """Return the same, counted from the records."""
        rows = [(rollup.begin(row.at), row) for row in self.rows()]
        return (
            Counter((row.account, row.credential, hour, row.allowed) for hour, row in rows),
            Counter((hour, row.allowed, row.reason) for hour, row in rows),
        )


def _by_unit(rows: Iterable[Request], unit: str) -> dict[datetime, tuple[int, int]]:
    found: Counter[tuple[datetime, bool]] = Counter()
    for row in rows:
        at = row.at.astimezone(UTC).replace(second=0, microsecond=0)
        at = at.replace(minute=at.minute if unit == "minute" else 0, hour=0 if unit == "day" else at.hour)
        found[at, row.allowed] += 1
    return {at: (found[at, True], found[at, False]) for at, _allowed in found}


@pytest.mark.parametrize("seed", range(3))
def test_charts_by_hours_are_charts_of_the_records(seed: int) -> None:
    """
    For any two instants, unit and filters, chart, counts and uses are what counting the records gives.
    """
    log = _Log(seed)
    log.store(600)
    rows = log.rows()
    for _ in range(60):
        since, until = sorted((log.instant(), log.instant()))
        unit = log.chance.choice(("minute", "hour", "day"))
        account = log.chance.choice((None, *log.accounts))
        credential = None if account is None else log.chance.choice((None, *log.keys[account]))
        decision = log.chance.choice((None, "allowed", "denied"))
        reason = log.chance.choice((None, None, *_REASONS))
        chosen = [
            row
            for row in rows
            if since <= row.at < until
            and account in (None, row.account)
            and credential in (None, row.credential)
            and decision in (None, "allowed" if row.allowed else "denied")
            and reason in (None, row.reason)
        ]
        asked = {"account": account, "credential": credential, "decision": decision, "reason": reason}
        found = counts.timeline(log.organization, since, until, unit, **asked)  # type: ignore[arg-type]

        assert _by_unit(chosen, unit) == found, (since, until, unit, asked)


@pytest.mark.parametrize("seed", range(3))
def test_counts_by_hours_are_counts_of_the_records(seed: int) -> None:
    """
    What was decided since any instant, by reason, account and key, and in which hours, is what the records say.
    """
    log = _Log(seed)
    log.store(400)
    rows, account = log.rows(), log.accounts[0]
    keys = log.keys[account]
    for _ in range(30):
        since, later = sorted((log.instant(), log.instant()))
        recent = [row for row in rows if row.at >= since]
        uses = Counter(row.credential for row in recent if row.allowed and row.account == account)
        by_account = Counter(row.account for row in recent if row.allowed)
        last = sum(1 for row in rows if row.at >= later and row.allowed and row.account == account)
        given = {"by": "account", "since": since}
        between = [row for row in recent if row.at < later]

        assert Counter((row.allowed, row.reason) for row in recent) == counts.decided(log.organization, since)
        assert by_account == counts.uses(log.organization, log.accounts, **given)  # type: ignore[arg-type]
        assert uses == counts.uses(log.organization, keys, since=since, by="credential", account=account)
        assert [by_account[account], last] == counts.uses_since(
            log.organization, account, since, later, by="account"
        )
        assert {
            key: _by_unit((row for row in between if row.credential == key), "hour") for key in keys
        } == counts.spread(log.organization, keys, since, later, "hour", by="credential", account=account)


def test_hours_are_what_is_stored_and_deleted() -> None:
    """
    While four shippers store and retention deletes piece by piece, and after each piece, the rollup is what the
    records are; and when all have gone, nothing of it is left.
    """
    logs = [_Log(seed) for seed in range(4)]

    def some(log: _Log) -> None:
        for _ in range(6):
            log.store(40)

    for task in [Task(partial(some, log)) for log in logs]:
        task.result(60)
    last, seen = _BEGIN + 2 * _SPAN + timedelta(days=90), set()
    for days in range(-1, 6):
        while prune(_BEGIN + timedelta(days=90 + days, minutes=30), 150):
            for log in logs:
                assert log.counted() == log.kept()
                seen.add(len(log.rows()))
    while prune(last, 1_000):
        pass

    assert len(seen) > len(logs)
    assert [(Counter(), Counter())] * 4 == [log.kept() for log in logs]


def test_the_migration_counts_what_there_is() -> None:
    """
    Filled from the records at once, the rollup is what batch after batch made it.
    """
    log = _Log(9)
    for _ in range(3):
        log.store(100)
    before = log.kept()
    recount()

    assert before == log.kept() == log.counted()
