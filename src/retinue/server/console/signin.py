"""Sign-in for people, through django-allauth: what it may do here, and what it may not.

A password, what was set up beside it, or a passkey opens a session. There is no sign-up: ``init`` and
invitations make users. A service account has no login, so its token is a wrong password like any other.
"""

from __future__ import annotations

import math
from datetime import datetime
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.forms import LoginForm
from allauth.account.views import LoginView, LogoutView
from allauth.core.exceptions import ImmediateHttpResponse
from django import forms
from django.conf import settings
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext_lazy as _

from retinue.server.console import (
    checklist,
    factors,
    failures,
    hashing,
    proving,
    sessions,
    single_sign_on,
    waits,
)
from retinue.server.credentials import setup_code
from retinue.server.directory.queries import Login
from retinue.server.directory.rules import email_address
from retinue.server.errors import Refused
from retinue.token import parse

WRONG = "email_password_mismatch"
TOKEN = _(
    "This is a token, not a password. A service account never signs in here: a program sends it to the API."
)


class Adapter(DefaultAccountAdapter):  # type: ignore[misc]
    """The sign-in library's hooks: closed sign-up, local redirects, events, one answer for every refusal."""

    error_messages = DefaultAccountAdapter.error_messages | {
        WRONG: _("The e-mail address or the password is wrong."),
    }

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Nobody makes a user of themselves."""
        return False

    def is_safe_url(self, url: str) -> bool:
        """Redirects stay here: a path of this server, never an address with a host."""
        return url.startswith("/") and url_has_allowed_host_and_scheme(url, allowed_hosts=None)

    def is_ajax(self, request: HttpRequest) -> bool:
        """There is one kind of answer: pages."""
        return False

    def add_message(self, *_: Any, **__: Any) -> None:
        """No messages: what happened is on the page that follows."""

    def authenticate(self, request: HttpRequest, **credentials: Any) -> Login | None:
        """Check a password. ``None`` for a wrong one, an unknown address and a disabled user alike.

        Raises ``ValidationError`` when this was tried too often, or by too many at once.
        """
        email = credentials.get("email", "")
        origin = failures.Origin(email, sessions.address(request))
        try:
            with hashing.place():
                login, cause, until = self._judged(request, origin, credentials)
        except hashing.Busy:
            raise waits.error(waits.BUSY, 1) from None
        if cause:
            sessions.refused(request, email, cause)
        if until is not None:
            raise waits.error(waits.TOO_MANY, math.ceil((until - timezone.now()).total_seconds()))
        return login

    def _judged(
        self, request: HttpRequest, origin: failures.Origin, credentials: dict[str, Any]
    ) -> tuple[Login | None, str, datetime | None]:
        """Return who signs in; or why not, and until when it is of no use to try again.

        Look, hash and count happen in one place for hashing: no crowd outruns the limits.
        """
        until = failures.paused_until(origin, timezone.now())
        if until is not None:
            return None, "rate_limited", until
        login: Login | None = super().authenticate(request, **credentials)
        if login is None or not login.is_active:
            failures.count(origin, timezone.now())
            return None, "credentials" if login is None else "disabled", None
        failures.forget(origin)
        return login, "", None

    def pre_login(self, request: HttpRequest, user: Login, **_: Any) -> HttpResponse | None:
        """Before the second step: what the browser held until now is no key to what follows."""
        if not user.is_active:
            return redirect("account_login")
        if request.session.session_key is not None:
            request.session.cycle_key()
        return None

    def login(self, request: HttpRequest, user: Login) -> None:
        """Open a session under a new key."""
        if not user.is_active:  # disabled between the steps
            raise ImmediateHttpResponse(redirect("account_login"))
        sessions.opened(request, user, factors.method_of(request, user))
        super().login(request, user)
        sessions.begin_clock(request)
        checklist.begin(user, timezone.now())
        if factors.is_due(user) and not factors.is_proven(request, user):
            request.session[sessions.MUST_ENROL] = True

    def logout(self, request: HttpRequest) -> None:
        """Close the session; its key is worth nothing afterwards."""
        sessions.close(request, "sign_out")


class SigninForm(LoginForm):  # type: ignore[misc]
    """E-mail address and password. An address is folded as it was when the user was made."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        widget = forms.EmailInput(attrs={"autocomplete": "username", "autofocus": True})
        self.fields["login"] = forms.CharField(
            label=_("E-mail address"),
            max_length=254,
            widget=widget,
            error_messages={"required": _("Enter your e-mail address.")},
        )
        self.fields["password"].label = _("Password")
        self.fields["password"].error_messages["required"] = _("Enter your password.")
        self.fields["password"].help_text = ""
        self.fields["password"].widget.attrs.pop("placeholder", None)
        self.order_fields(["login", "password"])

    def clean(self) -> dict[str, Any]:
        """Sign in; a token is refused with words, before anything is hashed or looked up."""
        if any(parse(str(self.data.get(name, "")).strip(), _brands()) for name in ("login", "password")):
            sessions.refused(self.request, self.cleaned_data.get("login", ""), "token")
            raise ValidationError(TOKEN, "token")
        given: dict[str, Any] = super().clean()
        return given

    def clean_login(self) -> str:
        """Return the folded address; a text that is none (a token, say) is refused and looked up nowhere."""
        try:
            return email_address(self.cleaned_data["login"])
        except Refused:
            raise ValidationError(_("Enter an e-mail address, such as ada@acme.example.")) from None


def _brands() -> tuple[str, ...]:
    return (settings.INSTALLATION.brand,)


class Signin(LoginView):  # type: ignore[misc]
    """The sign-in page. 429 where it was tried too often, 503 while too many are signing in."""

    template_name = "console/login.html"
    form_class = SigninForm
    http_method_names = ["get", "head", "post"]

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Show the form; before there is anybody who could sign in, the set-up page."""
        if setup_code.pending() is not None:
            return redirect("console_setup")
        page: HttpResponse = super().get(request, *args, **kwargs)
        return page

    def form_invalid(self, form: SigninForm) -> HttpResponse:
        """Show the form again, without the password."""
        return waits.mark(super().form_invalid(form), form.errors.as_data().get(NON_FIELD_ERRORS, ()))

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Return what the page shows beside the form."""
        asked = self.request.GET
        return {
            **super().get_context_data(**kwargs),
            "ended": asked.get("ended"),
            "refused": single_sign_on.TEXTS.get(asked.get("refused", "")),
            "refused_passkey": asked.get("refused") == "passkey",
            "provider": settings.INSTALLATION.provider,
            "left_provider": asked.get("ended") == "provider",
            "has_passkeys": proving.can_use_passkeys(self.request),
        }


class Signout(LogoutView):  # type: ignore[misc]
    """Asks before it ends the session (GET), or ends it (POST)."""

    template_name = "console/logout.html"
    http_method_names = ["get", "head", "post"]

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """End the session. Who came through the provider is still signed in there, and is told so."""
        came = isinstance(request.user, Login) and single_sign_on.METHOD in factors.method_of(
            request, request.user
        )
        answer: HttpResponse = super().post(request, *args, **kwargs)
        return redirect("/login/?ended=provider") if came else answer
