"""``/login/second/``: after the password, what was set up beside it. Until then nobody is signed in."""

from __future__ import annotations

from typing import Any

from allauth.mfa.base.views import AuthenticateView
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.urls import reverse

from retinue.server.console import factors, proving, sessions, waits
from retinue.server.console.security import Answer, is_page
from retinue.server.directory.queries import Login
from retinue.server.ledger.transaction import transaction

#: Where a person may go who has to set up a second factor first.
_OPEN = ("/me/security/", "/confirm/", "/logout/", "/theme/", "/language/")


class SecondStep(AuthenticateView):  # type: ignore[misc]
    """Takes a code of the app, a recovery code or a passkey, and opens the session."""

    template_name = "console/second_step.html"
    form_class = proving.CodeForm
    webauthn_form_class = proving.PasskeyForm
    http_method_names = ["get", "head", "post"]

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Ask whoever gave the right password; a user who was disabled meanwhile begins anew."""
        stage = getattr(request, "_login_stage", None)
        if stage is not None and not stage.login.user.is_active:
            return redirect("account_login")
        page: HttpResponse = super().dispatch(request, *args, **kwargs)
        return page

    def form_valid(self, form: Any) -> HttpResponse:
        """Go on to the session; a recovery code is written down."""
        login = self.stage.login.user
        if isinstance(form, proving.CodeForm) and form.authenticator.type == factors.CODES:
            recovered(self.request, login)
        answer: HttpResponse = super().form_valid(form)
        return answer

    def form_invalid(self, form: Any) -> HttpResponse:
        """Show the page again, with what was wrong."""
        if isinstance(form, proving.PasskeyForm):
            sessions.refused(self.request, self.stage.login.user.email, "factor")
        return waits.mark(super().form_invalid(form), form.errors.as_data().get("code", ()))

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Return what the page offers: what this person has set up."""
        found = factors.of(self.stage.login.user)
        shown = super().get_context_data(**kwargs)
        is_named = proving.can_use_passkeys(self.request)
        return {
            **shown,
            "email": self.stage.login.user.email,
            "has_code": found.totp is not None or found.codes is not None,
            "has_app": found.totp is not None,
            "options": proving.options(self.stage.login.user) if found.passkeys and is_named else "",
            "has_passkeys": bool(found.passkeys),
        }


def recovered(request: HttpRequest, login: Login) -> None:
    """Write down that a recovery code was used up, and how many are left."""
    with transaction(sessions.actor(request, login)) as tx:
        tx.record(
            "recovery_codes.used",
            login.principal_id,
            name=login.email,
            organization=login.principal.organization_id,
            after={"email": login.email, "left": factors.of(login).codes_left},
        )


class EnrolFirst:
    """Django middleware: who must set up a second factor sees no other page before."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer, or lead to the page where a second factor is set up."""
        is_held = is_page(request.path) and not request.path.startswith(_OPEN)
        if is_held and request.user.is_authenticated and sessions.MUST_ENROL in request.session:
            return HttpResponseRedirect(reverse("console_my_security"))
        return self._answer(request)
