"""Icons, named by what they mean here, drawn by lucide and written into the page."""

from __future__ import annotations

from functools import cache

from django.utils.safestring import SafeString
from lucide.templatetags.lucide import lucide

ICONS = {
    "account": "bot",
    "access": "shield",
    "active": "circle-check",
    "add": "plus",
    "alert": "triangle-alert",
    "arrow": "chevron-right",
    "attention": "circle-alert",
    "audit": "scroll-text",
    "blocked": "ban",
    "book": "book-open",
    "check": "check",
    "choose": "chevrons-up-down",
    "clock": "clock",
    "close": "x",
    "columns": "columns-3",
    "copy": "copy",
    "credentials": "key-round",
    "dark": "moon",
    "deleted": "trash-2",
    "disabled": "power-off",
    "down": "arrow-down",
    "download": "download",
    "edit": "pencil",
    "enabled": "power",
    "expired": "hourglass",
    "expiring": "clock-alert",
    "filter": "list-filter",
    "home": "house",
    "idle": "moon-star",
    "info": "info",
    "key": "key-round",
    "light": "sun",
    "list": "list",
    "lock": "lock",
    "menu": "menu",
    "more": "ellipsis",
    "never_used": "circle-dashed",
    "node": "server",
    "organization": "building-2",
    "out": "log-out",
    "ownerless": "user-x",
    "passkey": "fingerprint-pattern",
    "person": "user",
    "phone": "smartphone",
    "regenerate": "refresh-cw",
    "requests": "activity",
    "restore": "undo-2",
    "retiring": "timer",
    "reviews": "list-checks",
    "revoked": "octagon-x",
    "robot": "bot",
    "rotate": "repeat",
    "search": "search",
    "settings": "settings",
    "shield": "shield-check",
    "star": "star",
    "stop": "octagon-x",
    "suspended": "circle-pause",
    "system": "monitor",
    "terminal": "terminal",
    "up": "arrow-up",
    "policies": "sliders-horizontal",
    "why": "scan-search",
}


@cache
def svg(name: str, size: int = 18) -> SafeString:
    """Return an icon, hidden from screen readers: the word beside it says the same.

    Raises ``KeyError`` for a name that is not listed here.
    """
    attributes = {"class": "icon", "stroke-width": "1.8", "aria-hidden": "true", "focusable": "false"}
    return SafeString(lucide(ICONS[name], size=size, **attributes))
