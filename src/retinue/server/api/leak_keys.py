"""Whose signatures under leak reports count: a list of public keys that the operator has pinned in a file.

The file has the form in which GitHub publishes its keys: ``{"public_keys": [{"key_identifier", "key"}]}``.
It is read again when it changes.
"""

from __future__ import annotations

import base64
import binascii
import logging
from functools import lru_cache
from pathlib import Path

import msgspec
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from django.conf import settings

_log = logging.getLogger("retinue.api")


class _Key(msgspec.Struct):
    key_identifier: str
    key: str


class _Keys(msgspec.Struct):
    public_keys: list[_Key]


def are_set() -> bool:
    """Tell whether the operator has said whose reports are believed."""
    return settings.INSTALLATION.leak_keys_file is not None


def is_signed(body: bytes, named: str, signature: str) -> bool:
    """Tell whether the key of this name has signed the body: ECDSA on P-256, SHA-256, DER in base64."""
    key = _keys().get(named)
    if key is None:
        return False
    try:
        key.verify(base64.b64decode(signature, validate=True), body, ec.ECDSA(SHA256()))
    except (InvalidSignature, binascii.Error, ValueError):
        return False
    return True


def _keys() -> dict[str, ec.EllipticCurvePublicKey]:
    path: Path | None = settings.INSTALLATION.leak_keys_file
    if path is None:
        return {}
    try:
        stat = path.stat()
        return _read(path, stat.st_mtime_ns, stat.st_size)
    except OSError as error:
        _log.error("%s: %s; no leak report is believed", path, error.strerror)
        return {}


@lru_cache(maxsize=1)
def _read(path: Path, changed: int, size: int) -> dict[str, ec.EllipticCurvePublicKey]:
    try:
        return read(path.read_bytes())
    except ValueError as error:
        _log.error("%s: %s; no leak report is believed", path, error)
        return {}


def read(sent: bytes) -> dict[str, ec.EllipticCurvePublicKey]:
    """Return the keys of a list by name. Raises ``ValueError``."""
    try:
        listed = msgspec.json.decode(sent, type=_Keys)
        keys = {each.key_identifier: load_pem_public_key(each.key.encode()) for each in listed.public_keys}
    except (msgspec.DecodeError, UnsupportedAlgorithm, ValueError):
        raise ValueError('no list of keys: {"public_keys": [{"key_identifier", "key"}]}') from None
    found = {
        name: key
        for name, key in keys.items()
        if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1)
    }
    if len(found) < len(keys):
        raise ValueError("a key is not on the curve P-256")
    return found
