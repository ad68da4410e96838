"""Which permission an account really used, and when last: counted with each batch."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from retinue.server.traffic import queries
from retinue.server.traffic.actions import ingest
from retinue.server.traffic.models import Exercise, Origin
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


def test_networks_are_counted_for_their_credential() -> None:
    """
    Addresses of one network count together; an address that is none counts for no network.
    """
    mark = secrets.token_hex(6)
    credential = f"key_{mark}"
    entry: Any = entries(credential, 0, 1)[0]
    said = ("192.0.2.7", "192.0.2.200", "::ffff:192.0.2.9", "2001:db8:1:2::1", "2001:db8:1:ffff::9", "", "?")
    batch: list[Any] = [msgspec.structs.replace(entry, address=address) for address in said]
    ingest(f"node-{mark}", mark, 0, batch)

    counted = dict(Origin.objects.filter(credential=credential).values_list("network", "count"))
    assert {"192.0.2.0/24": 3, "2001:db8:1::/48": 2} == counted
    assert set(counted) == {row.network for row in queries.origins([credential])[credential]}
