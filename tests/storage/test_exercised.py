"""Which permission an account really used, and when last: counted with each batch."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from retinue.server.traffic import queries
from retinue.server.traffic.actions import ingest
from retinue.server.traffic.models import Exercise
from tests.storage.shipper import entries

pytestmark = pytest.mark.usefixtures("server_database")
_START = datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)  # 1,700,000,000 s


def test_use_of_a_permission_is_counted_for_its_account() -> None:
    """
    Allowed decisions about a permission move its counters forward; denied ones, and those about none, do not.
    """
    mark = secrets.token_hex(6)
    account = f"sa_{mark}"
    entry: Any = entries(f"key_{mark}", 0, 1)[0]
    said: list[dict[str, Any]] = [
        {"at_ms": 1_700_000_002_000, "permission": "report:read"},
        {"at_ms": 1_700_000_001_000, "permission": "report:read"},
        {"at_ms": 1_700_000_003_000, "permission": "report:write", "allowed": False},
        {"at_ms": 1_700_000_004_000, "permission": None},
    ]
    batch: list[Any] = [msgspec.structs.replace(entry, account=account, **each) for each in said]
    ingest(f"node-{mark}", mark, 0, batch)
    ingest(f"node-{mark}", mark, 0, batch)

    assert {"report:read": _START + timedelta(seconds=2)} == queries.exercised([account])[account]
    row = Exercise.objects.get(account=account)
    assert (2, _START + timedelta(seconds=1)) == (row.count, row.first_used_at)
