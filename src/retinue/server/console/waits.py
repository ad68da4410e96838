"""Refusals that end by themselves: what the page says, and with which status."""

from __future__ import annotations

import math
from collections.abc import Iterable

from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

TOO_MANY, BUSY = "too_many_login_attempts", "busy"
_TEXTS = {
    TOO_MANY: ngettext_lazy(
        "Too many attempts. Try again in %(minutes)s minute.",
        "Too many attempts. Try again in %(minutes)s minutes.",
        "minutes",
    ),
    BUSY: _("Too many people sign in at this moment. Try again."),
}
#: The status of a page that says so.
STATUSES = {TOO_MANY: 429, BUSY: 503}


def error(code: str, seconds: int) -> ValidationError:
    """Return the error of a form that may be sent again after so many seconds."""
    return ValidationError(
        _TEXTS[code], code, params={"seconds": seconds, "minutes": math.ceil(seconds / 60)}
    )


def mark(page: HttpResponse, errors: Iterable[ValidationError]) -> HttpResponse:
    """Give a page the status of what its form says, and ``Retry-After``."""
    for each in errors:
        if each.code in STATUSES:
            page.status_code = STATUSES[each.code]
            page["Retry-After"] = str((each.params or {})["seconds"])
    return page
