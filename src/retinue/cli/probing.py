"""The probes of ``retinue gateway test``: requests that somebody may send, and what must come of each."""

from __future__ import annotations

import base64
import http.client
import json
import secrets
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import msgspec

from retinue.cli import settings
from retinue.cli.echoing import MARK

PASSED, FAILED, SKIPPED = "passed", "failed", "not probed"
TIMEOUT_SECONDS = 5.0
_FORGED = "e30.e30.AAAA"
_MOST_BODY = 1 << 20


class Probe(msgspec.Struct, frozen=True):
    """One probe: what was expected, and what was seen."""

    probe: str
    result: str
    expected: str
    seen: str


@dataclass(frozen=True)
class Tokens:
    """Tokens to probe with: one that may use the path, one that may not, one that may do nothing else."""

    allowed: str
    without: str | None = None
    narrowed: str | None = None


@dataclass(frozen=True)
class Seen:
    """An answer; ``request`` is what an echo says has reached it."""

    status: int
    headers: dict[str, str]
    request: dict[str, Any] | None

    @property
    def text(self) -> str:
        """The answer in a few words."""
        error = self.headers.get("retinue-error", "")
        reached = "" if self.request is None else "reached the application"
        return " ".join(part for part in (str(self.status), error, reached) if part)

    def values(self, name: str) -> list[str]:
        """What the application got under a name, however its letters and dashes are written."""
        listed = (self.request or {}).get("headers", [])
        return [value for each, value in listed if each.lower().replace("_", "-") == name]


@dataclass(frozen=True)
class Gateway:
    """A gateway, and what to probe it with."""

    url: str
    path: str
    tokens: Tokens
    node: str | None = None

    def send(self, path: str, *fields: tuple[str, str], method: str = "GET", url: str | None = None) -> Seen:
        """Send a request as it is. Raises ``OSError`` or ``HTTPException`` if there is no answer."""
        parts = urlsplit(url or self.url)
        connection = _connection(parts.scheme == "https", parts.hostname or "", parts.port)
        try:
            connection.putrequest(method, path, skip_accept_encoding=True)
            for name, value in fields:
                connection.putheader(name, value)
            connection.endheaders()
            answer = connection.getresponse()
            body = answer.read(_MOST_BODY)
            headers = {name.lower(): value for name, value in answer.getheaders()}
            return Seen(answer.status, headers, _echoed(body))
        finally:
            connection.close()


def _connection(is_secure: bool, host: str, port: int | None) -> http.client.HTTPConnection:
    if not is_secure:
        return http.client.HTTPConnection(host, port, timeout=TIMEOUT_SECONDS)
    trusted = ssl.create_default_context(cafile=settings.ca_file())
    return http.client.HTTPSConnection(host, port, timeout=TIMEOUT_SECONDS, context=trusted)


