"""Answers as bytes. What does not change from one second to the next is put together once a second."""

from __future__ import annotations

import http
import time
from datetime import UTC, datetime
from functools import lru_cache

import msgspec

from retinue.decision import NATIVE_TERMS, Allowed, Caller, Denied, Quota, Warning
from retinue.problem import MEDIA_TYPE, RETRY_AFTER_SECONDS, Problem, body_for, challenge, quota_fields

_encode = msgspec.json.Encoder().encode
_REASONS = {each.value: each.phrase.encode() for each in http.HTTPStatus}
#: A body as long as the usual decision's, for measurements.
_CONSTANT = b'{"allowed":true,"padding":"%b"}' % (b"x" * 220)
_DECIDED = b"Content-Type: application/json\r\nCache-Control: no-store\r\nContent-Length: %d\r\n\r\n%b"
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_RETRY_AFTER = b"%d" % RETRY_AFTER_SECONDS
#: Header fields of forward-auth. A gateway that copies a field which is absent may copy nonsense instead,
#: so each of them stands on each answer, even empty.
FORWARDED_FIELDS = (
    b"Retinue-Identity",
    b"Retinue-Error",
    b"WWW-Authenticate",
    b"Retry-After",
    b"X-RateLimit-Limit",
    b"X-RateLimit-Remaining",
    b"X-RateLimit-Reset",
    b"RateLimit",
    b"RateLimit-Policy",
    b"Retinue-Token-Expires",
    b"Retinue-Token-Retires",
    b"Retinue-Token-Rotate-By",
)


class Responses:
    """Puts answers together. :meth:`refresh` must be called about once a second, for the date."""

    __slots__ = ("_allowed", "_date", "_second", "constant", "hello", "start")

    def __init__(self) -> None:
        self._second = 0
        self.refresh()

    def refresh(self) -> None:
        """Rebuild what contains the date (RFC 9110 section 6.6.1), if the second has changed."""
        second = int(time.time())
        if second == self._second:
            return
        self._second = second
        self._date = b"Date: " + date(second) + b"\r\n"
        start = b"HTTP/1.1 200 OK\r\n" + self._date
        #: What a decision begins with; :func:`decided` puts the rest together.
        self.start = start
        self._allowed = (
            start
            + b"Cache-Control: no-store\r\nContent-Length: 0\r\n"
            + b"Retinue-Error:\r\nWWW-Authenticate:\r\nRetry-After:\r\n"
            + b"Retinue-Identity: %b\r\n%b%b\r\n"
        )
        self.constant = self.decision(_CONSTANT)
        self.hello = start + b"Content-Type: text/plain\r\nContent-Length: 6\r\n\r\nhello\n"

    def decision(self, body: bytes) -> bytes:
        """A decision, allowed or denied, as JSON."""
        return self.start + decided(body)

    def forwarded(self, identity: bytes, allowed: Allowed) -> bytes:
        """Forward-auth allowed: empty body, the signed identity, warnings as instants, and what is left."""
        quota = allowed.quota
        left = _UNLIMITED if quota is None else _lines(_quota(quota))
        return self._allowed % (identity, warnings(allowed.caller), left)

    def body(self, status: int, media_type: str, body: bytes, *fields: tuple[bytes, bytes]) -> bytes:
        """Any other answer."""
        lines = [b"%b: %b\r\n" % field for field in fields]
        return b"HTTP/1.1 %d %b\r\n%bContent-Type: %b\r\nContent-Length: %d\r\n%b\r\n%b" % (
            status,
            _REASONS[status],
            self._date,
            media_type.encode(),
            len(body),
            b"".join(lines),
            body,
        )

    def problem(self, problem: Problem, *fields: tuple[bytes, bytes]) -> bytes:
        """An error that is not a denial, with ``Retinue-Error`` and, for 503, ``Retry-After``."""
        told = [(b"Cache-Control", b"no-store"), (b"Retinue-Error", problem.code.encode())]
        if problem.status in (429, 503):
            told.append((b"Retry-After", _RETRY_AFTER))
        return self.body(problem.status, MEDIA_TYPE, _encode(problem), *told, *fields)

    def forwarded_problem(self, problem: Problem, denied: Denied | None = None) -> bytes:
        """Forward-auth refused: the problem as body, and every documented header field."""
        told = dict.fromkeys(FORWARDED_FIELDS, b"")
        told[b"Retinue-Error"] = problem.code.encode()
        if denied is not None:
            told_of = challenge(denied.reason, denied.permission, denied.terms.challenges)
            told[b"WWW-Authenticate"] = told_of.encode()
        if problem.status in (429, 503):
            told[b"Retry-After"] = _RETRY_AFTER
        if denied is not None and denied.quota is not None:
            told |= _quota(denied.quota)
            told[b"Retry-After"] = b"%d" % denied.quota.retry_after
        fields = ((b"Cache-Control", b"no-store"), *told.items())
        media_type, body = body_for(problem, NATIVE_TERMS if denied is None else denied.terms)
        return self.body(problem.status, media_type, body, *fields)


def date(second: int) -> bytes:
    """Return an instant as HTTP tells it (RFC 9110, IMF-fixdate), in English whatever the locale."""
    at = time.gmtime(second)
    day, month = _DAYS[at.tm_wday], _MONTHS[at.tm_mon - 1]
    text = f"{day}, {at.tm_mday:02} {month} {at.tm_year:04} {at.tm_hour:02}:{at.tm_min:02}:{at.tm_sec:02} GMT"
    return text.encode()


def decided(body: bytes) -> bytes:
    """What follows the date in the answer that tells a decision."""
    return _DECIDED % (len(body), body)


def _quota(quota: Quota) -> dict[bytes, bytes]:
    return {name.encode(): value.encode() for name, value in quota_fields(quota).items()}


def _lines(fields: dict[bytes, bytes]) -> bytes:
    return b"".join(b"%b: %b\r\n" % field for field in fields.items())


_UNLIMITED = (
    b"X-RateLimit-Limit:\r\nX-RateLimit-Remaining:\r\nX-RateLimit-Reset:\r\n"
    b"RateLimit:\r\nRateLimit-Policy:\r\n"
)


def warnings(caller: Caller) -> bytes:
    """The header fields for the warnings of a decision; those without a warning stand there empty."""
    if not caller.warnings:
        return b"Retinue-Token-Expires:\r\nRetinue-Token-Retires:\r\nRetinue-Token-Rotate-By:\r\n"
    parts = []
    for name, warning, instant in (
        (b"Retinue-Token-Expires", Warning.EXPIRES_SOON, caller.expires_at_ms),
        (b"Retinue-Token-Retires", Warning.RETIRING, caller.retires_at_ms),
        (b"Retinue-Token-Rotate-By", Warning.ROTATION_DUE, caller.rotate_by_ms),
    ):
        text = rfc3339(instant) if warning in caller.warnings else ""
        parts.append(b"%b: %b\r\n" % (name, text.encode()))
    return b"".join(parts)


@lru_cache(maxsize=4096)
def rfc3339(instant_ms: int) -> str:
    """Return an instant as RFC 3339 in UTC with milliseconds."""
    try:
        moment = datetime.fromtimestamp(instant_ms // 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return "9999-12-31T23:59:59.999Z"
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{instant_ms % 1000:03d}Z"


def with_close(answer: bytes) -> bytes:
    """Return ``answer`` with the word that the connection ends after it."""
    line, _, rest = answer.partition(b"\r\n")
    return line + b"\r\nConnection: close\r\n" + rest


def without_body(answer: bytes) -> bytes:
    """Return ``answer`` as it answers HEAD: the same header, no body."""
    return answer.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
