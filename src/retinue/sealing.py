"""Secrets of other systems that nodes need, encrypted under a key that is derived from the pepper.

They may stand in the database and in the feed: who has these without the pepper learns nothing.
"""

from __future__ import annotations

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from retinue.pepper import Pepper

_NONCE_BYTES = 12


def seal(pepper: Pepper, secret: bytes, context: str) -> bytes:
    """Encrypt a secret (AES-256-GCM); only the same pepper and ``context`` open it."""
    nonce = os.urandom(_NONCE_BYTES)
    return nonce + AESGCM(pepper.sealing_key).encrypt(nonce, secret, context.encode())


def unseal(pepper: Pepper, sealed: bytes, context: str) -> bytes | None:
    """Decrypt what :func:`seal` gave; ``None`` for anything else."""
    try:
        opened: bytes = AESGCM(pepper.sealing_key).decrypt(
            sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], context.encode()
        )
    except (InvalidTag, ValueError):
        return None
    return opened
