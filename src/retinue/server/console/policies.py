"""The policy of the organization: what is in force, and where it comes from; a change is tried, then made."""

from __future__ import annotations

from typing import Any

import msgspec
from django.http import HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from django.views.decorators.http import require_POST, require_safe

from retinue.server.console.borrowed import said
from retinue.server.console.viewer import Viewer, page

#: Families of keys, by the first part of their names; what is in none of them is in the last.
FAMILIES: dict[str, tuple[object, frozenset[str]]] = {
    "expiry": (lazy("Expiry, rotation, idle"), frozenset({"expiry", "rotation", "idle"})),
    "accounts": (lazy("Accounts"), frozenset({"accounts", "features", "terminology"})),
    "credentials": (lazy("Credentials"), frozenset({"credentials", "revoke", "presentation", "problem"})),
    "access": (
        lazy("Access"),
        frozenset(
            {"grants", "elevated", "forbidden_for_service", "system_groups", "default_groups", "roles"}
        ),
    ),
    "tokens": (lazy("Personal access and ingest tokens"), frozenset({"pat", "ingest"})),
    "other": (lazy("Logs, reviews, freshness, limits"), frozenset()),
}
_MOST_SHOWN = 50


@require_safe
@page
def shown(viewer: Viewer) -> HttpResponse:
    """Every key: its value in force, what it means, and whether the preset or the organization says so."""
    policy = viewer.get("get_policy")
    keys = viewer.get("list_policy_keys")["items"]
    return viewer.render(
        "policies.html",
        policy=policy,
        families=[
            {"name": name, "label": label, "keys": [_key(each, policy) for each in keys if _of(each) == name]}
            for name, (label, _first) in FAMILIES.items()
        ],
        presets=[each["name"] for each in viewer.get("list_policy_presets")["items"]],
        place="policies",
    )


def _of(key: dict[str, Any]) -> str:
    first = key["name"].partition(".")[0]
    return next((name for name, (_label, parts) in FAMILIES.items() if first in parts), "other")


def _key(key: dict[str, Any], policy: dict[str, Any]) -> dict[str, Any]:
    name, value = key["name"], policy["in_force"][key["name"]]
    return {
        **key,
        "meaning": said(key["meaning"]),
        "value": _written(value),
        "is_switch": isinstance(value, bool),
        "is_own": any(stated == name or stated.startswith(f"{name}.") for stated in policy["overrides"]),
        "environments": [
            {"label": label, "value": _written(stated[name])}
            for label, stated in policy["environments"].items()
            if name in stated
        ],
    }


def _written(value: Any) -> str:
    """Return a value as a person writes it: a text bare, anything else as JSON."""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _read(text: str) -> Any:
    """Read a value as it was written: JSON, or a text as it stands."""
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text


@require_POST
@page
def change(viewer: Viewer) -> HttpResponse:
    """Say what a change would do, to what is in use too; with ``sure`` put it in force."""
    sent = viewer.request.POST
    key, preset = sent.get("key", ""), sent.get("preset", "")
    body: dict[str, Any] = {"version": _number(sent.get("version", ""))}
    if preset:
        body["preset"] = preset
    elif sent.get("unset"):
        body["unset"] = [key]
    else:
        body["set"] = {key: _read(sent.get("value", "").strip())}
    if sent.get("environment"):
        body["environment"] = sent["environment"].strip()
    problem = None
    if sent.get("sure") == "yes":
        reason, accept = sent.get("reason", "").strip(), _number(sent.get("accept", ""))
        outcome = viewer.call("change_policy", body={**body, "reason": reason, "accept": accept})
        if outcome.is_done:
            viewer.say(_("Version %(n)s is in force.") % {"n": outcome.body["version"]}, tone="good")
            return viewer.leave(viewer.url("policies"))
        problem = outcome.body
    tried = viewer.call("check_policy", body=body)
    return viewer.render(
        "policy_change.html",
        200 if tried.is_done and problem is None else 422,
        result=_result(tried.body) if tried.is_done else None,
        problem=problem or (None if tried.is_done else tried.body),
        sent={
            name: sent[name]
            for name in ("key", "value", "unset", "preset", "environment", "version")
            if name in sent
        },
        subject=preset or key,
        missing=viewer.missing("change_policy"),
        place="policies",
    )


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() else 0


def _result(body: dict[str, Any]) -> dict[str, Any]:
    changed = [
        {"key": each["key"], "before": _written(each["before"]), "after": _written(each["after"])}
        for each in body["changed"]
    ]
    return {
        **body,
        "changed": changed,
        "broken": body["broken"][:_MOST_SHOWN],
        "in_use": sum(1 for each in body["broken"] if each["last_used_at"]),
    }
