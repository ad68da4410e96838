"""The public keys by which ``Retinue-Identity`` is checked, from a server or from a file."""

from __future__ import annotations

import http.client
import logging
import os
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

from retinue.decision import Reason

KEYS_PATH = "/v1/identity-keys"
#: The list of keys is read again after so long, or for a key that is not in it, but at most once a second.
REFRESH_SECONDS = 60.0
AGAIN_SECONDS = 1.0
#: Without a list for so long nothing is believed any more: a key may have been taken back.
FORGET_SECONDS = 3600.0
TIMEOUT_SECONDS = 2.0
_MOST_BYTES = 1 << 20
_log = logging.getLogger("retinue.guard")


class IdentityError(Exception):
    """A header proves nothing. ``reason`` is what the client is told, the message is for the operator."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


class _Key(msgspec.Struct):
    """An entry of a list of keys; kinds that are not for us have other members."""

    kty: str
    kid: str = ""
    crv: str = ""
    x: str = ""


class _List(msgspec.Struct):
    """A JSON Web Key Set."""

    keys: list[_Key]


class Keys:
    """The public keys of the nodes, by their ids, from a URL or a file with a JSON Web Key Set (RFC 7517)."""

    def __init__(self, source: str | Path) -> None:
        """``source``: ``http://HOST:PORT`` of a node or of the control plane, or the path of a file."""
        self._source = source
        if isinstance(source, str) and "://" in source:
            parts = urlsplit(source)
            if parts.scheme not in ("http", "https") or not parts.hostname:
                raise ValueError(f"{source!r}: an http or https URL, or the path of a file with keys")
        self._lock, self._pid = threading.Lock(), os.getpid()
        self._keys: dict[str, OKPKey] = {}
        self._read_at = self._tried_at = float("-inf")

    def find(self, kid: str) -> OKPKey:
        """Return the key. Raises :class:`IdentityError` if there is none, or no list that is new enough."""
        now = time.monotonic()
        if now - self._read_at > REFRESH_SECONDS or kid not in self._keys:
            self._refresh(now, kid)
        if time.monotonic() - self._read_at > FORGET_SECONDS:
            raise IdentityError(Reason.REPLICA_STALE, f"no list of keys from {self._source}")
        found = self._keys.get(kid)
        if found is None:
            raise IdentityError(Reason.TOKEN_UNKNOWN, "no node has this key")
        return found

    def _refresh(self, now: float, kid: str) -> None:
        """Read the list again. Who has what it needs in the old one does not wait for that."""
        if self._pid != os.getpid():
            # A fork may come while another thread reads; the child has no such thread.
            self._lock, self._pid = threading.Lock(), os.getpid()
        if kid in self._keys:
            is_mine = self._lock.acquire(blocking=False)
        else:
            is_mine = self._lock.acquire(timeout=TIMEOUT_SECONDS)
        if not is_mine:
            return
        try:
            if self._read_at > now or time.monotonic() - self._tried_at < AGAIN_SECONDS:
                return
            self._tried_at = time.monotonic()
            self._keys = _read_keys(self._load())
            self._read_at = time.monotonic()
        except (OSError, http.client.HTTPException, ValueError, JoseError) as error:
            _log.warning("the keys of the nodes cannot be read from %s: %s", self._source, error)
        finally:
            self._lock.release()

    def _load(self) -> bytes:
        if not (isinstance(self._source, str) and "://" in self._source):
            return Path(self._source).read_bytes()
        parts = urlsplit(self._source)
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        assert parts.hostname is not None  # noqa: S101  (looked at in the constructor)
        connection = kind(parts.hostname, parts.port, timeout=TIMEOUT_SECONDS)
        try:
            connection.request("GET", parts.path.rstrip("/") + KEYS_PATH)
            answer = connection.getresponse()
            if answer.status != 200:
                raise ValueError(f"status {answer.status}")
            return answer.read(_MOST_BYTES)
        finally:
            connection.close()


def _read_keys(body: bytes) -> dict[str, OKPKey]:
    """Return the Ed25519 keys of a list by their ids. Other kinds are not for us. Raises ``ValueError``."""
    listed = msgspec.json.decode(body, type=_List)
    return {
        each.kid: OKPKey.import_key({"kty": each.kty, "crv": each.crv, "x": each.x, "kid": each.kid})
        for each in listed.keys
        if each.kty == "OKP" and each.crv == "Ed25519" and each.kid and each.x
    }
