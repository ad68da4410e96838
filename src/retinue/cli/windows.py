"""When a credential may be used, as flags say it: ``mon-fri 08:00-18:00 Europe/Berlin``."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from retinue.cli.exits import CommandError, Exit
from retinue.client.credentials import TimeWindow

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_HOURS = re.compile(r"(\d{2}:\d{2})-(\d{2}:\d{2})")
HINT = "DAYS, HOURS and a zone, of which each may be left out: mon-fri 08:00-18:00 Europe/Berlin"


def read(texts: Iterable[str]) -> list[dict[str, Any]]:
    """Return the windows as the API takes them. Raises (exit 2) for what is none."""
    return [_window(text) for text in texts]


def _window(text: str) -> dict[str, Any]:
    words = text.split()
    made: dict[str, Any] = {}
    if words and (days := _days(words[0])) is not None:
        made["days"] = days
        words = words[1:]
    if words and (hours := _HOURS.fullmatch(words[0])):
        made |= {"start": hours[1], "end": hours[2]}
        words = words[1:]
    if words and re.match(r"[A-Za-z]", words[0]):
        made["zone"] = words.pop(0)
    if words or not made.keys() & {"days", "start"}:
        raise CommandError(f"--time {text}: not a time", HINT, Exit.USAGE)
    return made


def _days(word: str) -> list[str] | None:
    """Read ``mon,wed`` and ``fri-mon``; ``None`` for what names no days."""
    found: list[str] = []
    for part in word.lower().split(","):
        first, dash, last = part.partition("-")
        last = last if dash else first
        if first not in DAYS or last not in DAYS:
            return None
        begin, count = DAYS.index(first), (DAYS.index(last) - DAYS.index(first)) % 7 + 1
        found += [DAYS[(begin + step) % 7] for step in range(count)]
    return [day for day in DAYS if day in found]


def in_words(times: Iterable[TimeWindow]) -> str:
    """Say windows as :func:`read` takes them."""
    return ", ".join(
        " ".join(part for part in (",".join(each.days), f"{each.start}-{each.end}", each.zone) if part)
        for each in times
    )
