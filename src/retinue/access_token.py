"""Access tokens: short-lived stand-ins for a key, got by OAuth client credentials (RFC 6749, 4.4).

Nothing is kept of one. It names the key id of its credential, says when it ends, and carries a keyed digest
over both and over the digest that the credential is known by. So whatever ends the credential ends it too,
and so does a new secret of the credential. Its looks are those of a native token of the kind ``acc``.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from hmac import compare_digest

from retinue.pepper import Pepper, Peppers
from retinue.replica.records import Digest
from retinue.token import BASE62, CHECKSUM_LENGTH, SECRET_LENGTH, Kind, Token, checksum

#: Bytes of the end in seconds since 1970, of randomness, and of the digest: 256 bits in all.
_END, _NONCE, _PROOF = 5, 7, 20
_BYTES = _END + _NONCE + _PROOF
_SCHEME = "access"
_VALUES = {ord(character): value for value, character in enumerate(BASE62)}


def make(digest: Digest, pepper: Pepper, brand: str, kid: str, ends: int) -> Token:
    """Make a token for the credential ``kid`` that is known by ``digest``; ``ends`` is Unix time."""
    head = f"{brand}{Kind.ACCESS.value}_{kid}_"
    said = ends.to_bytes(_END) + os.urandom(_NONCE)
    body = head + _text(said + _proof(pepper, head.encode(), said, digest))
    return Token(brand, Kind.ACCESS, kid, body + checksum(body.encode()))


def end_ms(whole: bytes, digests: Iterable[Digest], peppers: Peppers, now_ms: int) -> int:
    """Return when a token ends, in milliseconds; 0 if it was not made for a credential with these digests."""
    head = whole[: -SECRET_LENGTH - CHECKSUM_LENGTH]
    carried = _bytes(whole[-SECRET_LENGTH - CHECKSUM_LENGTH : -CHECKSUM_LENGTH])
    if carried is None:
        return 0
    said, proof = carried[: _END + _NONCE], carried[_END + _NONCE :]
    genuine = False
    for digest in digests:
        pepper = peppers.get(digest.pepper_id)
        if pepper is None or 0 < digest.valid_until_ms <= now_ms:
            continue
        genuine |= compare_digest(_proof(pepper, head, said, digest), proof)
    return int.from_bytes(said[:_END]) * 1_000 if genuine else 0


def _proof(pepper: Pepper, head: bytes, said: bytes, digest: Digest) -> bytes:
    return pepper.wrap(_SCHEME, head + said + digest.value)[:_PROOF]


def _text(data: bytes) -> str:
    """Write 32 bytes as 43 base62 characters."""
    number, characters = int.from_bytes(data), []
    for _ in range(SECRET_LENGTH):
        number, value = divmod(number, len(BASE62))
        characters.append(BASE62[value])
    return "".join(reversed(characters))


def _bytes(text: bytes) -> bytes | None:
    number = 0
    for character in text:
        number = number * len(BASE62) + _VALUES[character]
    return number.to_bytes(_BYTES) if number < 1 << (8 * _BYTES) else None
