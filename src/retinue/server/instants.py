"""Instants that callers state, such as the end of a grant or a key: one reading for all of them. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from retinue.server.errors import Refused


def read(text: str, field: str, words: str = "an RFC 3339 instant such as 2027-01-31T00:00:00Z") -> datetime:
    """Return an RFC 3339 instant in UTC, in whole milliseconds. Refuses, with ``words``, what is none.

    One without a zone is none, nor is one that lies outside of the calendar in UTC.
    """
    try:
        at = datetime.fromisoformat(text)
        if at.tzinfo is None:
            raise Refused(
                "invalid_value", "an instant needs its zone, such as 2027-01-31T00:00:00Z", field=field
            )
        at = at.astimezone(UTC)
    except ValueError:
        raise Refused("invalid_value", f"{text[:64]!r}: {words}", field=field) from None
    except OverflowError:
        raise Refused("invalid_value", "lies outside of the calendar", field=field) from None
    return at.replace(microsecond=at.microsecond // 1000 * 1000)


def later(now: datetime, seconds: int, field: str) -> datetime:
    """Return the instant so many seconds from ``now``. Refuses one after the end of the calendar."""
    try:
        return now + timedelta(seconds=seconds)
    except OverflowError:
        raise Refused("invalid_value", "too far in the future", field=field) from None
