"""Passkeys: the way in without a password, and their own pages."""

from __future__ import annotations

import json
from typing import Any

from allauth.account.adapter import get_adapter
from allauth.account.models import Login as Attempt
from allauth.core import ratelimit
from allauth.mfa.models import Authenticator
from allauth.mfa.webauthn.internal import auth as webauthn
from allauth.mfa.webauthn.internal import flows
from django import forms
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from retinue.server.console import enrolling, factors, my_security, proving, sessions
from retinue.server.console.viewer import Viewer, page
from retinue.server.directory.rules import check_name
from retinue.server.errors import Refused
from retinue.server.ledger.transaction import transaction

NAME_MAX = 64


@require_http_methods(["GET", "HEAD", "POST"])
def sign_in(request: HttpRequest) -> HttpResponse:
    """Give the browser what it asks a passkey with (GET), or sign in with what that has signed (POST)."""
    limited: HttpResponse | None = ratelimit.consume_or_429(request, action="passkey")
    if limited is not None:
        return limited
    if request.method != "POST":
        return JsonResponse(dict(webauthn.begin_authentication(None)))
    form = proving.PasskeyForm(user=None, data=request.POST)
    wanted = request.POST.get("next", "")
    if not form.is_valid() or not _may(request, form.cleaned_data["credential"]):
        if not form.is_valid():
            sessions.refused(request, "", "factor")
        return redirect(f"/login/?{urlencode({'refused': 'passkey', 'next': wanted})}")
    found = form.cleaned_data["credential"]
    attempt = Attempt(user=found.user, redirect_url=wanted if get_adapter().is_safe_url(wanted) else None)
    answer: HttpResponse = flows.perform_passwordless_login(request, found, attempt)
    return answer


def _may(request: HttpRequest, found: Authenticator) -> bool:
    if not found.user.is_active:
        sessions.refused(request, found.user.email, "disabled")
    return bool(found.user.is_active)


class NewPasskey(forms.Form):
    """A name, and what the new passkey has signed."""

    name = forms.CharField(max_length=NAME_MAX, required=False)
    credential = forms.JSONField(widget=forms.HiddenInput)

    def __init__(self, *args: Any, request: HttpRequest, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._request = request

    def clean_name(self) -> str:
        """Return the name, or one for who gave none: the device has the passkey already."""
        try:
            return check_name(self.cleaned_data["name"]) if self.cleaned_data["name"] else _("Passkey")
        except Refused as refused:
            raise ValidationError(refused.detail) from None

    def clean_credential(self) -> Any:
        """Check it by the library, and that it was made on a page of ours."""
        sent = self.cleaned_data["credential"]
        try:
            proving.check_origin(self._request, sent)
            webauthn.parse_registration_response(sent)
            webauthn.complete_registration(sent)
        except (ValidationError, ValueError, TypeError, KeyError, AttributeError):
            raise ValidationError(proving.WRONG_PASSKEY, "incorrect_code") from None
        return sent


@require_http_methods(["GET", "HEAD", "POST"])
@page
def add(viewer: Viewer) -> HttpResponse:
    """Show the form that makes a passkey, or keep the one that was made."""
    stale = my_security.stale(viewer)
    if stale is not None:
        return stale
    request, login = viewer.request, my_security.login_of(viewer)
    if request.method != "POST":
        return _form(viewer)
    form = NewPasskey(request.POST, request=request)
    if not form.is_valid():
        return _form(viewer, form)
    try:
        with transaction(viewer.actor) as tx:
            enrolling.add_passkey(tx, login, form.cleaned_data["name"], form.cleaned_data["credential"])
            codes = [] if factors.of(login).codes else enrolling.issue_codes(tx, login)
    except Refused as refused:
        form.add_error(None, refused.detail)
        return _form(viewer, form)
    return my_security.enrolled(viewer, _("The passkey is set up."), codes)


def _form(viewer: Viewer, form: NewPasskey | None = None) -> HttpResponse:
    """Begin anew: what a passkey is asked to sign is good for one attempt."""
    is_named = proving.can_use_passkeys(viewer.request)
    return viewer.render(
        "me/passkey.html",
        form=form,
        is_named=is_named,
        options=_wanted(viewer) if is_named else "",
        place="security",
    )


def _wanted(viewer: Viewer) -> str:
    """What the browser makes a passkey with: one that signs in alone where the device can do that."""
    asked = webauthn.begin_registration(my_security.login_of(viewer), passwordless=False)
    wanted: dict[str, Any] = json.loads(json.dumps(asked))
    wanted["publicKey"]["authenticatorSelection"] |= {
        "residentKey": "preferred",
        "requireResidentKey": False,
        "userVerification": "preferred",
    }
    return json.dumps(wanted)


@require_POST
@page
def change(viewer: Viewer, number: int, name: str) -> HttpResponse:
    """Rename or remove a passkey."""
    stale = my_security.stale(viewer)
    if stale is not None:
        return stale
    login = my_security.login_of(viewer)
    row = Authenticator.objects.filter(user=login, type=factors.PASSKEY, pk=number).first()
    if row is None:
        raise Http404
    if name == "remove":
        return my_security.removed(viewer, row, _("The passkey is removed."))
    wanted = viewer.request.POST.get("name", "").strip()[:NAME_MAX]
    try:
        with transaction(viewer.actor) as tx:
            enrolling.rename_passkey(tx, login, row, check_name(wanted))
    except Refused as refused:
        viewer.say(refused.detail, tone="bad")
    return viewer.leave(my_security.HERE)
