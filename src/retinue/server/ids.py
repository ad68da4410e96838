"""Opaque ids: a prefix that tells the noun, and 16 random base62 characters (95 bits). They never change."""

from __future__ import annotations

import secrets

from django.utils.crypto import salted_hmac

from retinue.token import BASE62

ID_LENGTH = 16
#: So many more than the id holds that each of its digits is as likely as any other, but for 1 in 2^32.
RANDOM_BITS = 128
#: Each answer has an id: two digits at a time, the lower one first.
_PAIRS = tuple(low + high for high in BASE62 for low in BASE62)


def new_id(prefix: str) -> str:
    """Return a new id such as ``sa_8fK2…`` for the prefix ``sa``."""
    return f"{prefix}_{_digits(secrets.randbits(RANDOM_BITS))}"


def numbered_id(prefix: str, number: int) -> str:
    """Return the id of a row that has only a number: it tells neither which number nor how many there are.

    It follows from the number and the installation's secret key.
    """
    rest = int.from_bytes(salted_hmac("retinue.id", f"{prefix}_{number}", algorithm="sha256").digest())
    return f"{prefix}_{_digits(rest)}"


def _digits(number: int) -> str:
    text = ""
    for _ in range(ID_LENGTH // 2):
        number, pair = divmod(number, len(_PAIRS))
        text += _PAIRS[pair]
    return text
