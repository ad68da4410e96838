"""Addresses and networks: where a request comes from, and which peers may say that it is from elsewhere."""

from __future__ import annotations

import ipaddress
from functools import lru_cache

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

#: What one customer of a provider usually holds: guesses from all of it count as one.
_SHARED_PREFIX = {4: 24, 6: 64}


#: 45 characters of IPv6 and a zone. What is longer is no address, and is kept in no cache.
_LONGEST_ADDRESS = 64
#: Of an ``X-Forwarded-For`` that is longer only the right end is read, for the same reason.
_LONGEST_FORWARDED = 512


def address(text: str) -> str | None:
    """Return an IP address in its one canonical form; ``None`` if ``text`` is none."""
    return _address(text) if len(text) <= _LONGEST_ADDRESS else None


@lru_cache(maxsize=4096)
def _address(text: str) -> str | None:
    try:
        parsed = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = getattr(parsed, "ipv4_mapped", None)
    return str(mapped or parsed)


def neighbourhood(text: str) -> str:
    """Return the /24 (IPv4) or /64 (IPv6) around an address; what is no address is one network of its own."""
    canonical = address(text)
    return "" if canonical is None else _neighbourhood(canonical)


@lru_cache(maxsize=4096)
def _neighbourhood(canonical: str) -> str:
    version = ipaddress.ip_address(canonical).version
    return str(ipaddress.ip_network((canonical.partition("%")[0], _SHARED_PREFIX[version]), strict=False))


def networks(text: str) -> tuple[Network, ...]:
    """Read a list of networks, separated by commas. Raises ``ValueError`` that says which part is none."""
    return tuple(ipaddress.ip_network(part) for part in map(str.strip, text.split(",")) if part)


LOOPBACK = networks("127.0.0.0/8,::1")


class Gateways:
    """The networks of the gateways that may say for whom they ask."""

    def __init__(self, networks: tuple[Network, ...]) -> None:
        self._networks = networks
        self.trusts = lru_cache(maxsize=4096)(self._trusts)
        self._nearest = lru_cache(maxsize=4096)(self._read)

    def client(self, peer: str, forwarded: bytes | None) -> str | None:
        """Return the client's address: from the right, the first that is not one of our gateways.

        ``forwarded`` is ``X-Forwarded-For``; from a stranger it counts for nothing. An entry that is no
        address gives ``None``: nobody knows then who asks, and no network may be assumed.
        """
        if not forwarded or not self.trusts(peer):
            return address(peer)
        if len(forwarded) > _LONGEST_FORWARDED:
            # Where it was cut may stand half an address: that entry is none.
            forwarded = b"?," + forwarded[-_LONGEST_FORWARDED:].partition(b",")[2]
        return self._nearest(forwarded)

    def guesser(self, address: str | None) -> str | None:
        """Return the network whose failed attempts these are; ``None`` if they are nobody's.

        Of a gateway that does not say for whom it asks only itself is known, and its clients are not to bear
        what a stranger among them does.
        """
        return None if address is None or self.trusts(address) else neighbourhood(address)

    def _trusts(self, peer: str) -> bool:
        """Tell whether ``peer`` is a configured gateway."""
        canonical = address(peer)
        if canonical is None:
            return False
        parsed = ipaddress.ip_address(canonical)
        return any(parsed in network for network in self._networks if network.version == parsed.version)

    def _read(self, forwarded: bytes) -> str | None:
        nearest = None
        for entry in reversed(forwarded.decode("latin-1").split(",")):
            nearest = address(entry.strip())
            if nearest is None or not self.trusts(nearest):
                return nearest
        return nearest
