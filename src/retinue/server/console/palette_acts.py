"""Acts in the palette: on the account or key whose page it is opened on, and on what a text names."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy

from retinue.server.console.acts import ACCOUNT_ACTS, KEY_ACTS, Act
from retinue.server.console.viewer import Viewer

#: Most accounts or keys that a text names together with an act.
NAMED = "4"
_AT = re.compile(r"/o/[^/]+/(accounts|keys)/((?:sa|key)_[A-Za-z0-9]+)(?:/.*)?")
#: What can be done to an account and to a key in each state.
_TO_ACCOUNT = {
    "enabled": ("disable", "duplicate", "delete"),
    "disabled": ("enable", "duplicate", "delete"),
    "deleted": ("restore",),
}
_TO_KEY = {
    "active": ("rotate", "regenerate", "revoke", "expire", "restrict", "rename"),
    "suspended": ("restore", "revoke", "rename"),
    "revoked": ("restore", "delete", "rename"),
}
#: What each act is called where it is not said yet on what.
ON_ACCOUNTS = {
    "enable": lazy("Enable an account"),
    "disable": lazy("Disable an account"),
    "duplicate": lazy("Duplicate an account"),
    "delete": lazy("Delete an account"),
    "restore": lazy("Restore an account"),
}
ON_KEYS = {
    "rotate": lazy("Rotate a key"),
    "regenerate": lazy("Regenerate a key"),
    "revoke": lazy("Revoke a key"),
    "expire": lazy("Set the expiry of a key"),
    "restrict": lazy("Restrict a key"),
    "rename": lazy("Rename a key"),
    "restore": lazy("Restore a key"),
    "delete": lazy("Delete a key"),
}


@dataclass(frozen=True, slots=True)
class Offer:
    """One line of the palette."""

    label: str
    url: str
    icon: str
    detail: str = ""
    why_not: tuple[str, ...] = ()


def at_hand(viewer: Viewer, address: str, words: list[str]) -> list[Offer]:
    """Return what fits of the acts on the account or key whose page is at an address."""
    found = _AT.fullmatch(urlsplit(address).path)
    if found is None:
        return []
    place, ident = found.groups()
    offers = of_key(viewer, ident) if place == "keys" else _of_account_at(viewer, ident)
    return [each for each in offers if all(word in each.label.lower() for word in words)]


def of_key(viewer: Viewer, ident: str) -> list[Offer]:
    """Return the way to a key by its id, and the acts on it; none for one that is not there."""
    outcome = viewer.call("get_key", {"key_id": ident})
    if not outcome.is_done or outcome.body["account"] is None:
        return []
    key = outcome.body
    called = f"{key['account']['name']}/{key['name'] or key['display']}"
    url = f"{viewer.url('account', key['account']['id'], 'keys')}#{key['id']}"
    there = Offer(_("Open %(id)s") % {"id": called}, url, "key", f"retinue key get {key['id']}")
    return [there, *_acts_on_key(viewer, key)]


def named(viewer: Viewer, words: list[str]) -> list[Offer]:
    """Return acts on what a text names after them: ``rotate etl``, ``disable airflow``."""
    if len(words) < 2 or len(words[0]) < 3:
        return []
    begin, rest = words[0], " ".join(words[1:])
    to_keys = [name for name, label in ON_KEYS.items() if str(label).lower().startswith(begin)]
    to_accounts = [name for name, label in ON_ACCOUNTS.items() if str(label).lower().startswith(begin)]
    found = []
    if to_accounts and viewer.may("list_service_accounts"):
        rows = viewer.call("list_service_accounts", query={"search": rest, "limit": NAMED})
        for each in rows.body.get("items", []):
            found += _acts_on_account(viewer, each, to_accounts)
    if to_keys and viewer.may("list_credentials"):
        query = {"search": rest, "kind": "api_key", "limit": NAMED}
        rows = viewer.call("list_credentials", query=query)
        for each in rows.body.get("items", []):
            found += _acts_on_key(viewer, each, to_keys)
    return found


def _of_account_at(viewer: Viewer, ident: str) -> list[Offer]:
    outcome = viewer.call("get_service_account", {"account_id": ident})
    if not outcome.is_done:
        return []
    account = outcome.body
    name, handle = account["name"], account["handle"]
    found = []
    if account["state"] != "deleted":
        issue = _("Issue a key for %(name)s") % {"name": name}
        found.append(_offer(viewer, issue, viewer.url("key_new", ident), "key", f"retinue key issue {handle}",
                            "issue_key"))  # fmt: skip
        rotate = _("Rotate all keys of %(name)s") % {"name": name}
        found.append(
            _offer(viewer, rotate, viewer.url("account_rotate_all", ident), "rotate", "", "rotate_keys")
        )
    found += _acts_on_account(viewer, account)
    for tab, label in viewer.words.tabs.items():
        found.append(Offer(f"{name}: {label}", viewer.url("account", ident, tab), "arrow"))
    wrong = _("%(name)s is compromised") % {"name": name}
    compromise = viewer.url("account_compromise", ident)
    return [*found, _offer(viewer, wrong, compromise, "alert", "retinue compromise", "compromise_account")]


def _acts_on_account(viewer: Viewer, account: dict[str, Any], only: list[str] | None = None) -> list[Offer]:
    names = [each for each in _TO_ACCOUNT[account["state"]] if only is None or each in only]
    return [
        _act(viewer, ACCOUNT_ACTS[each], account["name"], viewer.url("account_act", account["id"], each),
             f"retinue account {each} {account['handle']}")
        for each in names
    ]  # fmt: skip


def _acts_on_key(viewer: Viewer, key: dict[str, Any], only: list[str] | None = None) -> list[Offer]:
    called = f"{(key['account'] or {}).get('name', '')}/{key['name'] or key['display']}"
    names = [each for each in _TO_KEY.get(key["state"], ()) if only is None or each in only]
    return [
        _act(viewer, KEY_ACTS[each], called, viewer.url("key_act", key["id"], each),
             f"retinue key {each} {key['id']}")
        for each in names
    ]  # fmt: skip


def _act(viewer: Viewer, act: Act, name: str, url: str, command: str) -> Offer:
    label = viewer.words.title_of(act.name, act.title, name)
    return _offer(viewer, label, url, ICONS.get(act.name, "arrow"), command, act.operation)


def _offer(viewer: Viewer, label: str, url: str, icon: str, command: str, operation: str) -> Offer:
    return Offer(label, url, icon, command, viewer.missing(operation))


ICONS = {
    "enable": "enabled",
    "disable": "disabled",
    "duplicate": "add",
    "delete": "deleted",
    "restore": "restore",
    "rotate": "rotate",
    "regenerate": "regenerate",
    "revoke": "revoked",
    "expire": "clock",
    "restrict": "filter",
    "rename": "edit",
}
