"""``/me/security/``: what a person signs in with. Each change needs a sign-in of the last 15 minutes."""

from __future__ import annotations

from typing import Any

from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import generate_totp_secret
from django import forms
from django.conf import settings
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from retinue.server.console import enrolling, factors, failures, passwords, proving, sessions
from retinue.server.console.viewer import Viewer, page
from retinue.server.directory import actions as directory
from retinue.server.directory.queries import Identity, Login
from retinue.server.errors import Refused
from retinue.server.ledger.transaction import transaction

HERE = "/me/security/"
#: The secret of an app that is being set up, sealed.
_SECRET = "retinue_new_app"  # noqa: S105 - a key of the session


def login_of(viewer: Viewer) -> Login:
    """Return the login of who looks at a page."""
    login = viewer.request.user
    assert isinstance(login, Login)  # noqa: S101 - ``page`` lets nobody else through
    return login


def stale(viewer: Viewer) -> HttpResponse | None:
    """Return where to show once more who one is; ``None`` for whoever did so within 15 minutes."""
    at = viewer.actor.signed_in_at
    if at is not None and timezone.now() - at <= proving.RECENT:
        return None
    wanted = viewer.request.get_full_path() if viewer.request.method in ("GET", "HEAD") else HERE
    return redirect(f"/confirm/?{urlencode({'next': wanted})}")


def enrolled(viewer: Viewer, said: str, codes: list[str]) -> HttpResponse:
    """End the other sessions, and show recovery codes that were made, once; or go back."""
    viewer.request.session.pop(sessions.MUST_ENROL, None)
    enrolling.end_others(viewer.request, login_of(viewer))
    if codes:
        return shown_once(viewer, codes, said)
    viewer.say(said)
    return viewer.leave(HERE)


def removed(viewer: Viewer, row: Authenticator, said: str) -> HttpResponse:
    """Remove an app or a passkey, and end the other sessions."""
    login = login_of(viewer)
    with transaction(viewer.actor) as tx:
        enrolling.remove(tx, login, row)
    enrolling.end_others(viewer.request, login)
    if factors.is_due(login):
        viewer.request.session[sessions.MUST_ENROL] = True
    viewer.say(said)
    return viewer.leave(HERE)


def shown_once(viewer: Viewer, codes: list[str], said: str) -> HttpResponse:
    """Show recovery codes; nobody can see them again."""
    grouped = [" ".join(code[n : n + 4] for n in range(0, len(code), 4)) for code in codes]
    return viewer.render("me/codes.html", codes=grouped, said=said, after=HERE, place="security")


@require_safe
@page
def shown(viewer: Viewer) -> HttpResponse:
    """Everything a person signs in with."""
    login = login_of(viewer)
    return viewer.render(
        "me/security.html",
        factors=factors.of(login),
        has_password=login.has_usable_password(),
        provider=settings.INSTALLATION.provider,
        is_connected=Identity.objects.filter(login=login).exists(),
        must_enrol=sessions.MUST_ENROL in viewer.request.session,
        place="security",
    )


class AppForm(forms.Form):
    """The first code of an app."""

    code = forms.CharField(max_length=64, error_messages={"required": "Enter the code."})


@require_http_methods(["GET", "HEAD", "POST"])
@page
def app(viewer: Viewer) -> HttpResponse:
    """Show the secret for an app, or take the first code and set it up."""
    recent = stale(viewer)
    if recent is not None:
        return recent
    login, session = login_of(viewer), viewer.request.session
    if factors.of(login).totp is not None:
        return viewer.leave(HERE)
    if viewer.request.method != "POST" or _SECRET not in session:
        session[_SECRET] = factors.Adapter().encrypt(generate_totp_secret())
        return _app_page(viewer)
    secret = factors.Adapter().decrypt(session[_SECRET])
    counter = factors.counter_of(secret, viewer.request.POST.get("code", "")[:64])
    if counter is None:
        return _app_page(viewer, proving.WRONG_CODE)
    try:
        with transaction(viewer.actor) as tx:
            enrolling.add_totp(tx, login, secret, counter)
            codes = [] if factors.of(login).codes else enrolling.issue_codes(tx, login)
    except Refused:  # another window was faster
        return viewer.leave(HERE)
    del session[_SECRET]
    return enrolled(viewer, _("The authenticator app is set up."), codes)


def _app_page(viewer: Viewer, error: Any = "") -> HttpResponse:
    adapter = factors.Adapter()
    secret = adapter.decrypt(viewer.request.session[_SECRET])
    address = adapter.build_totp_url(login_of(viewer), secret)
    drawn = adapter.build_totp_svg(address)
    return viewer.render(
        "me/app.html",
        422 if error else 200,
        picture=SafeString(drawn[drawn.index("<svg") :]),
        address=address,
        secret=" ".join(secret[n : n + 4] for n in range(0, len(secret), 4)),
        error=error,
        place="security",
    )


@require_POST
@page
def remove_app(viewer: Viewer) -> HttpResponse:
    """Remove the authenticator app."""
    row = factors.of(login_of(viewer)).totp
    if row is None:
        return viewer.leave(HERE)
    return stale(viewer) or removed(viewer, row, _("The authenticator app is removed."))


@require_POST
@page
def codes(viewer: Viewer) -> HttpResponse:
    """Make new recovery codes and show them once; the ones before end."""
    recent = stale(viewer)
    if recent is not None:
        return recent
    try:
        with transaction(viewer.actor) as tx:
            made = enrolling.issue_codes(tx, login_of(viewer))
    except Refused as refused:
        viewer.say(refused.detail, tone="bad")
        return viewer.leave(HERE)
    return shown_once(viewer, made, _("The codes before are worth nothing now."))


class NewPassword(passwords.PasswordForm):
    """Another password for who is signed in."""

    def __init__(self, *args: Any, login: Login, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._login = login

    def address(self) -> str:
        """Return the address that the password must not be like."""
        return str(self._login.email)


@require_http_methods(["GET", "HEAD", "POST"])
@page
def password(viewer: Viewer) -> HttpResponse:
    """Choose another password; every other session ends."""
    recent = stale(viewer)
    if recent is not None:
        return recent
    login, request = login_of(viewer), viewer.request
    form = NewPassword(request.POST if request.method == "POST" else None, login=login)
    if request.method != "POST" or not form.is_valid():
        return viewer.render("me/password.html", form=form, place="security")
    with transaction(viewer.actor) as tx:
        changed = directory.set_password(tx, viewer.person, form.cleaned_data["password"])
        enrolling.say(tx, "password.changed", login)
    sessions.keep(request, changed)
    failures.forget(failures.Origin(login.email, sessions.address(request)))
    enrolling.end_others(request, login)
    viewer.say(_("The password is changed."))
    return viewer.leave(HERE)
