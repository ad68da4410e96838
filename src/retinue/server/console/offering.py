"""What a viewer may not do is shown all the same: it can be reached, does nothing, and says why."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable

from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _

_FIRST = re.compile(r"\A<(button|a)\b([^>]*)>")
_LEADS = re.compile(r'\s(?:href|hx-[a-z-]+|data-key|data-copy|type|role|tabindex|title)="[^"]*"')


def needed(lacking: Iterable[str]) -> str:
    """Return why somebody may not do something who lacks these permissions; empty if they lack none."""
    names = _(" and ").join(lacking)
    if not names:
        return ""
    return _("You need %(permissions)s. Ask an administrator of your organization.") % {"permissions": names}


def offered(control: str, why: str | Iterable[str]) -> SafeString:
    """Return a button or link as it stands if there is no reason against it; otherwise switched off.

    Switched off it keeps its looks and its place in the order of the keyboard, leads nowhere and sends
    nothing, with scripts or without, and is described by ``why`` (WCAG: ``aria-disabled``, never
    ``disabled``, which nobody reaches without a mouse). ``control`` is what a template has rendered, escaped.
    """
    text, reason = control.strip(), why if isinstance(why, str) else needed(why)
    if not reason:
        return mark_safe(text)  # noqa: S308 - rendered by a template
    found = _FIRST.match(text)
    if found is None:
        raise ValueError("an offer holds one button or one link")
    kind, rest = found[1], _LEADS.sub("", found[2])
    role = re.search(r'\srole="([a-z]+)"', found[2])
    ident = f"why-{secrets.token_hex(6)}"
    name = "button" if kind == "button" else "span"
    how = ' type="button"' if kind == "button" else ' tabindex="0"'
    how += f' role="{role[1]}"' if role else "" if kind == "button" else ' role="link"'
    inner = text[found.end() : text.rindex(f"</{kind}>")]
    begin = f'<{name}{how} aria-disabled="true" aria-describedby="{ident}"{rest}>'
    said = format_html('<span class="why" role="tooltip" id="{}">{}</span>', ident, reason)
    return mark_safe(f"{begin}{inner}</{name}>{said}")  # noqa: S308 - as above