def _echoed(body: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(body)
    except ValueError:
        return None
    return found if isinstance(found, dict) and MARK in found else None


def probe_all(gateway: Gateway) -> list[Probe]:
    """Probe all that can be. Raises ``OSError`` or ``HTTPException`` if the gateway does not answer."""
    own = ("Authorization", f"Bearer {gateway.tokens.allowed}")
    wrong = ("Authorization", "Bearer x")
    allowed = gateway.send(gateway.path, own)
    return [
        _no_token(gateway),
        _probe("malformed token", "401", gateway.send(gateway.path, wrong), _is(401)),
        _probe("two tokens", "401 or 400", gateway.send(gateway.path, own, wrong), _is(400, 401)),
        _probe("right token", "let through", allowed, _is_let_in),
        _wrong_permission(gateway),
        *_identity(gateway, own),
        _token_gone(allowed),
        _no_rule(gateway, own),
        *_spellings(gateway, own),
        *_upgrades(gateway, own),
        *_described(gateway),
        _empty_permission(gateway),
    ]


def _probe(name: str, expected: str, seen: Seen, passed: Callable[[Seen], bool]) -> Probe:
    return Probe(name, PASSED if passed(seen) else FAILED, expected, seen.text)


def _skipped(name: str, expected: str, why: str) -> Probe:
    return Probe(name, SKIPPED, expected, why)


def _is(*statuses: int) -> Callable[[Seen], bool]:
    return lambda seen: seen.status in statuses and seen.request is None


def _is_let_in(seen: Seen) -> bool:
    return seen.status not in (400, 401, 403, 404, 429) and seen.status < 500


def _is_refused(seen: Seen) -> bool:
    return 400 <= seen.status < 500 and seen.request is None


def _no_token(gateway: Gateway) -> Probe:
    seen = gateway.send(gateway.path)
    told = "www-authenticate" in seen.headers and seen.headers.get("retinue-error") == "token_missing"
    return _probe("no token", "401 with challenge", seen, lambda seen: _is(401)(seen) and told)


def _wrong_permission(gateway: Gateway) -> Probe:
    name, expected = "wrong permission", "403 with the permission in scope"
    if gateway.tokens.without is None:
        return _skipped(name, expected, "needs --without-file")
    seen = gateway.send(gateway.path, ("Authorization", f"Bearer {gateway.tokens.without}"))
    told = 'scope="' in seen.headers.get("www-authenticate", "")
    return _probe(name, expected, seen, lambda seen: _is(403)(seen) and told)


def _identity(gateway: Gateway, own: tuple[str, str]) -> list[Probe]:
    """A forged identity opens nothing, and is not what the application gets."""
    found = []
    for name in ("Retinue-Identity", "Retinue_Identity"):
        seen = gateway.send(gateway.path, (name, _FORGED))
        found.append(_probe(f"forged {name} without a token", "401 or 400", seen, _is(400, 401)))
        title, expected = f"forged {name} with a token", "replaced, removed or refused"
        seen = gateway.send(gateway.path, own, (name, _FORGED))
        if seen.request is None and seen.status < 400:
            found.append(_skipped(title, expected, "needs `retinue gateway echo` as the application"))
            continue
        values = seen.values("retinue-identity")
        is_ours = len(values) == 1 and values[0].count(".") == 2 and _FORGED not in values
        result = PASSED if seen.request is None or is_ours else FAILED
        found.append(Probe(title, result, expected, seen.text))
    return found


def _token_gone(allowed: Seen) -> Probe:
    name, expected = "Authorization at the application", "gone"
    if allowed.request is None:
        return _skipped(name, expected, "needs `retinue gateway echo` as the application")
    return _probe(name, expected, allowed, lambda seen: not seen.values("authorization"))


def _no_rule(gateway: Gateway, own: tuple[str, str]) -> Probe:
    seen = gateway.send(f"/retinue-no-rule-{secrets.token_hex(4)}", own)
    return _probe("path without a rule", "refused", seen, _is_refused)


def _spellings(gateway: Gateway, own: tuple[str, str]) -> list[Probe]:
    """A place without a rule, however it is spelled, is refused, or resolved before a rule is chosen."""
    found = []
    for name, way in (
        ("encoded slash", "..%2f"),
        ("encoded backslash", "..%5c"),
        ("encoded dots", "%2e%2e/"),
    ):
        base = gateway.path.rpartition("/")[0]
        seen = gateway.send(f"{base}/{way}retinue-no-rule-{secrets.token_hex(4)}", own)
        found.append(_probe(name, "refused or resolved", seen, _is_refused))
    return found


def _upgrades(gateway: Gateway, own: tuple[str, str]) -> list[Probe]:
    """A WebSocket is asked about, and nobody changes to a protocol in which nothing more would be asked."""
    key = ("Sec-WebSocket-Key", base64.b64encode(secrets.token_bytes(16)).decode())
    asked = (("Connection", "Upgrade"), ("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13"), key)
    found = [
        _probe("WebSocket without a token", "401 or 400", gateway.send(gateway.path, *asked), _is(400, 401))
    ]
    for protocol, more in (("h2c", ", HTTP2-Settings"), (f"retinue-{secrets.token_hex(4)}", "")):
        fields = (
            ("Connection", f"Upgrade{more}"),
            ("Upgrade", protocol),
            ("HTTP2-Settings", "AAMAAABkAAQAAP__"),
        )
        seen = gateway.send(gateway.path, own, *fields)
        name, expected = f"Upgrade to {'h2c' if more else 'another protocol'}", "refused or ignored"
        if seen.request is None and 101 != seen.status < 400:
            found.append(_skipped(name, expected, "needs `retinue gateway echo` as the application"))
        else:
            found.append(
                _probe(name, expected, seen, lambda seen: seen.status != 101 and not seen.values("upgrade"))
            )
    return found


def _described(gateway: Gateway) -> list[Probe]:
    """A token for GET and this path alone is let in only if the node learns method and path."""
    names = ("method and path are seen", "forged method and path")
    if gateway.tokens.narrowed is None:
        return [_skipped(name, "told to the node", "needs --narrowed-file") for name in names]
    narrowed = ("Authorization", f"Bearer {gateway.tokens.narrowed}")
    forged = ("X-Forwarded-Uri", gateway.path), ("X-Forwarded-Method", "GET")
    elsewhere = f"{gateway.path.rpartition('/')[0]}/retinue-{secrets.token_hex(4)}"
    return [
        _probe(names[0], "let through", gateway.send(gateway.path, narrowed), _is_let_in),
        _probe(names[1], "refused", gateway.send(elsewhere, narrowed, *forged), _is_refused),
    ]


def _empty_permission(gateway: Gateway) -> Probe:
    name, expected = "empty permission at the node", "500 or 503"
    if gateway.node is None:
        return _skipped(name, expected, "needs --node")
    try:
        seen = gateway.send("/v1/forward-auth/", url=gateway.node)
    except (OSError, http.client.HTTPException):
        return _skipped(name, expected, "the node cannot be reached from here")
    told = seen.status in (500, 503) and "retinue-error" in seen.headers
    return _probe(name, expected, seen, lambda _: told)
