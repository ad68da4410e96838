"""What a credential is narrowed to: networks, endpoints, methods, times."""

from __future__ import annotations

import ipaddress
from datetime import UTC, datetime, timedelta
from urllib.parse import quote
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as some

from retinue.decision import Reason
from retinue.replica.records import Restrictions, Rules, TimeWindow
from retinue.restrictions import is_within, leads_to, network_refused, plain_path, refusal

NOON_MS = 1_796_212_800_000  # 2026-12-02 12:00 UTC, a Wednesday
WEDNESDAY = 1 << 2
EVERY_DAY = 127


@pytest.mark.parametrize(
    ("expected", "networks", "address"),
    [
        (False, ("10.0.0.0/8",), "10.255.255.255"),
        (False, ("10.0.0.0/8",), "10.0.0.0"),
        (True, ("10.0.0.0/8",), "11.0.0.0"),
        (True, ("10.0.0.0/8",), "9.255.255.255"),
        (False, ("192.0.2.7/32",), "192.0.2.7"),
        (True, ("192.0.2.7/32",), "192.0.2.70"),
        (False, ("10.0.0.0/8", "192.0.2.0/24"), "192.0.2.1"),
        (False, ("2001:db8::/32",), "2001:DB8:0:0::1"),
        (True, ("2001:db8::/32",), "2001:db9::1"),
        (False, ("fe80::/10",), "fe80::1%eth0"),
        # One address has one meaning, however it is written.
        (False, ("10.0.0.0/8",), "::ffff:10.1.2.3"),
        (False, ("::ffff:10.0.0.0/104",), "10.1.2.3"),
        (True, ("::/0",), "10.1.2.3"),
        (True, ("0.0.0.0/0",), "2001:db8::1"),
        # What is no address is in no network.
        (True, ("0.0.0.0/0",), None),
        (True, ("0.0.0.0/0",), ""),
        (True, ("0.0.0.0/0",), "10.1.2.3.4"),
        (True, ("0.0.0.0/0",), "010.1.2.3"),
        (True, ("0.0.0.0/0", "::/0"), "x" * 100_000),
    ],
)
def test_networks_are_compared_as_numbers(
    expected: bool, networks: tuple[str, ...], address: str | None
) -> None:
    """
    Never as text: of IPv4 and IPv6, with an address in any of its spellings.
    """
    reason = refusal(Restrictions(networks=networks), address, None, None, NOON_MS)

    assert (Reason.NETWORK_NOT_ALLOWED if expected else None) == reason
    assert expected == network_refused(Rules(allow=networks), address)


addresses = some.one_of(some.ip_addresses(v=4), some.ip_addresses(v=6))


