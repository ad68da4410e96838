"""Audit events as sentences."""

from __future__ import annotations

from typing import Any

from retinue.server.console.borrowed import said
from retinue.server.console.telling import Names, as_text, called
from retinue.server.console.viewer import Viewer
from retinue.server.ledger.catalogue import EVENTS

#: Where subjects that have no id of their own in addresses are shown.
_PLACES = {"node": "nodes", "node_credential": "nodes", "policy": "policies", "webhook": "notifications"}


def told(viewer: Viewer, events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return events, as the API gives them, with meaning, tone, pages, and what changed from what to what."""
    names = Names(
        viewer,
        ([each["actor"]["id"], each["subject"]["id"], each["before"], each["after"]] for each in events),
    )
    return [_told(viewer, names, each) for each in events]


def _told(viewer: Viewer, names: Names, event: dict[str, Any]) -> dict[str, Any]:
    type_ = EVENTS.get(event["type"])
    refused = event["type"].endswith(".refused")
    before, after, subject = event["before"], event["after"], event["subject"]
    place = _PLACES.get(subject["kind"])
    changed = []
    for name in sorted(before.keys() | after.keys()):
        was, now = names.told(before.get(name)), names.told(after.get(name))
        if as_text(was) != as_text(now):
            changed.append({"name": called(name), "before": was, "after": now})
    return {
        **event,
        "meaning": said(type_.meaning).rstrip(".") if type_ else event["type"],
        "tone": "bad" if refused else "good" if type_ is None or type_.additive else "warn",
        "changed": changed,
        "subject": {**subject, "url": viewer.url(place) if place else names.url(subject["id"])},
        "actor": {**event["actor"], "url": names.url(event["actor"]["id"])},
    }
