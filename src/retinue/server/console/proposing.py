"""What is proposed for a finding: one act, and the page on which it is done."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy

from retinue.server.console.borrowed import said
from retinue.server.console.viewer import Viewer

_MISSING = {
    "purpose": lazy("no purpose"),
    "systems": lazy("no systems"),
    "documentation": lazy("no documentation"),
    "description": lazy("no description"),
    "environment": lazy("no environment"),
}


@dataclass(frozen=True, slots=True)
class Proposed:
    """An act that would end a finding: what it is called, its page, and what the viewer lacks for it."""

    label: str
    url: str
    why_not: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Way:
    """How a kind of finding is dealt with: label, page, what follows in its address, operation."""

    label: object
    page: str
    then: str = ""
    operation: str = ""


#: For a finding about an account.
_OF_ACCOUNT = {
    "ownerless": _Way(lazy("Set an owner"), "account", "settings", "update_service_account"),
    "undocumented": _Way(lazy("Describe it"), "account", "settings", "update_service_account"),
    "naming": _Way(lazy("Rename it"), "account", "settings", "update_service_account"),
    "idle_account": _Way(lazy("Disable it…"), "account_act", "disable", "disable_service_account"),
    "over_permitted": _Way(lazy("Trim its access"), "account", "access", "change_grants"),
    "disabled_in_use": _Way(lazy("See its calls"), "requests", "account", "list_requests"),
    "elevated_unjustified": _Way(lazy("Look at its access"), "account", "access", "change_grants"),
}
_CALLS = _Way(lazy("See its calls"), "requests", "credential", "list_requests")
_REPLACE = _Way(lazy("Issue a replacement…"), "key_new", "replaces", "issue_key")
#: For a finding about an API key.
_OF_KEY = {
    "idle_credential": _Way(lazy("Revoke it…"), "key_act", "revoke", "revoke_key"),
    "never_used": _Way(lazy("Revoke it…"), "key_act", "revoke", "revoke_key"),
    "no_expiry": _Way(lazy("Set its expiry…"), "key_act", "expire", "expire_key"),
    "policy_violation": _Way(lazy("Set its expiry…"), "key_act", "expire", "expire_key"),
    "expires_soon": _Way(lazy("Rotate it…"), "key_act", "rotate", "rotate_key"),
    "rotation_due": _Way(lazy("Rotate it…"), "key_act", "rotate", "rotate_key"),
    "rotation_stalled": _Way(lazy("See the hand-over"), "handover", "", "get_key"),
    "expired_in_use": _REPLACE,
    "leaked": _REPLACE,
    "repeated_denials": _CALLS,
    "new_network": _CALLS,
    "unexpected_use": _CALLS,
    "shared_token": _Way(lazy("Issue one for each caller…"), "key_new", "", "issue_key"),
}
#: The acts on a key by their names on the pages of personal and ingest tokens.
_ACTS = {way.then: way.label for way in _OF_KEY.values() if way.page == "key_act"}


def meaning(item: dict[str, Any]) -> str:
    """Return what a finding says, of this subject where its evidence tells."""
    missing = [str(_MISSING[each]) for each in item["evidence"].get("missing", ()) if each in _MISSING]
    if item["kind"] == "undocumented" and missing:
        return _("The account states %(missing)s.") % {"missing": _(" and ").join(missing)}
    return said(item["meaning"])


def act(viewer: Viewer, item: dict[str, Any]) -> Proposed | None:
    """Return the one act that is proposed; ``None`` where this viewer has no page for it."""
    kind, subject = item["kind"], item["subject"]
    ident, account = subject["id"], subject["account"] or {}
    way = _OF_ACCOUNT.get(kind)
    if way is not None:
        return _at(viewer, way, ident, account)
    if kind == "pat_in_production":
        return _converted(viewer, ident)
    way = _OF_KEY.get(kind)
    if way is None or (way.page != "requests" and not ident.startswith("key_")):
        return _of_token(viewer, way, ident, account)
    return _at(viewer, way, ident, account)


def _at(viewer: Viewer, way: _Way, ident: str, account: dict[str, Any]) -> Proposed:
    if way.page == "requests":
        shown = {way.then: account.get("handle", ident) if way.then == "account" else ident}
        url = f"{viewer.url('requests')}?{urlencode(shown)}"
    elif way.page == "key_new":
        url = viewer.url("key_new", account["id"]) + (f"?{way.then}={ident}" if way.then else "")
    else:
        url = viewer.url(way.page, ident, *([way.then] if way.then else []))
    return Proposed(str(way.label), url, viewer.missing(way.operation))


def _converted(viewer: Viewer, ident: str) -> Proposed:
    label = _("Convert to a service account…")
    return Proposed(label, viewer.url("convert", ident), viewer.missing("convert_token"))


def _of_token(viewer: Viewer, way: _Way | None, ident: str, account: dict[str, Any]) -> Proposed | None:
    """Return the act on a personal or an ingest token; others' are dealt with on the page of their user."""
    name = way.then if way is not None and way.page == "key_act" else ""
    if name and ident.startswith("ing_"):
        return Proposed(str(_ACTS[name]), viewer.url("ingest_token_act", ident, name))
    if name and account.get("id") == viewer.person.id:
        return Proposed(str(_ACTS[name]), viewer.url("my_token_act", ident, name))
    if account.get("kind") == "user":
        return Proposed(_("Look at the user"), viewer.url("user", account["id"]), viewer.missing("get_user"))
    return None
