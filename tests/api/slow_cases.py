"""Slow hashes, as another system would have made them: cheap ones, so that the tests are quick."""

from __future__ import annotations

import secrets
from typing import Any

import argon2
import bcrypt

PREFIX, PUBLIC = "live_", 13
ALGORITHMS = ("argon2", "bcrypt")


def token() -> str:
    """A token of that system: prefix, public id, secret."""
    return f"{PREFIX}{secrets.token_hex(4)}.{secrets.token_urlsafe(24)}"


def hashed(algorithm: str, text: str) -> str:
    """What it kept of it."""
    if algorithm == "bcrypt":
        return bcrypt.hashpw(text.encode()[:72], bcrypt.gensalt(4)).decode()
    return argon2.PasswordHasher(time_cost=1, memory_cost=64, parallelism=1).hash(text)


def body(account: str, algorithm: str, *texts: str, **more: Any) -> dict[str, Any]:
    """The body that imports one key for each token."""
    scheme = {"name": f"old {algorithm}", "algorithm": algorithm, "prefix": PREFIX, "public": PUBLIC}
    keys = [
        {
            "account": account,
            "name": f"old {number}",
            "digest": hashed(algorithm, text),
            "public": text[:PUBLIC],
        }
        for number, text in enumerate(texts)
    ]
    return {"scheme": scheme, "keys": keys, **more}
