"""The policy of the organization: what is in force, and where it comes from; a change is tried, then made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.http import Http404, HttpResponse, QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from django.views.decorators.http import require_POST, require_safe

from retinue.server.console import policy_fields
from retinue.server.console.borrowed import said
from retinue.server.console.viewer import Viewer, page
from retinue.server.directory.queries import principals
from retinue.server.policies.keys import KEYS
from retinue.server.policies.rules import in_force, preset

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
#: So many versions are looked through for who changed a key last.
_VERSIONS = 100


@dataclass(frozen=True, slots=True)
class Change:
    """When a key was changed last, and by whom."""

    at: str
    by: str
    version: int


@require_safe
@page
def shown(viewer: Viewer) -> HttpResponse:
    """Every key: its value in words, what it means, what the preset says, who changed it last and when."""
    policy, sought = viewer.get("get_policy"), viewer.request.GET.get("q", "").strip()
    changes = _changes(viewer)
    found = [
        each
        for each in (
            _key(key, policy, changes.get(key["name"])) for key in viewer.get("list_policy_keys")["items"]
        )
        if _fits(each, sought)
    ]
    return viewer.render(
        "policies.html",
        policy=policy,
        consequences=[said(each) for each in policy["consequences"]],
        families=[
            {"name": name, "label": label, "keys": [each for each in found if _of(each) == name]}
            for name, (label, _first) in FAMILIES.items()
        ],
        found=len(found),
        sought=sought,
        presets=[(each["name"], titled(each["name"])) for each in viewer.get("list_policy_presets")["items"]],
        preset_title=titled(policy["preset"]),
        place="policies",
    )


def titled(name: str) -> str:
    """Return a preset's name as people write it."""
    return name.capitalize()


def _of(key: Mapping[str, Any]) -> str:
    first = key["name"].partition(".")[0]
    return next((name for name, (_label, parts) in FAMILIES.items() if first in parts), "other")


def _fits(key: Mapping[str, Any], sought: str) -> bool:
    text = f"{key['name']} {key['meaning']} {key['value']}".casefold()
    return all(word in text for word in sought.casefold().split())


def _changes(viewer: Viewer) -> dict[str, Change]:
    """Return the last change of each key of the organization itself, as far back as it is looked."""
    versions = viewer.get("list_policy_versions", query={"limit": str(_VERSIONS)})["items"]
    people = principals({each["created_by"] for each in versions if each["created_by"]})
    found: dict[str, Change] = {}
    for each in versions:
        who = people.get(each["created_by"] or "")
        made = Change(each["created_at"], who.name if who else each["created_by"] or "", each["version"])
        for name in each["changed"]:
            found.setdefault(name, made)
    return found


def _key(key: dict[str, Any], policy: dict[str, Any], change: Change | None) -> dict[str, Any]:
    name = key["name"]
    is_own = any(stated == name or stated.startswith(f"{name}.") for stated in policy["overrides"])
    return {
        **key,
        "meaning": said(key["meaning"]),
        "value": _in_words(name, policy["in_force"][name]),
        "is_own": is_own,
        "preset": _in_words(name, in_force(preset(policy["preset"])[0])[name]) if is_own else "",
        "change": change if is_own else None,
        "environments": [
            {"label": label, "value": _in_words(name, stated[name])}
            for label, stated in policy["environments"].items()
            if name in stated
        ],
    }


def _in_words(name: str, value: Any) -> str:
    """Return the value of a key in words; of an object that which is stated."""
    return policy_fields.in_words(KEYS[name].type, value, name)


@require_safe
@page
def one(viewer: Viewer, key: str) -> HttpResponse:
    """The form of one key: fields by the kind of its value, as it is in force."""
    if key not in KEYS:
        raise Http404
    policy = viewer.get("get_policy")
    told = next(each for each in viewer.get("list_policy_keys")["items"] if each["name"] == key)
    return viewer.render(
        "policy_key.html",
        policy=policy,
        key=_key(told, policy, None),
        field=policy_fields.fields(KEYS[key].type, policy["in_force"][key], "value", key),
        preset_title=titled(policy["preset"]),
        missing=viewer.missing("change_policy"),
        place="policies",
    )


@require_POST
@page
def change(viewer: Viewer) -> HttpResponse:
    """Say what a change would do, to what is in use too; with ``sure`` put it in force."""
    sent = viewer.request.POST
    body, problem = _body(sent), None
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
        sent=_again(sent),
        subject=sent.get("key", ""),
        preset=titled(sent.get("preset", "")),
        environment=str(sent.get("environment", "")).strip(),
        missing=viewer.missing("change_policy"),
        place="policies",
    )


def _body(sent: QueryDict) -> dict[str, Any]:
    key = sent.get("key", "")
    body: dict[str, Any] = {"version": _number(sent.get("version", ""))}
    if sent.get("preset"):
        body["preset"] = sent["preset"]
    elif sent.get("unset"):
        body["unset"] = [key]
    else:
        values = dict(sent.lists())
        body["set"] = {key: policy_fields.read(KEYS[key].type, values, "value") if key in KEYS else ""}
    if sent.get("environment"):
        body["environment"] = sent.get("environment", "").strip()
    return body


def _again(sent: QueryDict) -> list[tuple[str, str]]:
    """Return what is sent once more with the consent: the change as it was tried."""
    kept = ("key", "unset", "preset", "environment", "version", "value")
    return [
        (name, each)
        for name, values in sent.lists()
        for each in values
        if name in kept or name.startswith("value.")
    ]


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() else 0


def _result(body: dict[str, Any]) -> dict[str, Any]:
    return {
        **body,
        "changed": [_changed(each) for each in body["changed"]],
        "consequences": [said(each) for each in body["consequences"]],
        "broken": body["broken"][:_MOST_SHOWN],
        "in_use": sum(1 for each in body["broken"] if each["last_used_at"]),
    }


def _changed(each: dict[str, Any]) -> dict[str, str]:
    """Return a difference in words; ``environment`` is where alone it is one."""
    name, label = each["key"], ""
    if name not in KEYS:
        label, _dot, name = name.removeprefix("environments.").partition(".")
    before, after = _in_words(name, each["before"]), _in_words(name, each["after"])
    return {"key": name, "environment": label, "before": before, "after": after}
