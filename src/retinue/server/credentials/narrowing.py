"""What a credential may be narrowed to: networks, endpoints, methods, times. Pure functions; no database.

Restrictions are kept and answered as ``{"networks": ["10.0.0.0/8"], "endpoints": ["/reports/*"],
"methods": ["GET"], "times": [{"days": ["mon"], "start": "08:00", "end": "18:00", "zone": "UTC"}]}``.
What is left out narrows nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any
from zoneinfo import ZoneInfo

from retinue.replica import records
from retinue.restrictions import plain_path
from retinue.server.directory.rules import check_line
from retinue.server.errors import Refused
from retinue.server.policies.policy import Policy

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
PARTS = ("networks", "endpoints", "methods", "times")
#: As ``credentials.restrictions`` of the policy calls them.
_POLICY_NAMES = {"networks": "cidr", "endpoints": "endpoint", "methods": "method", "times": "time"}
MOST_ENTRIES = 100
ENDPOINT_MAX = 512
READS = ("GET", "HEAD", "OPTIONS")

_METHOD = re.compile(r"[A-Z]{1,16}", re.ASCII)
_CLOCK = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])|24:00", re.ASCII)
_DAY_MINUTES = 24 * 60
JSON = dict[str, Any]


def check(given: Mapping[str, Any], policy: Policy, *, kept: Mapping[str, Any] | None = None) -> JSON:
    """Return restrictions in their one form. Refuses what is none, naming field and rule.

    A kind of restriction that the policy does not offer is refused, unless it stands in ``kept`` already.
    """
    made: dict[str, list[Any]] = {
        "networks": _networks(given.get("networks") or ()),
        "endpoints": endpoints(given.get("endpoints") or ()),
        "methods": _methods(given.get("methods") or ()),
        "times": _times(given.get("times") or ()),
    }
    for part, entries in made.items():
        if len(entries) > MOST_ENTRIES:
            raise Refused("invalid_value", f"at most {MOST_ENTRIES}", field=f"restrictions.{part}")
        is_new = entries and entries != (kept or {}).get(part)
        if is_new and _POLICY_NAMES[part] not in policy.credentials_restrictions:
            offered = ", ".join(policy.credentials_restrictions) or "none"
            raise Refused(
                "invalid_value",
                f"the organization's policy does not narrow credentials so; it offers: {offered}",
                field=f"restrictions.{part}",
            )
    return {part: entries for part, entries in made.items() if entries}


def _networks(given: Sequence[str]) -> list[str]:
    found = []
    for place, text in enumerate(given):
        try:
            found.append(str(ip_network(text)))
        except ValueError:
            raise Refused(
                "invalid_value",
                f"{text[:64]!r}: a network in CIDR form, such as 10.0.0.0/8 (no bits set after the prefix)",
                field=f"restrictions.networks.{place}",
            ) from None
    return list(dict.fromkeys(found))


def endpoints(given: Sequence[str]) -> list[str]:
    """Return path patterns, each once. Refuses what is none."""
    for place, text in enumerate(given):
        field = f"restrictions.endpoints.{place}"
        check_line(text, field)
        if "*" in text[:-1] or (text.endswith("*") and not text.endswith("/*")):
            raise Refused("invalid_value", "* stands at the end, after a slash: /reports/*", field=field)
        # A node takes no path that two programs could read differently, so nothing would ever match.
        if len(text) > ENDPOINT_MAX or plain_path(text.removesuffix("*")) is None:
            raise Refused(
                "invalid_value", "a plain path such as /reports or /reports/*, without . and ..", field=field
            )
    return list(dict.fromkeys(given))


def _methods(given: Sequence[str]) -> list[str]:
    made = [text.upper() for text in given]
    for place, text in enumerate(made):
        if not _METHOD.fullmatch(text):
            raise Refused(
                "invalid_value", "an HTTP method, such as GET", field=f"restrictions.methods.{place}"
            )
    return sorted(set(made))


def _times(given: Sequence[Mapping[str, Any]]) -> list[JSON]:
    found = []
    for place, window in enumerate(given):
        field = f"restrictions.times.{place}"
        days = window.get("days") or list(DAYS)
        unknown = [day for day in days if day not in DAYS]
        if unknown:
            raise Refused("invalid_value", f"one of {', '.join(DAYS)}", field=f"{field}.days")
        start, end = window.get("start") or "00:00", window.get("end") or "24:00"
        for name, text in (("start", start), ("end", end)):
            if not _CLOCK.fullmatch(text) or (name == "start" and text == "24:00"):
                raise Refused("invalid_value", "hours and minutes, such as 08:00", field=f"{field}.{name}")
        if start == end:
            raise Refused("invalid_value", "differs from start", field=f"{field}.end")
        zone = window.get("zone") or "UTC"
        _check_zone(zone, f"{field}.zone")
        found.append({"days": [day for day in DAYS if day in days], "start": start, "end": end, "zone": zone})
    return found


def _check_zone(zone: str, field: str) -> None:
    try:
        if len(zone) > 64:
            raise ValueError
        ZoneInfo(zone)
    except (ValueError, OSError, LookupError):
        raise Refused("invalid_value", "a time zone, such as Europe/Berlin", field=field) from None


def minutes(clock: str) -> int:
    """Return ``08:30`` as minutes since midnight."""
    hours, _, rest = clock.partition(":")
    return int(hours) * 60 + int(rest)


def record(restrictions: Mapping[str, Any]) -> records.Restrictions | None:
    """Return restrictions as nodes know them; ``None`` if nothing is narrowed."""
    if not restrictions:
        return None
    return records.Restrictions(
        networks=tuple(restrictions.get("networks", ())),
        endpoints=tuple(restrictions.get("endpoints", ())),
        methods=tuple(restrictions.get("methods", ())),
        times=tuple(_window(each) for each in restrictions.get("times", ())),
    )


def _window(window: Mapping[str, Any]) -> records.TimeWindow:
    days = sum(1 << DAYS.index(day) for day in window["days"])
    return records.TimeWindow(days, minutes(window["start"]), minutes(window["end"]), window["zone"])


def is_within(new: Mapping[str, Any], old: Mapping[str, Any]) -> bool:
    """Tell whether ``new`` admits nothing that ``old`` does not. When in doubt it does not."""
    inside: dict[str, Callable[[Any, Any], bool]] = {
        "networks": _in_network,
        "endpoints": _in_endpoint,
        "times": _in_time,
    }
    for part in PARTS:
        before, after = old.get(part, []), new.get(part, [])
        if not before:
            continue
        if not after:
            return False
        contains = inside.get(part)
        for each in after:
            if not any(each == one if contains is None else contains(each, one) for one in before):
                return False
    return True


def _in_network(inner: str, outer: str) -> bool:
    one, other = ip_network(inner), ip_network(outer)
    if isinstance(one, IPv4Network) and isinstance(other, IPv4Network):
        return one.subnet_of(other)
    return isinstance(one, IPv6Network) and isinstance(other, IPv6Network) and one.subnet_of(other)


def _in_endpoint(inner: str, outer: str) -> bool:
    return inner == outer or (outer.endswith("/*") and inner.startswith(outer[:-1]))


def _in_time(inner: Mapping[str, Any], outer: Mapping[str, Any]) -> bool:
    if inner["zone"] != outer["zone"] or not set(inner["days"]) <= set(outer["days"]):
        return False
    starts, ends = (minutes(outer[name]) for name in ("start", "end"))
    begins, stops = (minutes(inner[name]) for name in ("start", "end"))
    if ends < starts or stops < begins:  # over midnight
        return dict(inner) == dict(outer)
    return starts <= begins and stops <= ends
