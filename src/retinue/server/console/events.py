"""Audit events as sentences."""

from __future__ import annotations

from typing import Any

from retinue.server.console.borrowed import said
from retinue.server.ledger.catalogue import EVENTS


def told(event: dict[str, Any]) -> dict[str, Any]:
    """Return an event, as the API gives it, with its meaning, tone, and what changed from what to what."""
    type_ = EVENTS.get(event["type"])
    refused = event["type"].endswith(".refused")
    before, after = event["before"], event["after"]
    changed = [
        {"name": name, "before": _plain(before.get(name)), "after": _plain(after.get(name))}
        for name in sorted(before.keys() | after.keys())
        if _plain(before.get(name)) != _plain(after.get(name))
    ]
    return {
        **event,
        "meaning": said(type_.meaning).rstrip(".") if type_ else event["type"],
        "tone": "bad" if refused else "good" if type_ is None or type_.additive else "warn",
        "changed": changed,
    }


def _plain(value: Any) -> str:
    """Return a value as text; nothing, and what holds nothing, is empty."""
    if value is None or value == {}:
        return ""
    if isinstance(value, list):
        return ", ".join(str(each) for each in value)
    return str(value)
