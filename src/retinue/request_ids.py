"""Ids under which a refused request is found in the request log."""

from __future__ import annotations

import itertools
import secrets

from retinue.token import BASE62


class RequestIds:
    """Ids for problems and the request log: ``req_`` and 16 base62 characters. Safe with threads.

    Unique per process: one that was forked has to make its own.
    """

    __slots__ = ("_numbers", "_prefix")

    def __init__(self) -> None:
        self._prefix = "req_" + "".join(secrets.choice(BASE62) for _ in range(10))
        self._numbers = itertools.count(secrets.randbelow(62**5))

    def next(self) -> str:
        """Return a new id; a counter behind a random prefix, since nothing relies on it being secret."""
        rest, text = next(self._numbers), ""
        for _ in range(6):
            rest, digit = divmod(rest, 62)
            text = BASE62[digit] + text
        return self._prefix + text
