"""The key that signs the log, in a file beside the pepper; and the newest checkpoint, in a file of the home.

The file outlives a database that was put back: whoever appends compares the rows with it before signing.
"""

from __future__ import annotations

import base64
import os
import secrets
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from retinue import pepper, proof

SEED_BYTES = 32
FILE = "ledger-checkpoint"


class SigningError(Exception):
    """The key cannot be used; the text says why."""


def fresh_seed() -> str:
    """Return the text of a new key file."""
    return secrets.token_hex(SEED_BYTES) + "\n"


class Key:
    """An Ed25519 key: the public half, and signed notes."""

    def __init__(self, seed: bytes) -> None:
        self._private = Ed25519PrivateKey.from_private_bytes(seed)
        self.public = self._private.public_key().public_bytes_raw()

    @classmethod
    def load(cls, path: Path) -> Key:
        """Read the file. Raises ``PepperError`` as for a pepper's file, and :class:`SigningError`."""
        text = pepper.read_private(path).strip()
        try:
            seed = bytes.fromhex(text)
        except ValueError:
            seed = b""
        if len(seed) != SEED_BYTES:
            raise SigningError(f"{path}: {SEED_BYTES} bytes as hex, and nothing else")
        return cls(seed)

    def checkpoint(self, origin: str, size: int, root: bytes) -> str:
        """Return the signed note of a log."""
        text = f"{origin}\n{size}\n{base64.b64encode(root).decode()}\n"
        signature = proof.key_id(origin, self.public) + self._private.sign(text.encode())
        return f"{text}\n\u2014 {origin} {base64.b64encode(signature).decode()}\n"

    def __repr__(self) -> str:
        return f"<Key {self.public.hex()[:8]}>"


class Outside:
    """The newest checkpoint, in a file outside the database. It may be behind, never ahead of a commit."""

    def __init__(self, home: Path) -> None:
        self._path = home / FILE

    def read(self) -> proof.Checkpoint | None:
        """Return what the file says; nothing if it is not there or holds no checkpoint."""
        try:
            return proof.read_checkpoint(self._path.read_text())
        except (FileNotFoundError, proof.NotProven, UnicodeDecodeError):
            return None

    def write(self, note: str) -> None:
        """Put a checkpoint there, whole or not at all; without waiting for the disk."""
        fresh = self._path.with_name(f".{FILE}.{os.getpid()}")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(note)
        fresh.replace(self._path)
