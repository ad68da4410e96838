"""The one way out: a POST to an address that somebody here has named, and that must not become a way in.

The name is resolved once, every address that it has must be a public one or one that the operator allows, and
the connection goes to that very address. Redirects are answers like any other, proxies are not asked, a
call takes ten seconds at most and reads no more than a megabyte.
"""

from __future__ import annotations

import http.client
import ipaddress
import socket
import ssl
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from retinue.network import Network

TOTAL_SECONDS = 10.0
MOST_BYTES = 1 << 20
URL_MAX = 2048
_PORTS = {"https": 443, "http": 80}
#: Prefixes that carry an IPv4 address: what they lead to is judged, not how it is written (RFC 6052, 8215).
_NAT64 = (ipaddress.IPv6Network("64:ff9b::/96"), ipaddress.IPv6Network("64:ff9b:1::/48"))


class Unreachable(Exception):
    """The call was not made, or has no answer; the text says why and names no secret."""


class Forbidden(Unreachable):
    """The address must not be called from here."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered: the status alone; nothing that others write comes in."""

    status: int


def check_url(url: str, allowed: Iterable[Network]) -> SplitResult:
    """Return the parts of an address. Raises :class:`Forbidden` for one that is none, or can never be called.

    What its name resolves to is looked at with each call.
    """
    allowed = tuple(allowed)
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise Forbidden("not an address") from None
    if len(url) > URL_MAX or not url.isascii() or not url.isprintable() or " " in url:
        raise Forbidden(f"at most {URL_MAX} visible ASCII characters")
    if parts.scheme not in _PORTS or not parts.hostname:
        raise Forbidden("https:// and a host")
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise Forbidden("without user, password and fragment")
    if port == 0:
        raise Forbidden("the port is 1 to 65535")
    literal = _literal(parts.hostname)
    if literal is not None and not is_allowed(literal, allowed):
        raise Forbidden(
            "this address is not public; the operator may allow its network (RETINUE_EGRESS_ALLOW)"
        )
    if parts.scheme == "http" and not allowed:
        raise Forbidden("https://: in plain text only to networks that the operator allows")
    return parts


def is_allowed(address: str, allowed: Iterable[Network]) -> bool:
    """Tell whether an address may be called: it is in an allowed network, or public."""
    return _is_listed(address, allowed) or _is_public(_inner(address))


def post(url: str, body: bytes, headers: Mapping[str, str], allowed: Iterable[Network]) -> Answer:
    """POST ``body``. Raises :class:`Unreachable`, also for what was answered too late."""
    allowed = tuple(allowed)
    parts = check_url(url, allowed)
    host, port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
    address = resolved(host, port, allowed, is_plain=parts.scheme == "http")
    call = _Connection(host, port, address, is_plain=parts.scheme == "http")
    late = threading.Timer(TOTAL_SECONDS, call.break_off)
    late.daemon = True
    late.start()
    try:
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        call.request("POST", path, body, dict(headers) | {"Connection": "close"})
        answer = call.getresponse()
        answer.read(MOST_BYTES)
        return Answer(answer.status)
    except ssl.SSLCertVerificationError as error:
        raise Unreachable(f"the certificate does not hold: {error.verify_message}") from None
    except (OSError, http.client.HTTPException) as error:
        if call.is_broken_off:
            raise Unreachable(f"no answer within {TOTAL_SECONDS:g} s") from None
        raise Unreachable(_words(error)) from None
    finally:
        late.cancel()
        call.close()


def _words(error: Exception) -> str:
    """Say what went wrong without what the other side wrote."""
    if isinstance(error, TimeoutError):
        return f"no answer within {TOTAL_SECONDS:g} s"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()[:200]
    return f"no HTTP answer ({type(error).__name__})"


def resolved(host: str, port: int, allowed: tuple[Network, ...], *, is_plain: bool) -> str:
    """Return the address to connect to: the first, if all that the name has are allowed."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise Unreachable("the name does not resolve") from None
    addresses = [str(each[4][0]) for each in found]
    if not addresses:
        raise Unreachable("the name does not resolve")
    for each in addresses:
        if not is_allowed(each, allowed):
            raise Forbidden("the name leads to an address that is not public")
        if is_plain and not _is_listed(each, allowed):
            raise Forbidden("https://: in plain text only to networks that the operator allows")
    return addresses[0]


def _literal(host: str) -> str | None:
    """Return the address that a host is written as, also in the old forms that resolvers take (0x7f.1)."""
    try:
        return str(ipaddress.ip_address(host.partition("%")[0]))
    except ValueError:
        pass
    try:
        return socket.inet_ntoa(socket.inet_aton(host))
    except (OSError, UnicodeError):
        return None


def _inner(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """Return the address that is really reached: of one that carries an IPv4 address, that one."""
    parsed = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(parsed, ipaddress.IPv4Address):
        return parsed
    if any(parsed in network for network in _NAT64):
        return ipaddress.IPv4Address(int(parsed) & 0xFFFFFFFF)
    teredo = parsed.teredo
    return parsed.ipv4_mapped or parsed.sixtofour or (teredo[1] if teredo else None) or parsed


def _is_public(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    is_odd = address.is_multicast or address.is_reserved or address.is_unspecified or address.is_loopback
    is_odd |= isinstance(address, ipaddress.IPv6Address) and (address.is_site_local or not int(address) >> 32)
    return address.is_global and not is_odd


def _is_listed(address: str, allowed: Iterable[Network]) -> bool:
    inner = _inner(address)
    return any(inner in network for network in allowed if network.version == inner.version)


class _Connection(http.client.HTTPConnection):
    """Connects to an address that was looked at, whatever its name resolves to by now."""

    def __init__(self, host: str, port: int, address: str, *, is_plain: bool) -> None:
        super().__init__(host, port, timeout=TOTAL_SECONDS)
        self.default_port = _PORTS["http" if is_plain else "https"]
        self._address = address
        self._is_plain = is_plain
        self.is_broken_off = False

    def connect(self) -> None:
        """Open the connection; of TLS the certificate must be that of the name."""
        plain = socket.create_connection((self._address, self.port), TOTAL_SECONDS)
        self.sock = plain
        if not self._is_plain:
            context = ssl.create_default_context()
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            self.sock = context.wrap_socket(plain, server_hostname=self.host)

    def break_off(self) -> None:
        """End the call from another thread: whoever reads gets an error."""
        self.is_broken_off = True
        sock = self.sock
        if sock is not None:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                sock.close()
