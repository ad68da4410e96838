"""Asks a node over HTTP, where there is none on this host. Connections are kept; what fails is a denial."""

from __future__ import annotations

import http.client
import logging
import os
import threading
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import msgspec

from retinue.decision import (
    NATIVE_TERMS,
    Allowed,
    Caller,
    Denied,
    Quota,
    Reason,
    Terms,
    Warning,
)
from retinue.guard.asked import asked
from retinue.guard.deciding import Log, Refused
from retinue.verifier import Question, UnknownOrganization, UnknownPermission

_log = logging.getLogger("retinue.guard")
_STALE = Refused(Denied(Reason.REPLICA_STALE))
_encode = msgspec.json.Encoder().encode


class _Account(msgspec.Struct):
    id: str
    kind: str
    name: str


class _Terms(msgspec.Struct):
    unauthenticated: int
    forbidden: int
    limited: int
    flat: bool
    challenges: tuple[str, ...]


class _Answer(msgspec.Struct):
    """A decision over HTTP; see the reference of the node."""

    allowed: bool
    reason: str | None = None
    account: _Account | None = None
    organization: str | None = None
    credential_id: str | None = None
    permission: str | None = None
    revision: int | None = None
    expires_at: Any = None
    retires_at: Any = None
    rotate_by: Any = None
    warnings: tuple[str, ...] = ()
    quota: Quota | None = None
    terms: _Terms | None = None
    request_id: str | None = None


class _Problem(msgspec.Struct):
    code: str = ""
    detail: str | None = None


_decision = msgspec.json.Decoder(_Answer).decode
_problem = msgspec.json.Decoder(_Problem).decode


class _Held(NamedTuple):
    """A connection, and the process that made it."""

    pid: int
    connection: http.client.HTTPConnection


class Remote:
    """Decisions of a node at ``url``. Safe with threads and forks: each has a connection of its own."""

    def __init__(self, url: str, *, caller_token_file: Path | None = None, timeout: float = 2.0) -> None:
        """``caller_token_file`` holds the token with ``decision:ask`` that a node off this host wants."""
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"{url!r}: an http or https URL of a node")
        self._parts = parts
        self._timeout = timeout
        self._caller_token_file = caller_token_file
        self._threads = threading.local()

    def decide(self, question: Question) -> Allowed | Refused:
        """Ask the node. Without an answer nothing is known, so nothing is allowed (``replica_stale``).

        Raises :class:`UnknownPermission` or :class:`UnknownOrganization` if the question names what does not
        exist.
        """
        try:
            status, body = self._post(_encode(asked(question)))
            if status == 200:
                return _decided(_decision(body))
            found = _problem(body)
        except (OSError, http.client.HTTPException, msgspec.DecodeError, UnicodeEncodeError) as error:
            _log.warning("the node gave no decision: %s", error)
            return _STALE
        if found.code == "permission_unknown":
            raise UnknownPermission(", ".join(question.need))
        if found.code == "organization_unknown":
            raise UnknownOrganization(question.organization or "")
        _log.warning("the node gave no decision: %d %s %s", status, found.code, found.detail or "")
        return _STALE

    def hold(self, question: Question) -> tuple[Allowed | Refused, Log]:
        """Decide. The node has logged it then, and does not learn what the host answers."""
        return self.decide(question), _log_nothing

    def schemes(self, organization: str | None) -> tuple[str, ...]:
        """Return the schemes of the ``Authorization`` field: a node does not tell of others."""
        return ("bearer", "basic_pair", "basic_token", "apikey")

    def close(self) -> None:
        """Close the connection of this thread."""
        held: _Held | None = getattr(self._threads, "held", None)
        if held is not None:
            held.connection.close()
            self._threads.held = None

    def _post(self, body: bytes) -> tuple[int, bytes]:
        """Send a question; a connection that the node has closed meanwhile is opened anew, once."""
        fields = {"Content-Type": "application/json", "Host": self._parts.netloc}
        if self._caller_token_file is not None:
            # Read each time: a token that is rotated in its file is used from then on.
            fields["Retinue-Caller"] = self._caller_token_file.read_text().strip()
        path = self._parts.path.rstrip("/") + "/v1/verify"
        for is_last in (False, True):
            connection = self._connection()
            try:
                connection.request("POST", path, body, fields)
                answer = connection.getresponse()
                return answer.status, answer.read()
            except BaseException as error:
                # However it ended: an answer that comes late must not be taken for that of another question.
                connection.close()
                if is_last or not isinstance(error, ConnectionError):
                    raise
        raise AssertionError("unreachable")

    def _connection(self) -> http.client.HTTPConnection:
        held: _Held | None = getattr(self._threads, "held", None)
        if held is not None and held.pid == os.getpid():
            return held.connection
        if held is not None:
            # A process that was forked: its parent goes on with this socket, and reads its own answers there.
            held.connection.close()
        secure = self._parts.scheme == "https"
        kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        assert self._parts.hostname is not None  # noqa: S101  (looked at in the constructor)
        made = kind(self._parts.hostname, self._parts.port, timeout=self._timeout)
        self._threads.held = _Held(os.getpid(), made)
        return made


def _log_nothing(status: int | None, instead: Refused | None = None) -> None:
    """The node has logged it."""


def _decided(answer: _Answer) -> Allowed | Refused:
    caller = None
    if answer.account is not None:
        caller = Caller(
            answer.account.kind,
            answer.account.id,
            answer.account.name,
            answer.organization or "",
            answer.credential_id or "",
            answer.revision or 0,
            _milliseconds(answer.expires_at),
            _milliseconds(answer.retires_at),
            _milliseconds(answer.rotate_by),
            tuple(Warning(each) for each in answer.warnings),
        )
    if answer.allowed and caller is not None:
        return Allowed(caller, answer.permission, quota=answer.quota)
    told = answer.terms
    terms = NATIVE_TERMS
    if told is not None:
        terms = Terms(told.unauthenticated, told.forbidden, told.limited, told.flat, told.challenges)
    reason = Reason(answer.reason or Reason.REPLICA_STALE)
    return Refused(Denied(reason, caller, answer.permission, terms, answer.quota), answer.request_id)


def _milliseconds(text: Any) -> int:
    from datetime import datetime

    return 0 if text is None else round(datetime.fromisoformat(str(text)).timestamp() * 1000)