@example([(ipaddress.ip_address("::ffff:0:0"), 96)], ipaddress.ip_address("192.0.2.1"))
@given(some.lists(some.tuples(addresses, some.integers(0, 128)), min_size=1, max_size=12), addresses)
def test_networks_agree_with_the_standard_library(
    drawn: list[tuple[ipaddress.IPv4Address | ipaddress.IPv6Address, int]],
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    """
    A set of networks holds an address exactly if one of them does, tested one by one; a network or an address of IPv4
    that is written in IPv6 is of IPv4.
    """
    networks = [
        ipaddress.ip_network((each, length % (each.max_prefixlen + 1)), strict=False)
        for each, length in drawn
    ]
    mapped = getattr(address, "ipv4_mapped", None) or address
    meant = [_meant(each) for each in networks]
    expected = any(mapped in each for each in meant if each.version == mapped.version)

    assert expected is not network_refused(Rules(allow=tuple(map(str, networks))), str(address))


def _meant(
    network: ipaddress.IPv4Network | ipaddress.IPv6Network,
) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    first = getattr(network.network_address, "ipv4_mapped", None)
    if first is None or network.prefixlen < 96:
        return network
    return ipaddress.ip_network((first, network.prefixlen - 96))


def test_deny_wins_and_an_empty_allow_is_anywhere() -> None:
    """
    With a list to deny, an address that nobody knows is refused as well.
    """
    rules = Rules(allow=("10.0.0.0/8",), deny=("10.9.0.0/16",))

    assert [False, True, True] == [
        network_refused(rules, each) for each in ("10.1.0.1", "10.9.0.1", "192.0.2.1")
    ]
    assert [False, True, True] == [
        network_refused(Rules(deny=("10.9.0.0/16",)), each) for each in ("192.0.2.1", "10.9.0.1", None)
    ]
    assert not network_refused(Rules(), None)


@pytest.mark.parametrize(
    ("expected", "path"),
    [
        (True, "/reports"),
        (True, "/exports/2026"),
        (True, "/exports/2026/12"),
        (True, "/exports/"),
        (True, "/r%65ports"),
        (True, "/%72%65ports"),
        (True, "/exports/%C3%BC"),
        (True, "/exports/ü"),
        (False, None),
        (False, ""),
        (False, "/"),
        (False, "reports"),
        (False, "/reports/"),
        (False, "/Reports"),
        (False, "/exports"),
        (False, "/exportsx/2026"),
        (False, "/exports/../admin"),
        (False, "/exports/./2026"),
        (False, "/exports/%2e%2e/admin"),
        (False, "/exports/%2E./admin"),
        (False, "/exports/%252e%252e/admin"),
        (False, "/exports/..%2fadmin"),
        (False, "/exports%2f2026"),
        (False, "/exports/a%252fb"),
        (False, "/exports//admin"),
        (False, "//exports/2026"),
        (False, "/exports/\\..\\admin"),
        (False, "/exports/%5c..%5cadmin"),
        (False, "/exports/..;/admin"),
        (False, "/exports/..;x=1/admin"),
        (False, "/exports/a%3b/../admin"),
        (False, "/exports;/2026"),
        (False, "/exports/%3B"),
        (False, "/exports/2026?x=/../"),
        (False, "/exports/2026#x"),
        (False, "/exports/%23"),
        (False, "/exports/%00"),
        (False, "/exports/%0a"),
        (False, "/exports/\x7f"),
        (False, "/exports/%zz"),
        (False, "/exports/%"),
        (False, "/exports/%c0%af../admin"),
        (False, "/exports/%c0%ae%c0%ae/admin"),
        (False, "/exports/%ff"),
        (False, "/exports/\uff0e\uff0e/admin"),
        (False, "/exports/\uff0fadmin"),
        (False, "/exports/\ud800"),
        (False, "http://host/reports"),
    ],
)
def test_a_hostile_spelling_reaches_no_endpoint(expected: bool, path: str | None) -> None:
    """
    A path is one of the endpoints in one plain reading, or in none.
    """
    endpoints = ("/reports", "/exports/*")

    assert expected == leads_to(endpoints, path)
    reason = refusal(Restrictions(endpoints=endpoints), None, None, path, NOON_MS)
    assert (None if expected else Reason.ENDPOINT_NOT_ALLOWED) == reason


@given(some.text(max_size=40))
def test_any_text_has_one_spelling_or_none(text: str) -> None:
    """
    The plain path of a plain path is itself, it has no dot segments, and is below what it says it is.
    """
    plain = plain_path("/a/" + text)
    if plain is not None:
        assert plain == plain_path(plain)
        assert {".", "..", ""}.isdisjoint(plain.split("/")[1:-1])
        assert leads_to(("/a/*",), plain)
        assert not leads_to(("/b/*",), plain)


@given(
    some.text(alphabet=some.characters(codec="utf-8", exclude_characters="/\\;#?%."), min_size=1, max_size=20)
)
def test_escapes_change_nothing(segment: str) -> None:
    """
    A segment means the same with all of its bytes escaped, with the usual ones, and in either case of the digits.
    """
    raw = segment.encode()
    every = "".join(f"%{byte:02x}" for byte in raw)

    assert plain_path("/" + every) == plain_path("/" + every.upper())
    if plain_path("/" + quote(segment, safe="")) is not None:
        assert plain_path("/" + every) == plain_path("/" + quote(segment, safe=""))


@pytest.mark.parametrize(
    ("expected", "method"),
    [
        (None, "GET"),
        (Reason.METHOD_NOT_ALLOWED, "POST"),
        (Reason.METHOD_NOT_ALLOWED, "get"),
        (Reason.METHOD_NOT_ALLOWED, None),
        (Reason.METHOD_NOT_ALLOWED, "HEAD"),
    ],
)
def test_methods_are_these_and_no_other(expected: Reason | None, method: str | None) -> None:
    """
    A method that nobody states is none of them; one does not stand for another.
    """
    assert expected == refusal(Restrictions(methods=("GET", "PUT")), None, method, None, NOON_MS)


def at(text: str, zone: str = "UTC") -> int:
    """An instant in milliseconds."""
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp() * 1000)


