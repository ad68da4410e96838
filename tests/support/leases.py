"""A replica that a test filled by hand has no follower: its lease is written by hand too."""

from __future__ import annotations

import msgspec

from retinue.replica import lease
from retinue.replica.records import Meta

#: The longest lease that a policy can give, so that no test outlives it.
LONG_MS = 3_600_000


def leased(meta: Meta) -> Meta:
    """Return ``meta`` with a lease that begins now."""
    return msgspec.structs.replace(
        meta,
        boot_id=lease.boot_id(),
        fresh_from_ns=lease.boot_clock_ns(),
        fresh_wall_ms=lease.wall_clock_ms(),
    )
