"""Where from, where to, how and when: the network of an organization, and what a credential is narrowed to.

A fact that the question does not state cannot fulfil a restriction: without an address no network matches,
without a path no endpoint. Patterns and networks are compiled once each, by their text; nothing of a decision
is remembered.
"""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache
from urllib.parse import quote, unquote_to_bytes
from zoneinfo import ZoneInfo

from retinue.decision import Reason
from retinue.network import address as canonical_address
from retinue.replica.records import Restrictions, Rules, TimeWindow

#: How an ingest token may be used: it only writes.
WRITING = frozenset({"POST", "PUT", "PATCH"})
#: What stands in a path instead of the ingest token that stood there.
TOKEN_PLACE = "{token}"  # noqa: S105  (the name of a place)
_REST = "/*"
# Paths that two programs could read differently: empty and dot segments, encoded separators (also twice
# encoded), control characters, and percent signs that encode nothing.
_AMBIGUOUS = re.compile(
    rb"//|\\|[\x00-\x20\x7f-\xff]|%(?:25)*(?:2[fF]|5[cC]|[01][0-9a-fA-F]|7[fF])|%(?![0-9a-fA-F]{2})"
    rb"|(?:^|/)(?:\.|%(?:25)*2[eE]){1,2}(?:/|$)"
)
#: Some servers cut a path at these, and go on behind them: ``/reports/..;/admin``.
_PARAMETERS = re.compile(rb"[;#?]|%(?:25)*(?:3[bBfF]|23)")
_SEPARATORS = "/\\.;?#%"
#: What RFC 3986 calls sub-delimiters, and what else stands in a path unescaped.
_PLAIN = "/!$&'()*+,;=:@"


def is_ambiguous(path: bytes) -> bool:
    """Tell whether two programs could take ``path`` (without query) for two different places."""
    return _AMBIGUOUS.search(path) is not None


def network_refused(rules: Rules, address: str | None) -> bool:
    """Tell whether the organization's network rules refuse this address."""
    if rules.deny and (address is None or _contains(rules.deny, address)):
        return True
    return bool(rules.allow) and (address is None or not _contains(rules.allow, address))


def refusal(
    narrowed: Restrictions, address: str | None, method: str | None, path: str | None, now_ms: int
) -> Reason | None:
    """Return why a credential may not be used so, ``None`` if it may. ``now_ms``: milliseconds since 1970."""
    if narrowed.networks and (address is None or not _contains(narrowed.networks, address)):
        return Reason.NETWORK_NOT_ALLOWED
    if narrowed.endpoints and not leads_to(narrowed.endpoints, path):
        return Reason.ENDPOINT_NOT_ALLOWED
    if narrowed.methods and method not in narrowed.methods:
        return Reason.METHOD_NOT_ALLOWED
    if narrowed.times and not any(is_within(window, now_ms) for window in narrowed.times):
        return Reason.TIME_NOT_ALLOWED
    return None


# --- networks ---


class _Networks:
    """A set of networks, as sorted spans of addresses of each version."""

    __slots__ = ("_spans",)

    def __init__(self, texts: Iterable[str]) -> None:
        spans: dict[int, list[tuple[int, int]]] = {4: [], 6: []}
        for text in texts:
            network = _unmapped(ipaddress.ip_network(text))
            spans[network.version].append((int(network.network_address), int(network.broadcast_address)))
        self._spans = {version: _joined(found) for version, found in spans.items()}

    def holds(self, version: int, number: int) -> bool:
        starts, ends = self._spans[version]
        place = bisect_right(starts, number) - 1
        return place >= 0 and number <= ends[place]


def _unmapped(
    network: ipaddress.IPv4Network | ipaddress.IPv6Network,
) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    """An IPv4 network that is written as IPv6 (``::ffff:10.0.0.0/104``) is that IPv4 network."""
    if isinstance(network, ipaddress.IPv6Network) and network.prefixlen >= 96:
        mapped = network.network_address.ipv4_mapped
        if mapped is not None:
            return ipaddress.ip_network((mapped, network.prefixlen - 96))
    return network


