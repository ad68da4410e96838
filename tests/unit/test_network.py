"""Where a request comes from: read from the right, and nothing that a stranger writes is kept for long."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable

import pytest

from retinue.network import LOOPBACK, Gateways, address, neighbourhood, networks

PROXY, CLIENT, PROXIES = "127.0.0.1", "198.51.100.9", "10.1.2.3"


@pytest.fixture
def gateways() -> Gateways:
    """Loopback and one more network are gateways."""
    return Gateways((*LOOPBACK, *networks("10.0.0.0/8")))


@pytest.mark.parametrize(
    ("forwarded", "expected"),
    [
        ("x" * 16_000 + f",{CLIENT}", CLIENT),
        ("203.0.113.7, " * 1_000 + f"{CLIENT}, {PROXIES}", CLIENT),
        (f"{CLIENT}, " + f"{PROXIES}, " * 1_000 + PROXIES, None),
        ("1" * 16_000, None),
        (f"{CLIENT},{PROXIES}", CLIENT),
        (PROXIES, PROXIES),
    ],
)
def test_long_list_is_read_from_the_right(gateways: Gateways, forwarded: str, expected: str | None) -> None:
    """
    Of a list that is longer than any honest one the right end counts; if that is proxies alone, nobody knows.
    """
    assert expected == gateways.client(PROXY, forwarded.encode())


@pytest.mark.parametrize("spaces", range(16))
def test_no_address_is_read_where_the_list_was_cut(gateways: Gateways, spaces: int) -> None:
    """
    Half of an address is no address: 198.51.100.9 never counts as 8.51.100.9.
    """
    forwarded = f"{CLIENT}{' ' * spaces}," + f"{PROXIES}," * 80 + PROXIES

    assert gateways.client(PROXY, forwarded.encode()) in (CLIENT, None)


@pytest.mark.parametrize("text", ["1" * 65, "fe80::1%" + "z" * 60, "0" * 16_000])
def test_what_is_longer_than_an_address_is_none(text: str) -> None:
    """
    45 characters and a zone are the most that an address has.
    """
    assert (None, "") == (address(text), neighbourhood(text))


@pytest.mark.parametrize(
    "ask",
    [
        lambda gateways, text: address(text),
        lambda gateways, text: neighbourhood(text),
        lambda gateways, text: gateways.client(PROXY, text.encode()),
        lambda gateways, text: gateways.client(CLIENT, text.encode()),
        lambda gateways, text: gateways.client(PROXY, f"{text}, {CLIENT}".encode()),
    ],
    ids=["address", "neighbourhood", "from a proxy", "from a stranger", "good at its end"],
)
def test_strangers_fill_no_memory(gateways: Gateways, ask: Callable[[Gateways, str], object]) -> None:
    """
    Five thousand texts of 16 KB, each another one, leave less than 4 MB behind.
    """
    tracemalloc.start()
    try:
        for number in range(5_000):
            ask(gateways, f"{number:x>16000}")
        left, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert left < 4 << 20
