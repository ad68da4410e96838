"""Tokens that are made here and never sent: the server gets their digest alone."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

from retinue.cli.exits import CommandError, Exit
from retinue.token import DEFAULT_BRAND, Kind, Token, is_brand, mint, parse

_MOST_BYTES = 4096


def make(prefix: str | None, kid: str | None = None) -> Token:
    """Make the token of a key here; ``kid`` keeps the key id of one that gets another secret."""
    brand = prefix or DEFAULT_BRAND
    if not is_brand(brand):
        raise CommandError(f"--prefix {brand}: not a prefix", "2 to 10 of a-z and 0-9", Exit.USAGE)
    return mint(Kind.API_KEY, brand, kid)


def digest_of(token: Token) -> dict[str, str]:
    """Return what the server is sent of a token."""
    value = hashlib.sha256(token.as_bytes()).hexdigest()
    return {"algorithm": "sha256", "value": value, "key_id": token.kid, "prefix": token.brand}


def read(place: str, prefix: str | None) -> dict[str, str]:
    """Read a key id and a digest, or the token itself, from a file or standard input (``-``).

    A token is digested here and goes nowhere.
    """
    try:
        if place == "-":
            text = sys.stdin.read(_MOST_BYTES)
        else:
            with Path(place).open() as file:
                text = file.read(_MOST_BYTES)
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"--digest {place}: {error}", "name another file", Exit.USAGE) from None
    words = text.split()
    if len(words) == 1:
        token = parse(words[0], (prefix or DEFAULT_BRAND,))
        if token is not None and token.kind is Kind.API_KEY:
            return digest_of(token)
    if len(words) != 2:
        raise CommandError(
            f"--digest {place}: neither a key id with a digest nor a token",
            "one line: KEY_ID SHA256 (of the whole token, hexadecimal)",
            Exit.USAGE,
        )
    return {"algorithm": "sha256", "value": words[1], "key_id": words[0], "prefix": prefix or DEFAULT_BRAND}
