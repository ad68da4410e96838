"""What a node ships, and how it is made to fit. Pure functions; no database.

A record that is odd is made to fit, never refused: the spool of a node must not be blocked by one entry.
"""

from __future__ import annotations

import ipaddress
from datetime import UTC, datetime, timedelta

import msgspec

from retinue.server.errors import Refused
from retinue.token import redact

MAX_RECORDS = 1_000
SPOOL_LENGTH = 64
_BIGGEST = (1 << 63) - 1
_BIGGEST_INT = (1 << 31) - 1
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One decision about a genuine token, as a node ships it. ``at_ms`` is milliseconds since 1970."""

    at_ms: int
    organization: str
    account: str
    account_name: str
    account_kind: str
    credential_id: str
    allowed: bool
    reason: str | None = None
    permission: str | None = None
    method: str | None = None
    path: str | None = None
    address: str | None = None
    client: str | None = None
    revision: int = 0
    duration_us: int = 0
    request_id: str | None = None
    route: str | None = None
    status: int | None = None


def is_spool_name(name: str) -> bool:
    """Tell whether a spool can be called so."""
    return 1 <= len(name) <= SPOOL_LENGTH and name.isprintable() and name.isascii()


def check_batch(spool: str, first: int, length: int) -> None:
    """Refuse a batch that is too long, and a spool or sequence that cannot be."""
    if not is_spool_name(spool):
        raise Refused("invalid_value", f"1 to {SPOOL_LENGTH} visible ASCII characters", field="spool")
    if not 0 <= first <= _BIGGEST - MAX_RECORDS:
        raise Refused("invalid_value", "a whole number from 0", field="first")
    if length > MAX_RECORDS:
        raise Refused("too_large", f"at most {MAX_RECORDS} records", field="records")


def text(value: str | None, length: int) -> str:
    """Return a text as a database can hold it: no NUL, no lone surrogate, at most ``length`` characters.

    Tokens are in their display form, also those from a node of an older version.
    """
    if not value:
        return ""
    if "\0" in value or not value.isascii():
        value = value.replace("\0", "�").encode("utf-8", "replace").decode()
    return redact(value)[:length]


def path(value: str | None, length: int) -> str:
    """Return a path without its query and fragment: tokens and personal data stand there."""
    return text(value and value.partition("?")[0].partition("#")[0], length)


def instant(at_ms: int, now: datetime) -> datetime:
    """Return when a decision was made: never later than ``now``, whatever a node's clock says.

    "Last used" only moves forward, so one decision from a clock that is years ahead would freeze it.
    """
    now_ms = (now - _EPOCH) // timedelta(milliseconds=1)
    return _EPOCH + timedelta(milliseconds=min(max(at_ms, 0), now_ms))


def network(address: str) -> str:
    """Return the network that a caller is told apart by: the /24 of IPv4, the /48 of IPv6; or empty."""
    try:
        at = ipaddress.ip_address(address)
    except ValueError:
        return ""
    at = getattr(at, "ipv4_mapped", None) or at
    return str(ipaddress.ip_network((at, 24 if at.version == 4 else 48), strict=False))


def count(value: int, most: int = _BIGGEST) -> int:
    """Return a count that fits into its column."""
    return min(max(value, 0), most)


def status(value: int | None) -> int:
    """Return a status of HTTP; 0 for none."""
    return value if value is not None and 100 <= value <= 999 else 0


def microseconds(value: int) -> int:
    """Return a duration in microseconds that fits into its column."""
    return count(value, _BIGGEST_INT)
