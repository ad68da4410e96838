"""``/confirm``: who is signed in shows once more who it is, and may use elevated permissions again.

By a code of the app, a recovery code or a passkey, where the person has set one up; else by the password. How
long that is enough stands in the policy (``elevated.step_up_minutes``). What is wrong counts like a failed
sign-in: the same pauses, the same events.
"""

from __future__ import annotations

from typing import Any

from allauth.account.adapter import get_adapter
from django import forms
from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from retinue.server.console import factors, proving, second_step, sessions, waits
from retinue.server.console.passwords import NotSentBack
from retinue.server.directory.queries import Login

WRONG = _("The password is wrong.")


class PasswordForm(forms.Form):
    """The password of who is signed in."""

    password = forms.CharField(
        label=_("Password"),
        strip=False,
        widget=NotSentBack(attrs={"autocomplete": "current-password", "autofocus": True}),
        error_messages={"required": _("Enter your password.")},
    )

    def __init__(self, *args: Any, user: Login, request: HttpRequest, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._login, self._request = user, request

    def clean_password(self) -> str:
        """Check it as at a sign-in. Raises ``ValidationError``: it is wrong, or this was tried too often."""
        given = str(self.cleaned_data["password"])
        known = get_adapter().authenticate(self._request, email=self._login.email, password=given)
        if known is None or known.pk != self._login.pk:
            raise ValidationError(WRONG, "wrong")
        return given


class CodeForm(proving.CodeForm):
    """A code, where the password has the focus."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["code"].widget.attrs.pop("autofocus", None)


@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def confirm(request: HttpRequest) -> HttpResponse:
    """Show the forms, or take one of them and go on."""
    login = request.user
    assert isinstance(login, Login)  # noqa: S101 - login_required lets nobody else through
    if request.method != "POST":
        return _page(request, login)
    form: forms.Form
    if "credential" in request.POST:
        form, method = proving.PasskeyForm(user=login, data=request.POST), "passkey"
    elif "code" in request.POST:
        form, method = CodeForm(user=login, data=request.POST), "code"
    elif factors.of(login).is_protected:
        return _page(request, login)  # the password alone opened no session either
    else:
        form, method = PasswordForm(request.POST, user=login, request=request), "password"
    if not form.is_valid():
        if method == "passkey":
            sessions.refused(request, login.email, "factor")
        return waits.mark(_page(request, login, form), *form.errors.as_data().values())
    if isinstance(form, CodeForm):
        method = factors.NAMES[form.authenticator.type]
        if form.authenticator.type == factors.CODES:
            second_step.recovered(request, login)
    sessions.confirmed(request, login, method)
    return redirect(_next(request))


def _next(request: HttpRequest) -> str:
    """Return the page to go on with: of this server, else the first one."""
    wanted = str(request.POST.get("next") or "")
    return wanted if get_adapter().is_safe_url(wanted) else reverse("console_home")


def _page(request: HttpRequest, login: Login, form: Any = None) -> HttpResponse:
    found = factors.of(login)
    by_password = login.has_usable_password() and not found.is_protected
    blank = PasswordForm(user=login, request=request) if by_password else None
    has_code = found.totp is not None or found.codes is not None
    is_named = proving.can_use_passkeys(request)
    shown: dict[str, Any] = {
        "form": form if isinstance(form, PasswordForm) else blank,
        "code_form": form if isinstance(form, CodeForm) else CodeForm(user=login) if has_code else None,
        "options": proving.options(login) if found.passkeys and is_named else "",
        "is_elsewhere": bool(found.passkeys) and not is_named and not has_code,
        "provider": settings.INSTALLATION.provider if login.identities.exists() else None,
        "passkey_error": isinstance(form, proving.PasskeyForm),
        "next": request.POST.get("next") or request.GET.get("next", ""),
    }
    return render(request, "console/confirm.html", shown)
