"""Entries of a request log."""

from __future__ import annotations

from retinue.usage import Entry


def entry(number: int, path: str | None = None) -> Entry:
    """Return an entry that tells its number in its duration."""
    return Entry(
        1_700_000_000_000, "org_x", "sa_x", "etl", "service_account", "key_x", True, None, "report:read",
        "GET", path, "192.0.2.1", "curl/8", 7, number,
    )  # fmt: skip
