"""Slow hashes that another system kept of its tokens (Argon2, bcrypt): what is taken, and whether one fits.

Pure but for the time that it takes; nothing here knows a database.
"""

from __future__ import annotations

import re

import argon2
import bcrypt
from argon2.exceptions import InvalidHashError, VerificationError

ARGON2, BCRYPT = "argon2", "bcrypt"
ALGORITHMS = (ARGON2, BCRYPT)
#: The dearest that is taken: about a second of a core, and memory in KiB.
MOST_MEMORY, MOST_TIME, MOST_LANES, MOST_COST = 262_144, 16, 16, 14
#: bcrypt looks at so many bytes and no more; the systems that used it cut what is longer.
_BCRYPT_BYTES = 72
_BCRYPT = re.compile(r"\$2[aby]\$(?P<cost>[0-9]{2})\$[./A-Za-z0-9]{53}", re.ASCII)

_ARGON2 = re.compile(
    r"\$argon2(?:id|i|d)\$v=(?:16|19)\$m=(?P<memory>[0-9]{1,9}),t=(?P<passes>[0-9]{1,9}),p=(?P<lanes>[0-9]{1,9})"
    r"\$[A-Za-z0-9+/]{11,86}\$[A-Za-z0-9+/]{16,172}",
    re.ASCII,
)


def mistake(algorithm: str, text: str) -> str | None:
    """Return what is wrong with a hash, in words; ``None`` if it can be tried."""
    if algorithm == BCRYPT:
        found = _BCRYPT.fullmatch(text)
        if found is None:
            return "a bcrypt hash such as $2b$12$..."
        return None if 4 <= int(found["cost"]) <= MOST_COST else f"a cost from 4 to {MOST_COST}"
    found = _ARGON2.fullmatch(text)
    if found is None:
        return "an Argon2 hash in its usual form, $argon2id$v=19$..."
    memory, passes, lanes = map(int, found.group("memory", "passes", "lanes"))
    if memory > MOST_MEMORY or passes > MOST_TIME or lanes > MOST_LANES:
        return f"at most m={MOST_MEMORY},t={MOST_TIME},p={MOST_LANES}"
    return None


def is_genuine(algorithm: str, text: str, token: bytes) -> bool:
    """Tell whether a hash was made of ``token``. Takes long on purpose."""
    if algorithm == BCRYPT:
        return bcrypt.checkpw(token[:_BCRYPT_BYTES], text.encode())
    try:
        return argon2.PasswordHasher().verify(text, token)
    except (VerificationError, InvalidHashError):
        return False
