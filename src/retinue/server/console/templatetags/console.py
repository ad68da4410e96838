"""What templates need: addresses of files, icons, numbers and instants for people."""

from __future__ import annotations

from datetime import UTC, datetime

from django import template
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from retinue.server.console import assets, security, signin

register = template.Library()
_MINUTE, _HOUR, _DAY = 60, 3600, 86_400


@register.simple_tag
def asset(name: str) -> str:
    """Return the address of a static file."""
    return security.ASSET_PATH + assets.published()[name].served


@register.simple_tag
def icon(name: str) -> SafeString:
    """Return an icon, hidden from screen readers: the word beside it says the same."""
    return render_to_string("console/icon.html", {"name": name})


@register.simple_tag
def served_plainly(request: HttpRequest) -> bool:
    """Tell whether passwords cross a network unencrypted here."""
    return signin.is_plain(request)


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
def count(number: int) -> str:
    """Return a number with its thousands apart."""
    return f"{number:,}"


@register.filter
def initials(name: str) -> str:
    """Return one or two letters for a picture of ``name``."""
    words = [word for word in name.replace("@", " ").replace(".", " ").replace("-", " ").split() if word]
    letters = words[0][:1] + words[1][:1] if len(words) > 1 else name[:2]
    return letters.upper()
