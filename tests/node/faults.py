"""What a scripted control plane may do instead of the honest answer: to its answer, or to the wire."""

from __future__ import annotations

import time
from collections.abc import Callable

from retinue.replica.records import Change, Kind
from tests.node.control import Exchange, Fault


def send(exchange: Exchange) -> bool:
    """No fault."""
    return exchange.send()


def drop(exchange: Exchange) -> bool:
    """The connection ends; no answer."""
    return False


def half(exchange: Exchange) -> bool:
    """The answer is cut in its middle."""
    data = exchange.data()
    exchange.write(data[: len(data) - len(data) // 4])
    return False


def garbage(exchange: Exchange) -> bool:
    """Bytes that are no HTTP."""
    exchange.write(b"\xff\x00 not HTTP at all\r\n\r\n")
    return False


def raw(body: bytes) -> Fault:
    """A well-formed answer whose body is ``body``."""

    def fault(exchange: Exchange) -> bool:
        exchange.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        return True

    return fault


def refuse(status: int, code: str = "internal", field: str | None = None) -> Fault:
    """A problem."""

    def fault(exchange: Exchange) -> bool:
        exchange.status, exchange.body = status, {"code": code, "field": field}
        return exchange.send()

    return fault


def late(seconds: float, then: Fault = send) -> Fault:
    """The answer comes late."""

    def fault(exchange: Exchange) -> bool:
        time.sleep(seconds)
        return then(exchange)

    return fault


def dripping(seconds: float) -> Fault:
    """The answer comes byte by byte: each soon, the last one very late."""

    def fault(exchange: Exchange) -> bool:
        data = exchange.data()
        for place in range(len(data)):
            exchange.write(data[place : place + 1])
            time.sleep(seconds / len(data))
        return True

    return fault


def altered(**members: object) -> Fault:
    """The answer, but for some of its members."""

    def fault(exchange: Exchange) -> bool:
        exchange.body |= members
        return exchange.send()

    return fault


def doing(act: Callable[[], object], then: Fault = send) -> Fault:
    """Something happens before the answer."""

    def fault(exchange: Exchange) -> bool:
        act()
        return then(exchange)

    return fault


FOREIGN = Change(999, Kind.PERMISSION, "foreign", b"\x92\xa1x\x01")


def _at_the_same_revision(exchange: Exchange) -> bool:
    """More, it says, and leads nowhere."""
    revision = exchange.request.body["applied"]["revision"]
    return altered(more=True, changes=[Change(revision, Kind.PERMISSION, "foreign", b"")])(exchange)


def _stray(exchange: Exchange) -> bool:
    """A record that belongs to a page before."""
    if exchange.request.query.get("after"):
        exchange.body["changes"].append(Change(1, Kind.PERMISSION, "foreign", b""))
    return exchange.send()


WIRE_FAULTS: dict[str, Fault] = {
    "drop": drop,
    "half": half,
    "garbage": garbage,
    "late": late(0.3),
    "drip": dripping(0.3),
    "500": refuse(500),
    "503": refuse(503, "database_unavailable"),
    "429": refuse(429, "rate_limited"),
    "404": refuse(404, "not_found"),
    "no json": raw(b"<html>"),
    "no utf-8": raw(b'{"incarnation": "\xff\xfe"}'),
    "null": raw(b"null"),
    "empty": raw(b""),
    "deep": raw(b"[" * 100_000),
    "wrong type": altered(epoch="one", changes=17),
    "other fields": raw(b'{"a": 1}'),
}
POLL_FAULTS: dict[str, Fault] = {
    "other incarnation": altered(incarnation="f" * 32, head=999, changes=[FOREIGN], lease=True),
    "older epoch": altered(epoch=0, head=999, changes=[FOREIGN], lease=True),
    "older epoch, snapshot": altered(epoch=0, snapshot=True),
    "newer epoch without snapshot": altered(epoch=9, head=999, changes=[FOREIGN], lease=True),
    "lower revision": altered(head=0, changes=[], more=False, lease=True),
    "more without changes": altered(more=True, changes=[], lease=True),
    "more with old changes": altered(
        more=True, changes=[Change(1, Kind.PERMISSION, "p0000", b"")], lease=True
    ),
    "more at the same revision": _at_the_same_revision,
    "unknown kind": altered(changes=[{"revision": 999, "kind": "secret", "key": "x", "value": None}]),
    "409 of another kind": refuse(409, "state_conflict"),
    "410 of a proxy": refuse(410, "unknown"),
}
SNAPSHOT_FAULTS: dict[str, Fault] = {
    "older epoch": altered(epoch=0, changes=[FOREIGN], next=None),
    "stands still": altered(next="permission/p0000"),
    "place of unknown kind": altered(next="secret/x"),
    "strays": _stray,
}
