"""``/confirm``: who is signed in shows the password once more, and may use elevated permissions again.

How long a sign-in is enough stands in the policy (``elevated.step_up_minutes``). Wrong passwords count like
those of a sign-in: the same pauses, the same events.
"""

from __future__ import annotations

from typing import Any

from allauth.account.adapter import get_adapter
from django import forms
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from retinue.server.console import sessions, signin
from retinue.server.console.passwords import NotSentBack
from retinue.server.directory.queries import Login

WRONG = _("The password is wrong.")


class ConfirmationForm(forms.Form):
    """The password of who is signed in, and the page to go on with."""

    password = forms.CharField(
        label=_("Password"),
        strip=False,
        widget=NotSentBack(attrs={"autocomplete": "current-password", "autofocus": True}),
        error_messages={"required": _("Enter your password.")},
    )
    next = forms.CharField(required=False, max_length=2048, widget=forms.HiddenInput)

    def page(self) -> str:
        """Return the page to go on with: of this server, else the first one."""
        wanted = str(self.data.get("next") or "")
        return wanted if get_adapter().is_safe_url(wanted) else reverse("console_home")


@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def confirm(request: HttpRequest) -> HttpResponse:
    """Show the form, or take the password and go on."""
    login = request.user
    assert isinstance(login, Login)  # noqa: S101 - login_required lets nobody else through
    if request.method != "POST":
        return _page(request, ConfirmationForm(initial={"next": request.GET.get("next", "")}))
    form = ConfirmationForm(request.POST)
    if not form.is_valid():
        return _page(request, form)
    try:
        known = get_adapter().authenticate(request, email=login.email, password=form.cleaned_data["password"])
    except ValidationError as refused:
        form.add_error(None, refused)
        answer = _page(request, form)
        answer.status_code = signin.STATUSES.get(refused.code or "", 200)
        answer["Retry-After"] = str((refused.params or {}).get("seconds", 1))
        return answer
    if known is None or known.pk != login.pk:
        form.add_error("password", ValidationError(WRONG, "wrong"))
        return _page(request, form)
    sessions.confirmed(request, login)
    return redirect(form.page())


def _page(request: HttpRequest, form: ConfirmationForm) -> HttpResponse:
    shown: dict[str, Any] = {"form": form}
    return render(request, "console/confirm.html", shown)
