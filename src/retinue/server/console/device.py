"""``/device``: who is signed in enters the code that a terminal shows, and grants it a session, or refuses.

The page says who asks, from where, and since when, and wants the words compared: a code that somebody else
sent leads here as well.
"""

from __future__ import annotations

from typing import Any

from allauth.core import ratelimit
from django import forms
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods

from retinue.server.access.rules import check_recent_sign_in
from retinue.server.console import sessions
from retinue.server.credentials import device
from retinue.server.credentials.queries import DeviceSignIn
from retinue.server.directory.queries import Login
from retinue.server.errors import Refused
from retinue.server.ledger.transaction import transaction
from retinue.server.policies.queries import policy_of
from retinue.verifier import PAT_ISSUE

WRONG = _("No terminal waits under this code. Codes are good for ten minutes, once.")


class CodeForm(forms.Form):
    """The code that the terminal shows."""

    code = forms.CharField(
        label=_("Code"),
        max_length=32,
        widget=forms.TextInput(
            attrs={
                "autocomplete": "off",
                "autocapitalize": "characters",
                "spellcheck": "false",
                "autofocus": True,
                "class": "mono",
                "placeholder": "XXXX-XXXX",
            }
        ),
        error_messages={"required": _("Enter the code.")},
    )


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def enter(request: HttpRequest) -> HttpResponse:
    """Show the form; then who asks; then do what the person decides."""
    login = request.user
    assert isinstance(login, Login)  # noqa: S101 - login_required lets nobody else through
    if request.method != "POST":
        return _page(request, CodeForm())
    limited: HttpResponse | None = ratelimit.consume_or_429(request, action="device_code")
    if limited is not None:
        return limited
    form = CodeForm(request.POST)
    found = device.find(form.cleaned_data["code"], timezone.now()) if form.is_valid() else None
    if found is None:
        if form.is_valid():
            form.add_error("code", WRONG)
        return _page(request, form)
    decision = request.POST.get("decision")
    if decision not in ("grant", "deny"):
        return _page(request, form, found)
    if decision == "grant" and request.POST.get("same") != "yes":
        return _page(request, form, found, trouble=_("Compare the words first."))
    return _decided(request, login, form, found, grant=decision == "grant")


def _decided(
    request: HttpRequest, login: Login, form: CodeForm, found: DeviceSignIn, *, grant: bool
) -> HttpResponse:
    who = sessions.actor(request, login)
    try:
        with transaction(who, reason="sign-in of a terminal") as tx:
            if grant:
                policy = policy_of(login.principal.organization_id)
                check_recent_sign_in((PAT_ISSUE,), who.signed_in_at, tx.now, policy)
            device.decide(tx, login.principal, found.id, grant=grant)
    except Refused as refused:
        if refused.code == "step_up_required":
            return redirect(f"{reverse('console_confirm')}?next={reverse('console_device')}")
        return _page(request, form, found, trouble=refused.detail or refused.code)
    return _page(request, form, found, done="granted" if grant else "denied")


def _page(
    request: HttpRequest, form: CodeForm, found: DeviceSignIn | None = None, **more: Any
) -> HttpResponse:
    here = sessions.address(request)
    shown = {"form": form, "found": found, "elsewhere": found is not None and found.address != here, **more}
    return render(request, "console/device.html", shown)
