"""Durations as people write them: ``15m 24h 7d 90d``, and ``never`` where there may be no end."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from retinue.cli.exits import CommandError, Exit

_DURATION = re.compile(r"([1-9][0-9]{0,5})([smhdw])", re.ASCII)
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def checked(text: str, flag: str, never: bool = False) -> str:
    """Return ``text`` if it is a duration (or ``never``, if allowed); raises for anything else and ``0``."""
    if (never and text == "never") or _DURATION.fullmatch(text):
        return text
    allowed = "15m, 24h, 7d, 90d" + (" or never" if never else "")
    why = "0 is refused" if re.fullmatch(r"0+[smhdw]?", text) else "not a duration"
    raise CommandError(f"{flag} {text}: {why}", f"write it as {allowed}", Exit.USAGE)


def seconds(text: str, flag: str) -> int:
    """Return a duration in seconds; raises as :func:`checked` does."""
    match = _DURATION.fullmatch(checked(text, flag))
    if match is None:
        raise AssertionError("unreachable: checked() lets durations through only")
    return int(match[1]) * _SECONDS[match[2]]


def days(text: str, flag: str) -> int:
    """Return a whole number of days, written as ``30d`` or ``30``; raises (exit 2) for anything else."""
    number = text.removesuffix("d")
    if not number.isascii() or not number.isdigit() or number.strip("0") == "":
        raise CommandError(f"{flag} {text}: not a number of days", "write it as 30d", Exit.USAGE)
    return int(number)


def instant(text: str | None, flag: str) -> str | None:
    """Return an instant in RFC 3339 (UTC): that instant itself, or the one a duration before now."""
    if text is None:
        return None
    if not _DURATION.fullmatch(text):
        try:
            given = datetime.fromisoformat(text)
        except ValueError:
            raise CommandError(
                f"{flag} {text}: neither a duration nor a time",
                "write it as 1h, 7d or 2026-01-31T08:00:00Z",
                Exit.USAGE,
            ) from None
        return _rfc3339(given if given.tzinfo else given.replace(tzinfo=UTC))
    return _rfc3339(_now() - timedelta(seconds=seconds(text, flag)))


def clock(text: str | None) -> str:
    """Return an instant as a table shows it: UTC, to the second."""
    return text[:19].replace("T", " ") if text else ""


def _now() -> datetime:
    return datetime.now(UTC)


def _rfc3339(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def ago(text: str | None) -> str:
    """Return an instant as people say it (``3 h ago``, ``in 12 d``); ``never`` for none."""
    if not text:
        return "never"
    delta = _now() - datetime.fromisoformat(text)
    past = delta >= timedelta(0)
    total = abs(int(delta.total_seconds()))
    if total < 60:
        return "just now" if past else "in a moment"
    size, unit = next(each for each in ((86400, "d"), (3600, "h"), (60, "min")) if total >= each[0])
    return f"{total // size} {unit} ago" if past else f"in {total // size} {unit}"


def micro(microseconds: float | None) -> str:
    """Return how long something very short takes as a table shows it."""
    return "" if microseconds is None else f"{microseconds:.1f} µs"


def brief(seconds: float | None) -> str:
    """Return a number of seconds as a table shows it."""
    return "" if seconds is None else f"{seconds:.1f} s"
