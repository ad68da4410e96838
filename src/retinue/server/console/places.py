"""What the pages are called, by the name of their address, and which entry of the menu they stand under."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as lazy

#: By the beginning of an address's name, without ``console_``. The longest that fits is taken.
_PLACES: dict[str, tuple[str, object]] = {
    "account": ("accounts", lazy("Accounts")),
    "key": ("accounts", lazy("Credentials")),
    "handover": ("accounts", lazy("Credentials")),
    "credentials": ("credentials", lazy("Credentials")),
    "ingest_token": ("credentials", lazy("Credentials")),
    "identify": ("credentials", lazy("Identify a token")),
    "role": ("access", lazy("Roles")),
    "group": ("access", lazy("Groups")),
    "team": ("access", lazy("Teams")),
    "access_polic": ("access", lazy("Access policies")),
    "permissions": ("access", lazy("Permissions")),
    "why": ("access", lazy("Why may it?")),
    "findings": ("findings", lazy("Findings")),
    "review": ("reviews", lazy("Access reviews")),
    "requests": ("requests", lazy("Request log")),
    "audit": ("audit", lazy("Audit log")),
    "polic": ("policies", lazy("Policies")),
    "settings": ("settings", lazy("Organization")),
    "compromise": ("settings", lazy("Organization")),
    "user": ("settings", lazy("Users")),
    "nodes": ("settings", lazy("Nodes")),
    "notifications": ("settings", lazy("Notifications")),
    "webhook": ("settings", lazy("Notifications")),
    "protect": ("settings", lazy("Protect your API")),
    "receipt": ("", lazy("Receipt")),
    "views": ("", lazy("Saved views")),
    "my_token": ("tokens", lazy("My personal access tokens")),
}


def of(route: str) -> tuple[str, str]:
    """Return the entry of the menu and the title of a page, by the name of its address; empty if unknown."""
    name = route.removeprefix("console_")
    fitting = max((each for each in _PLACES if name.startswith(each)), key=len, default="")
    place, title = _PLACES.get(fitting, ("", ""))
    return place, str(title)