@pytest.mark.parametrize(
    ("expected", "window", "instant"),
    [
        (True, TimeWindow(WEDNESDAY, 8 * 60, 18 * 60), NOON_MS),
        (False, TimeWindow(EVERY_DAY - WEDNESDAY, 8 * 60, 18 * 60), NOON_MS),
        (True, TimeWindow(WEDNESDAY, 12 * 60, 13 * 60), NOON_MS),
        (False, TimeWindow(WEDNESDAY, 11 * 60, 12 * 60), NOON_MS),
        (True, TimeWindow(WEDNESDAY, 11 * 60, 12 * 60), NOON_MS - 1),
        (True, TimeWindow(EVERY_DAY, 0, 1440), at("2026-12-02T23:59:59")),
        # By the clocks of the zone, not ours.
        (True, TimeWindow(WEDNESDAY, 13 * 60, 14 * 60, "Europe/Berlin"), NOON_MS),
        (False, TimeWindow(EVERY_DAY, 12 * 60, 13 * 60, "Europe/Berlin"), NOON_MS),
        (True, TimeWindow(1 << 3, 0, 60, "Asia/Tokyo"), at("2026-12-02T15:30:00")),
        # Over midnight: the window belongs to the day on which it starts.
        (True, TimeWindow(WEDNESDAY, 22 * 60, 6 * 60), at("2026-12-02T23:00:00")),
        (True, TimeWindow(WEDNESDAY, 22 * 60, 6 * 60), at("2026-12-03T05:59:00")),
        (False, TimeWindow(WEDNESDAY, 22 * 60, 6 * 60), at("2026-12-03T06:00:00")),
        (False, TimeWindow(WEDNESDAY, 22 * 60, 6 * 60), at("2026-12-02T05:00:00")),
        (True, TimeWindow(1 << 6, 22 * 60, 6 * 60), at("2026-12-07T01:00:00")),
        # The change of the clocks: at 01:00 UTC it is 03:00 in Berlin in March, 02:00 a second time in October.
        (False, TimeWindow(EVERY_DAY, 2 * 60, 3 * 60, "Europe/Berlin"), at("2026-03-29T01:00:00")),
        (True, TimeWindow(EVERY_DAY, 1 * 60, 2 * 60, "Europe/Berlin"), at("2026-03-29T00:59:59")),
        (True, TimeWindow(EVERY_DAY, 3 * 60, 4 * 60, "Europe/Berlin"), at("2026-03-29T01:00:00")),
        (True, TimeWindow(EVERY_DAY, 2 * 60, 3 * 60, "Europe/Berlin"), at("2026-10-25T00:30:00")),
        (True, TimeWindow(EVERY_DAY, 2 * 60, 3 * 60, "Europe/Berlin"), at("2026-10-25T01:30:00")),
        # What cannot be told is not within.
        (False, TimeWindow(EVERY_DAY, 0, 1440, "Nowhere/Land"), NOON_MS),
        (False, TimeWindow(EVERY_DAY, 0, 1440, "../../etc/passwd"), NOON_MS),
        (False, TimeWindow(0, 0, 1440), NOON_MS),
        (False, TimeWindow(EVERY_DAY, 0, 1440), 10**18),
    ],
)
def test_windows_follow_the_clocks_of_their_zone(expected: bool, window: TimeWindow, instant: int) -> None:
    """
    Days of the week, a span of the day, midnight between, and the hours that summer time adds and takes.
    """
    assert expected == is_within(window, instant)
    reason = refusal(Restrictions(times=(window,)), None, None, None, instant)
    assert (None if expected else Reason.TIME_NOT_ALLOWED) == reason


@given(some.integers(0, 127), some.integers(0, 1439), some.integers(1, 1440), some.integers(0, 10_079))
def test_windows_agree_with_counting_minutes(days: int, start: int, end: int, minute: int) -> None:
    """
    A minute of the week is within a window exactly if it lies in one of the spans, written out day by day.
    """
    monday = datetime(2026, 11, 30, tzinfo=UTC)
    length = (end - start) if start < end else 1440 - start + end
    starts = [day * 1440 + start for day in range(7) if days >> day & 1]
    expected = any((minute - begun) % 10_080 < length for begun in starts)

    instant = int((monday + timedelta(minutes=minute)).timestamp() * 1000)
    assert expected == is_within(TimeWindow(days, start, end), instant)


def test_the_order_is_network_endpoint_method_time() -> None:
    """
    The first that fails is the one that is told.
    """
    narrowed = Restrictions(("10.0.0.0/8",), ("/a",), ("GET",), (TimeWindow(0, 0, 1440),))

    assert Reason.NETWORK_NOT_ALLOWED == refusal(narrowed, None, None, None, NOON_MS)
    assert Reason.ENDPOINT_NOT_ALLOWED == refusal(narrowed, "10.0.0.1", None, None, NOON_MS)
    assert Reason.METHOD_NOT_ALLOWED == refusal(narrowed, "10.0.0.1", None, "/a", NOON_MS)
    assert Reason.TIME_NOT_ALLOWED == refusal(narrowed, "10.0.0.1", "GET", "/a", NOON_MS)
    assert refusal(Restrictions(), None, None, None, NOON_MS) is None
