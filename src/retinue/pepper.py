"""The keyed digest of a token.

``digest = HMAC-SHA-256(key, token)`` with a key derived from the pepper by HKDF-SHA-256 (RFC 5869). The
pepper lives in a file beside the database, never in it: who can write the database still cannot plant a
credential that verifies. Tokens have 256 random bits, so a slow hash would buy nothing.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
import stat
from pathlib import Path

PEPPER_BYTES = 32
_BLOCK = 64


class PepperError(Exception):
    """The pepper file is missing, unreadable, open to others, or does not hold a pepper."""


def hkdf(secret: bytes, label: str) -> bytes:
    """Derive 32 bytes for the purpose ``label`` (RFC 5869 with SHA-256, empty salt, one block)."""
    extracted = hmac.digest(bytes(32), secret, "sha256")
    return hmac.digest(extracted, label.encode() + b"\x01", "sha256")


def lookup_key(digest: bytes) -> str:
    """Return the key of the lookup record for a keyed digest: 128 of its bits in hexadecimal."""
    return digest[:16].hex()


class Pepper:
    """One pepper, ready to digest tokens.

    HMAC hashes a block that depends on the key alone before the message, twice. Both states are computed
    once and copied for each token, which makes a digest about four times cheaper.
    """

    __slots__ = ("_inner", "_outer", "id", "sealing_key")

    def __init__(self, secret: bytes) -> None:
        if len(secret) != PEPPER_BYTES:
            raise PepperError(f"pepper: {PEPPER_BYTES} bytes, not {len(secret)}")
        self.id = hkdf(secret, "retinue pepper id").hex()[:16]
        self.sealing_key = hkdf(secret, "retinue sealing")
        key = hkdf(secret, "retinue token digest")
        block = key.ljust(_BLOCK, b"\0")
        self._inner = hashlib.sha256(bytes(b ^ 0x36 for b in block)).copy
        self._outer = hashlib.sha256(bytes(b ^ 0x5C for b in block)).copy
        self._self_test(key)

    def digest(self, token: bytes) -> bytes:
        """Return the 32-byte keyed digest of a whole token."""
        inner = self._inner()
        inner.update(token)
        outer = self._outer()
        outer.update(inner.digest())
        return outer.digest()

    def wrap(self, scheme: str, digest: bytes) -> bytes:
        """Return the keyed digest of a digest that was not made here, under the name of how it was made.

        No token begins with NUL, so what a row keeps of one is never equal to the digest of a token.
        """
        return self.digest(b"\0" + scheme.encode() + b"\0" + digest)

    def _self_test(self, key: bytes) -> None:
        for vector in (b"", b"rtnsa_0EXAMPLE0KID_", b"x" * 200):
            if self.digest(vector) != hmac.digest(key, vector, "sha256"):
                raise PepperError("the precomputed HMAC differs from the standard one; refusing to serve")

    def __repr__(self) -> str:
        return f"<Pepper {self.id}>"


class Peppers:
    """The peppers that this process holds; the first is the active one, new digests use it."""

    __slots__ = ("_by_id", "active")

    def __init__(self, peppers: list[Pepper]) -> None:
        if not peppers:
            raise PepperError("pepper: the file holds none")
        self.active = peppers[0]
        self._by_id = {pepper.id: pepper for pepper in peppers}

    @property
    def ids(self) -> tuple[str, ...]:
        """Ids of the held peppers, the active one first."""
        return tuple(self._by_id)

    @property
    def all(self) -> tuple[Pepper, ...]:
        """The held peppers, the active one first."""
        return tuple(self._by_id.values())

    def get(self, pepper_id: str) -> Pepper | None:
        """Return the pepper with this id, or ``None`` if this process does not hold it."""
        return self._by_id.get(pepper_id)


def load(path: Path) -> Peppers:
    """Read the pepper file: one pepper a line in hexadecimal, the active one first.

    Raises :class:`PepperError` if it is missing, readable by group or others, or malformed.
    """
    lines = read_private(path).split()
    if not lines or any(not re.fullmatch(f"[0-9a-fA-F]{{{2 * PEPPER_BYTES}}}", line) for line in lines):
        raise PepperError(f"{path}: one pepper a line, each {2 * PEPPER_BYTES} hexadecimal characters")
    return Peppers([Pepper(bytes.fromhex(line)) for line in lines])


def create(path: Path) -> None:
    """Write a new pepper file with mode 0600; never overwrites one."""
    write_private(path, secrets.token_hex(PEPPER_BYTES) + "\n")


def read_private(path: Path) -> str:
    """Return the text of a secret file, refusing one that group or others can read."""
    try:
        with path.open() as file:
            mode = os.fstat(file.fileno()).st_mode
            if stat.S_IMODE(mode) & 0o077:
                raise PepperError(f"{path}: mode {stat.S_IMODE(mode):04o} lets others read it; chmod 600 it")
            return file.read()
    except OSError as error:
        raise PepperError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise PepperError(f"{path}: not a text file") from None


def write_private(path: Path, text: str) -> None:
    """Create ``path`` with mode 0600 and write ``text`` durably; raises ``FileExistsError`` if it exists."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def settle(folder: Path) -> None:
    """Bring the names in a folder to the disk: what was renamed there stays so after a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
