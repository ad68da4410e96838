"""How a node is, by its own word: what it may say of itself. Pure functions; no database."""

from __future__ import annotations

import re

import msgspec

from retinue.server.errors import Refused

#: What a database's integer holds. A node is believed no number beyond it.
_BIGGEST = (1 << 63) - 1
#: Longest time of one decision, and longest time over which they are looked at: a day.
_DAY_NS = 86_400 * 1_000_000_000
_DAY_SECONDS = 86_400
MOST_VERSION = 40
_VERSION = re.compile(rf"[0-9A-Za-z][0-9A-Za-z.+!-]{{0,{MOST_VERSION - 1}}}", re.ASCII)


class NodeReport(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a node says of itself now and then: its ``version``, how many ``credentials`` its replica holds,
    and of the last ``window_seconds`` how many ``decisions`` it made, and how long half of them (``p50_ns``)
    and all but one in a hundred (``p99_ns``) took at most, in nanoseconds. Without decisions there is
    neither.
    """

    version: str
    credentials: int
    decisions: int = 0
    window_seconds: int = 0
    p50_ns: int | None = None
    p99_ns: int | None = None


def check_about(about: NodeReport) -> None:
    """Refuse what no node says of itself. Raises :class:`Refused` with the field."""
    if not _VERSION.fullmatch(about.version):
        rule = f"1 to {MOST_VERSION} characters of a version: letters, digits, and . + ! -"
        raise Refused("invalid_value", rule, field="about.version")
    for name, most in (
        ("credentials", _BIGGEST),
        ("decisions", _BIGGEST),
        ("window_seconds", _DAY_SECONDS),
        ("p50_ns", _DAY_NS),
        ("p99_ns", _DAY_NS),
    ):
        if not 0 <= (getattr(about, name) or 0) <= most:
            raise Refused("invalid_value", f"a whole number from 0 to {most}", field=f"about.{name}")
    told = about.p50_ns, about.p99_ns
    if (None in told) != (about.decisions == 0) or (told[0] is None) != (told[1] is None):
        raise Refused("invalid_value", "where there were decisions, and nowhere else", field="about.p50_ns")
    if told[0] is not None and told[1] is not None and told[0] > told[1]:
        raise Refused("invalid_value", "not below `p50_ns`", field="about.p99_ns")
