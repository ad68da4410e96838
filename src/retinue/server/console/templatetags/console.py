"""What templates need: addresses of files, icons, numbers and instants for people."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime

import msgspec
from django import template
from django.conf import settings
from django.http import HttpRequest
from django.utils import timezone
from django.utils.formats import date_format, number_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext

from retinue.server.console import assets, borrowed, icons, offering, security, sessions
from retinue.server.console.viewer import Viewer
from retinue.server.console.words import Words

register = template.Library()
_MINUTE, _HOUR, _DAY = 60, 3600, 86_400


@register.simple_tag
def asset(name: str) -> str:
    """Return the address of a static file."""
    return security.ASSET_PATH + assets.published()[name].served


@register.simple_tag
def icon(name: str, size: int = 18) -> SafeString:
    """Return an icon, hidden from screen readers: the word beside it says the same."""
    return icons.svg(str(name), size)


@register.simple_tag
def theme(request: HttpRequest | None) -> str:
    """Return the chosen colours: ``light``, ``dark`` or ``system``."""
    chosen = "" if not request else request.COOKIES.get("retinue-theme", "")
    return chosen if chosen in ("light", "dark") else "system"


@register.simple_tag
def languages(request: HttpRequest) -> list[tuple[str, str, bool]]:
    """Return what can be chosen, ``browser`` last: value, name in itself, whether it is chosen here."""
    own, chosen = dict(settings.LANGUAGES), request.COOKIES.get(settings.LANGUAGE_COOKIE_NAME)
    choices = own | {"browser": _("As the browser")}
    return [
        (value, name, value == (chosen if chosen in own else "browser")) for value, name in choices.items()
    ]


@register.filter
def said(text: str) -> str:
    """Return a text that another part of the product has, in the language of the page."""
    return borrowed.said(text)


@register.filter
def neutral(text: str, words: Words) -> str:
    """Return a text of a registry without the word for API keys, where the organization has another."""
    return words.neutral(text)


@register.simple_tag
def session_left(request: HttpRequest) -> int:
    """Return how many seconds the session has."""
    return sessions.left(request)


@register.simple_tag
def keys_are_off(request: HttpRequest | None) -> bool:
    """Tell whether single keys do nothing in this browser."""
    return bool(request) and request.COOKIES.get("retinue-keys") == "off"  # type: ignore[union-attr]


@register.simple_tag
def url_of(viewer: Viewer, name: str, *ids: str) -> str:
    """Return the address of a page in the viewer's organization."""
    return viewer.url(name, *ids)


@register.simple_tag
def missing(viewer: Viewer, operation: str) -> str:
    """Return why the viewer may not do something, in one sentence; empty if they may."""
    return offering.needed(viewer.missing(operation))


@register.simple_block_tag
def offer(content: str, why: str | tuple[str, ...]) -> SafeString:
    """Show a button or link; with a reason against it switched off, and described by the reason."""
    return offering.offered(content, why or "")


@register.filter
def instant(text: str | None) -> datetime | None:
    """Read an instant as the API writes it."""
    return None if not text else datetime.fromisoformat(text)


@register.filter
def until(at: datetime) -> str:
    """Return how long it is until ``at``: ``in 5 h``, ``in 12 days``; one that has passed is ``ago``."""
    seconds = int((at - timezone.now()).total_seconds())
    if seconds < 0:
        return ago(at)
    if seconds < _HOUR:
        return _("in %(n)d min") % {"n": max(1, seconds // _MINUTE)}
    if seconds < 2 * _DAY:
        return _("in %(n)d h") % {"n": seconds // _HOUR}
    days = seconds // _DAY
    return ngettext("in %(n)d day", "in %(n)d days", days) % {"n": days}


@register.filter
def day(at: datetime) -> str:
    """Return the day of an instant, in UTC."""
    return date_format(at.astimezone(UTC), pgettext("format of a date", "j M Y"))


@register.filter
def moment(at: datetime) -> str:
    """Return day and minute of an instant, with its zone."""
    return f"{day(at)}, {at.astimezone(UTC):%H:%M} UTC"


@register.filter
def hue(name: str) -> int:
    """Return one of six colours for a picture of ``name``, always the same."""
    return sum(name.encode()) % 6


@register.filter
def item(found: Mapping[str, object], key: str) -> object:
    """Return a member by a name that a variable holds; ``None`` if there is none."""
    return found.get(key)


@register.filter
def pairs(record: Mapping[str, object]) -> list[tuple[str, object]]:
    """Return what a record of the request log holds, nested members by their path; nothing that is empty."""
    found: list[tuple[str, object]] = []
    for name, value in record.items():
        if isinstance(value, Mapping):
            found += [(f"{name}.{inner}", each) for inner, each in value.items()]
        else:
            found.append((name, value))
    return [(name, value) for name, value in found if value not in (None, "")]


@register.filter
def raw(record: object) -> str:
    """Return a record as JSON, as the API answers it, to be read."""
    return msgspec.json.format(msgspec.json.encode(record)).decode()


@register.simple_tag
def served_plainly(request: HttpRequest) -> bool:
    """Tell whether passwords cross a network unencrypted here."""
    return security.is_plain(request)


@register.filter
def breakable(name: str) -> SafeString:
    """Return a name of an API with the places where a line may break: after dots and underscores."""
    return format_html_join(mark_safe("<wbr>"), "{}", ((part,) for part in re.split(r"(?<=[._])", name)))


@register.filter
def coded(text: str) -> SafeString:
    """Return a text with what stands between backticks as code."""
    return format_html_join(
        "",
        "{}",
        (
            (format_html("<code>{}</code>", part) if n % 2 else part,)
            for n, part in enumerate(text.split("`"))
        ),
    )


@register.filter
def ago(at: datetime) -> str:
    """Return how long ago ``at`` was: ``12 s ago``, ``4 min ago``, ``3 h ago``, ``5 days ago``."""
    seconds = max(0, int((timezone.now() - at).total_seconds()))
    if seconds < _MINUTE:
        return _("%(n)d s ago") % {"n": seconds}
    if seconds < _HOUR:
        return _("%(n)d min ago") % {"n": seconds // _MINUTE}
    if seconds < _DAY:
        return _("%(n)d h ago") % {"n": seconds // _HOUR}
    days = seconds // _DAY
    return ngettext("%(n)d day ago", "%(n)d days ago", days) % {"n": days}


@register.filter
def exact(at: datetime) -> str:
    """Return an instant to the second, with its zone."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


@register.filter
def machine(at: datetime) -> str:
    """Return an instant for the ``datetime`` attribute."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@register.filter
def count(number: object) -> str:
    """Return a number with its thousands apart; an unknown one is a dash, never a zero."""
    return number_format(number, force_grouping=True) if isinstance(number, int) else "–"


@register.filter
def initials(name: str) -> str:
    """Return one or two letters for a picture of ``name``."""
    words = [word for word in name.replace("@", " ").replace(".", " ").replace("-", " ").split() if word]
    letters = words[0][:1] + words[1][:1] if len(words) > 1 else name[:2]
    return letters.upper()
