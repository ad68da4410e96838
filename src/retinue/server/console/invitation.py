"""``/invitation``: who was invited chooses a password here, once, and is signed in.

Neither the invitation nor a password is ever sent back to the browser.
"""

from __future__ import annotations

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

from retinue.server.console import sessions
from retinue.server.console.passwords import NotSentBack, PasswordForm
from retinue.server.credentials import invitations
from retinue.server.credentials.actions import peppers
from retinue.server.credentials.queries import Credential
from retinue.server.directory.queries import Login
from retinue.server.errors import Refused
from retinue.server.ledger.transaction import transaction
from retinue.token import MAX_LENGTH

WRONG = _("This invitation is wrong, used, replaced, or older than 7 days.")


class InvitationForm(PasswordForm):
    """Invitation and the password that its user will sign in with."""

    code = forms.CharField(
        label=_("Invitation"),
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
        error_messages={"required": _("Enter the invitation.")},
    )
    found: Credential | None = None

    def clean_code(self) -> str:
        """Return the invitation without white space: a mail may have broken its line."""
        code = "".join(str(self.cleaned_data["code"]).split())
        self.found = invitations.find(code, timezone.now(), peppers())
        if self.found is None:
            raise ValidationError(WRONG, "wrong")
        return code

    def address(self) -> str:
        """Return the address of who is invited."""
        return "" if self.found is None or self.found.principal is None else self.found.principal.email


@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def choose(request: HttpRequest) -> HttpResponse:
    """Show the form, or give the invited user a password and sign in as that person."""
    if request.method != "POST":
        return _page(request, InvitationForm())
    limited: HttpResponse | None = ratelimit.consume_or_429(request, action="invitation")
    if limited is not None:
        return limited
    form = InvitationForm(request.POST)
    if not form.is_valid() or form.found is None:
        if form.has_error("code", "wrong"):
            sessions.invitation_refused(request)
        return _page(request, form)
    try:
        with transaction(sessions.invited(form.found, request), reason="invitation") as tx:
            user = invitations.redeem(tx, form.cleaned_data["code"], form.cleaned_data["password"])
    except Refused as refused:
        form.add_error("code", WRONG if refused.field == "code" else refused.detail)
        return _page(request, form)
    login = Login.objects.select_related("principal__organization").get(principal=user)
    get_adapter().login(request, login)
    return redirect("console_home")


def _page(request: HttpRequest, form: InvitationForm) -> HttpResponse:
    shown: dict[str, Any] = {"form": form}
    return render(request, "console/invitation.html", shown)
