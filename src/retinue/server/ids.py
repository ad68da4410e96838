"""Opaque ids: a prefix that tells the noun, and 16 random base62 characters (95 bits). They never change."""

from __future__ import annotations

import secrets

from django.utils.crypto import salted_hmac

from retinue.token import BASE62

ID_LENGTH = 16


def new_id(prefix: str) -> str:
    """Return a new id such as ``sa_8fK2…`` for the prefix ``sa``."""
    return f"{prefix}_" + "".join([secrets.choice(BASE62) for _ in range(ID_LENGTH)])


def numbered_id(prefix: str, number: int) -> str:
    """Return the id of a row that has only a number: it tells neither which number nor how many there are.

    It follows from the number and the installation's secret key.
    """
    rest = int.from_bytes(salted_hmac("retinue.id", f"{prefix}_{number}", algorithm="sha256").digest())
    text = ""
    for _ in range(ID_LENGTH):
        rest, digit = divmod(rest, len(BASE62))
        text += BASE62[digit]
    return f"{prefix}_{text}"
