"""The thirty days before today: requests as a node would have logged them, shipped as a node ships them.

The records stand under a node of their own, ``sample``: nobody takes them for decisions that were made here.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct

from retinue.client.models import Key
from retinue.client.operations import Operation

NODE = "sample"
DAYS = 30
BATCH = 1_000
_SEED = 2_026
#: Documentation networks (RFC 5737): nobody's.
_NETWORKS = ("192.0.2", "198.51.100", "203.0.113")


class Shipped(Struct):
    """The sequence number that is expected next."""

    next: int


#: How a node ships its request log; it calls with its own credential.
SHIP: Operation[Shipped] = Operation("POST", "/v1/feed/requests", "", Shipped)


@dataclass(frozen=True, slots=True)
class Past:
    """What one credential did: its ``calls`` ("permission METHOD /path"), ``a_day`` times a day."""

    organization: str
    key: Key
    calls: tuple[str, ...]
    a_day: float
    #: It stopped so many days ago.
    quiet_days: int = 0
    #: Each so many calls one is denied, for ``reason``.
    denied_each: int = 0
    reason: str = ""
    #: From how many networks it called on the last day.
    networks: int = 1
    #: It calls from this host, now too.
    is_here: bool = False


def records(pasts: list[Past], now: datetime) -> list[dict[str, Any]]:
    """Return what all of them did in the thirty days before ``now``, the oldest first; the same each time."""
    draw = random.Random(_SEED)  # noqa: S311 - sample data, no secret
    made = [record for number, past in enumerate(pasts) for record in _of(past, number, now, draw)]
    return sorted(made, key=lambda record: record["at_ms"])


def _of(past: Past, number: int, now: datetime, draw: random.Random) -> Iterator[dict[str, Any]]:
    told = 0
    for days_ago in range(DAYS, past.quiet_days, -1):
        day = now - timedelta(days=days_ago)
        share = 0.4 if day.weekday() >= 5 else 1.0
        for _ in range(_times(past.a_day * share, draw)):
            at = day + timedelta(seconds=draw.uniform(0, 86_400))
            if at >= now:
                continue
            is_denied = bool(past.denied_each) and told % past.denied_each == past.denied_each - 1
            spread = told % past.networks if days_ago == 1 else 0
            yield _record(past, at, past.calls[told % len(past.calls)], is_denied, number, spread, draw)
            told += 1


def _times(expected: float, draw: random.Random) -> int:
    """Return a whole number that is ``expected`` on average."""
    return int(expected * draw.uniform(0.7, 1.3) + draw.random())


def _record(
    past: Past, at: datetime, call: str, is_denied: bool, number: int, spread: int, draw: random.Random
) -> dict[str, Any]:
    permission, method, path = call.split(" ")
    account = past.key.account
    return {
        "at_ms": int(at.timestamp() * 1000),
        "organization": past.organization,
        "account": account.id if account else "",
        "account_name": account.name if account else past.key.name,
        "account_kind": account.kind if account else "",
        "credential_id": past.key.id,
        "allowed": not is_denied,
        "reason": past.reason if is_denied else None,
        "permission": permission,
        "method": method,
        "path": path,
        "address": "127.0.0.1" if past.is_here else f"{_NETWORKS[(number + spread) % 3]}.{10 + number}",
        "client": f"{(account.name if account else past.key.name).lower().replace(' ', '-')}/1.4",
        "duration_us": draw.randint(18, 60),
        "status": (401 if past.reason.startswith("credential") else 403) if is_denied else 200,
    }
