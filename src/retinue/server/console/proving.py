"""Forms in which people show who they are with a code or a passkey, and what counts as recently shown."""

from __future__ import annotations

import ipaddress
import json
import math
from datetime import timedelta
from typing import Any

from allauth.core import context
from allauth.mfa.base.forms import AuthenticateForm
from allauth.mfa.models import Authenticator
from allauth.mfa.webauthn.forms import AuthenticateWebAuthnForm
from allauth.mfa.webauthn.internal import auth as webauthn
from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from fido2.utils import websafe_decode

from retinue.server.console import factors, failures, sessions, waits
from retinue.server.directory.queries import Login

WRONG_CODE = _("This code is wrong, or was used already.")
WRONG_PASSKEY = _("This passkey did not match. Try again, or use another way.")
#: What is changed about signing in needs a sign-in that is no older, whatever the policy says.
RECENT = timedelta(minutes=15)


class CodeForm(AuthenticateForm):  # type: ignore[misc]
    """A code of the app, or a recovery code. Each works once; wrong ones are counted for all processes."""

    code = forms.CharField(
        label=_("Code"),
        max_length=64,
        widget=forms.TextInput(
            attrs={"autocomplete": "one-time-code", "autofocus": True, "class": "mono", "spellcheck": "false"}
        ),
        error_messages={"required": _("Enter the code.")},
    )

    def clean_code(self) -> str:
        """Use the code up. Raises ``ValidationError``: it is wrong, or this was tried too often."""
        code = str(self.cleaned_data["code"])
        found, until = _taken(self.user, code)
        if until is not None:
            raise waits.error(waits.TOO_MANY, math.ceil((until - timezone.now()).total_seconds()))
        if found is None:
            raise ValidationError(WRONG_CODE, "incorrect_code")
        self.authenticator = found
        return code


def _taken(login: Login, code: str) -> tuple[Authenticator | None, Any]:
    """Return whose code it was, or until when it is of no use to try again.

    Look, compare and count happen for one at a time, so no crowd outruns the limits.
    """
    origin = failures.Origin(login.email, sessions.address(context.request), is_second=True)
    with transaction.atomic():
        Login.objects.select_for_update(of=("self",), no_key=True).get(pk=login.pk)
        until = failures.paused_until(origin, timezone.now())
        found = factors.take(login, code) if until is None else None
        if found is not None:
            failures.forget(origin)
        elif until is None:
            failures.count(origin, timezone.now())
    if found is None:
        sessions.refused(context.request, login.email, "factor" if until is None else "rate_limited")
    return found, until


class PasskeyForm(AuthenticateWebAuthnForm):  # type: ignore[misc]
    """What a passkey has signed. Of whom, says the person; or, where nobody is known yet, the passkey."""

    def clean_credential(self) -> Authenticator:
        """Check it by the library, and that it was signed on a page of ours."""
        sent = self.cleaned_data["credential"]
        try:
            check_origin(context.request, sent)
            return super().clean_credential()
        except (ValidationError, ValueError, TypeError, KeyError, AttributeError):
            raise ValidationError(WRONG_PASSKEY, "incorrect_code") from None


def check_origin(request: HttpRequest, sent: Any) -> None:
    """Raise ``ValueError`` unless a passkey was used on this origin. The library takes subdomains too."""
    said = json.loads(websafe_decode(sent["response"]["clientDataJSON"]))
    host = request.get_host()
    ours = {f"{request.scheme}://{host}", f"https://{host}", *settings.CSRF_TRUSTED_ORIGINS}
    if said["origin"] not in ours:
        raise ValueError(f"signed on {said['origin']}")


def options(login: Login | None) -> str:
    """Begin to ask for a passkey; returns what the browser needs, as JSON."""
    return json.dumps(webauthn.begin_authentication(login))


def can_use_passkeys(request: HttpRequest) -> bool:
    """Tell whether the console was opened under a name: to an address no passkey belongs."""
    try:
        ipaddress.ip_address(factors.host_of(request).strip("[]"))
    except ValueError:
        return True
    return False