def _joined(spans: list[tuple[int, int]]) -> tuple[list[int], list[int]]:
    starts: list[int] = []
    ends: list[int] = []
    for start, end in sorted(spans):
        if ends and start <= ends[-1] + 1:
            ends[-1] = max(ends[-1], end)
        else:
            starts.append(start)
            ends.append(end)
    return starts, ends


_networks = lru_cache(maxsize=4096)(_Networks)


def _contains(networks: tuple[str, ...], address: str) -> bool:
    found = _number(address) if len(address) <= _LONGEST_ADDRESS else None
    return found is not None and _networks(networks).holds(*found)


_LONGEST_ADDRESS = 64


@lru_cache(maxsize=4096)
def _number(text: str) -> tuple[int, int] | None:
    canonical = canonical_address(text)
    if canonical is None:
        return None
    parsed = ipaddress.ip_address(canonical.partition("%")[0])
    return parsed.version, int(parsed)


# --- endpoints ---


def leads_to(endpoints: tuple[str, ...], path: str | None) -> bool:
    """Tell whether a path is one of these endpoints: the same path, or below one that ends with ``/*``.

    A path that could be read in two ways is none of them, whatever the pattern.
    """
    plain = None if path is None else plain_path(path)
    if plain is None:
        return False
    whole, below = _endpoints(endpoints)
    return plain in whole or plain.startswith(below)


@lru_cache(maxsize=4096)
def _endpoints(patterns: tuple[str, ...]) -> tuple[frozenset[str], tuple[str, ...]]:
    """Return the whole paths and the beginnings of paths that these patterns admit."""
    below = [each[:-1] for each in patterns if each.endswith(_REST)]
    whole = [each for each in patterns if not each.endswith(_REST)]
    return frozenset(map(_spelled, whole)), tuple(map(_spelled, below))


def _spelled(path: str) -> str:
    """Spell a path in one way: escapes only where they must be, in capitals (RFC 3986, section 6.2)."""
    return quote(unquote_to_bytes(path), safe=_PLAIN + "{}")


def plain_path(path: str) -> str | None:
    """Return a path in its one spelling; ``None`` for one that two programs could read differently.

    Beside what is ambiguous anywhere, path parameters (``;``) are refused, bytes that are no UTF-8, and
    characters that some programs fold into separators.
    """
    raw = path.encode("utf-8", "surrogatepass")
    written = raw if raw.isascii() else quote(raw, safe=_PLAIN + "{}%").encode()
    if not written.startswith(b"/") or is_ambiguous(written) or _PARAMETERS.search(written):
        return None
    decoded = unquote_to_bytes(written)
    if not decoded.isascii():
        try:
            text = decoded.decode()
        except UnicodeDecodeError:
            return None
        folded = unicodedata.normalize("NFKC", text)
        if any(folded.count(each) != text.count(each) for each in _SEPARATORS):
            return None
    return quote(decoded, safe=_PLAIN + "{}")


# --- times ---


def is_within(window: TimeWindow, now_ms: int) -> bool:
    """Tell whether an instant lies in a window, by the clocks of its zone.

    An hour that a change of the clocks repeats is in the window twice, one that it leaves out never comes.
    """
    try:
        local = datetime.fromtimestamp(now_ms / 1000, _zone(window.zone))
    except (OSError, ValueError, OverflowError, LookupError):
        return False
    minute, day = local.hour * 60 + local.minute, local.weekday()
    today, yesterday = window.days >> day & 1, window.days >> (day - 1) % 7 & 1
    if window.start < window.end:
        return bool(today) and window.start <= minute < window.end
    return bool(today and minute >= window.start) or bool(yesterday and minute < window.end)


_zone = lru_cache(maxsize=256)(ZoneInfo)
