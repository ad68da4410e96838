"""``/setup``: who holds the setup code that ``init --no-admin`` printed makes the first administrator here.

Without a setup that waits, the page leads to the sign-in page. Neither the code nor a password is ever sent
back to the browser.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

from allauth.account.adapter import get_adapter
from allauth.core import ratelimit
from django import forms
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from retinue.server.console import fitness, sessions
from retinue.server.console.passwords import NotSentBack, PasswordForm
from retinue.server.credentials import setup_code
from retinue.server.credentials.actions import peppers
from retinue.server.credentials.queries import Credential
from retinue.server.directory import organizations
from retinue.server.directory.queries import Login, Principal
from retinue.server.directory.rules import check_name, email_address
from retinue.server.errors import Refused
from retinue.server.ledger.transaction import transaction
from retinue.server.policies import actions as policies
from retinue.server.policies.presets import PRESETS
from retinue.server.policies.queries import in_force
from retinue.token import MAX_LENGTH

WRONG = _("This code is wrong, used, or older than 24 hours.")


class SetupForm(PasswordForm):
    """Setup code and the first administrator."""

    code = forms.CharField(
        label=_("Setup code"),
        max_length=2 * MAX_LENGTH,
        widget=NotSentBack(
            attrs={
                "autocomplete": "off",
                "autocapitalize": "none",
                "spellcheck": "false",
                "autofocus": True,
                "class": "mono",
            }
        ),
        error_messages={"required": _("Enter the setup code.")},
    )
    name = forms.CharField(
        label=_("Your name"),
        max_length=255,
        widget=forms.TextInput(attrs={"autocomplete": "name"}),
        error_messages={"required": _("Enter your name.")},
    )
    email = forms.CharField(
        label=_("E-mail address"),
        max_length=254,
        widget=forms.EmailInput(attrs={"autocomplete": "username"}),
        error_messages={"required": _("Enter your e-mail address.")},
    )

    organization = forms.CharField(
        label=_("Name of the organization"),
        max_length=255,
        widget=forms.TextInput(attrs={"autocomplete": "organization"}),
        required=False,
    )
    preset = forms.ChoiceField(
        label=_("Preset"),
        choices=[(name, name.capitalize()) for name in PRESETS],
        help_text=_("What policies, words and roles begin with. Each value can be changed later."),
        required=False,
    )

    def __init__(self, *args: Any, waiting: Credential, **kwargs: Any) -> None:
        found = waiting.organization
        begins = {"organization": found.name, "preset": in_force(found.id).document.preset}
        super().__init__(*args, initial=begins, **kwargs)
        self._waiting = waiting

    def clean_organization(self) -> str:
        """Return the name of the organization, stripped; without one it stays as it is."""
        try:
            return check_name(self.cleaned_data["organization"] or self.initial["organization"])
        except Refused as refused:
            raise ValidationError(refused.detail) from None

    def clean_preset(self) -> str:
        """Return the preset; without one it stays as it is."""
        return str(self.cleaned_data["preset"] or self.initial["preset"])

    def clean_code(self) -> str:
        """Return the code without white space: a terminal may have broken its line."""
        code = "".join(str(self.cleaned_data["code"]).split())
        if not setup_code.opens(self._waiting, code, timezone.now(), peppers()):
            raise ValidationError(WRONG, "wrong")
        return code

    def clean_name(self) -> str:
        """Return the name, stripped; refuses control characters."""
        try:
            return check_name(self.cleaned_data["name"])
        except Refused as refused:
            raise ValidationError(refused.detail) from None

    def clean_email(self) -> str:
        """Return the folded address."""
        try:
            return email_address(self.cleaned_data["email"])
        except Refused:
            raise ValidationError(_("Enter an e-mail address, such as ada@acme.example.")) from None

    def address(self) -> str:
        """Return the address that the password must not be like."""
        return str(self.cleaned_data.get("email", ""))


@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def setup(request: HttpRequest) -> HttpResponse:
    """Show the form, or make the first administrator and sign in as that person."""
    waiting = setup_code.pending()
    if waiting is None:
        return redirect("account_login")
    wrong = fitness.unwritable()
    if wrong:
        return render(request, "console/setup.html", {"unwritable": wrong}, status=503)
    if request.method != "POST":
        return _page(request, waiting, SetupForm(waiting=waiting))
    limited: HttpResponse | None = ratelimit.consume_or_429(request, action="setup")
    if limited is not None:
        return limited
    form = SetupForm(request.POST, waiting=waiting)
    if not form.is_valid():
        if form.has_error("code", "wrong"):
            sessions.setup_refused(request, waiting)
        return _page(request, waiting, form)
    try:
        made = _redeem(request, waiting, form.cleaned_data)
    except Refused as refused:
        if refused.field == "code":  # somebody else was faster
            return redirect("account_login")
        form.add_error("preset", refused.detail)
        return _page(request, waiting, form)
    login = Login.objects.select_related("principal__organization").get(principal=made)
    get_adapter().login(request, login)
    return redirect("console_home")


def _redeem(request: HttpRequest, waiting: Credential, given: dict[str, str]) -> Principal:
    """Make the administrator, and the organization what they want it to be: all of it or nothing."""
    with transaction(sessions.holder_of(waiting, request), reason="setup") as tx:
        made = setup_code.redeem(
            tx, given["code"], email=given["email"], name=given["name"], password=given["password"]
        )
        organizations.rename(tx, made.organization, given["organization"])
        policies.change(tx, made.organization_id, lambda document: replace(document, preset=given["preset"]))
        return made


def _page(request: HttpRequest, waiting: Credential, form: SetupForm) -> HttpResponse:
    is_over = waiting.expires_at is not None and waiting.expires_at <= timezone.now()
    shown = {
        "form": form,
        "organization": waiting.organization.name,
        "is_over": is_over,
        "base_url": request.build_absolute_uri("/"),
        "now_ms": round(time.time() * 1000),
    }
    return render(request, "console/setup.html", shown)
