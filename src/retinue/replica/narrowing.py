"""The parts of records that narrow the use of a token: networks, endpoints, methods, times, limits."""

from __future__ import annotations

import msgspec


class TimeWindow(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A span of each of some days of the week, by the clocks of a zone.

    ``days`` is a bit mask, bit 0 is Monday. ``start`` and ``end`` are minutes since midnight, ``end`` is not
    contained; a window that ends before it starts goes on into the next day, and belongs to the day on which
    it starts. ``zone`` is a name of the time zone database, such as ``Europe/Berlin``.
    """

    days: int
    start: int
    end: int
    zone: str = "UTC"


class Restrictions(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What a credential is narrowed to. An empty list narrows nothing (see :mod:`retinue.restrictions`).

    ``networks`` are CIDR networks, ``endpoints`` path patterns, ``methods`` HTTP methods in capital letters.
    An ingest token is bound to its ``endpoints``: without one it may nothing.
    """

    networks: tuple[str, ...] = ()
    endpoints: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()
    times: tuple[TimeWindow, ...] = ()


class Rate(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """How much one account may ask; 0 where there is no limit."""

    per_minute: int = 0
    per_second: int = 0
    parallel: int = 0


class Rules(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Networks (CIDR) and limits. An empty ``allow`` is anywhere; ``deny`` wins.

    ``warn_ms`` is how long before its end a credential warns in an environment; -1 as everywhere else.
    """

    allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()
    rate: Rate | None = None
    warn_ms: int = -1
