"""Single sign-on: to the identity provider and back, to sign in, to confirm, to connect."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from allauth.account.adapter import get_adapter
from allauth.account.internal.flows.login import perform_login, record_authentication
from allauth.account.models import Login as Attempt
from allauth.core import ratelimit
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from django.views.decorators.http import require_GET, require_POST

from retinue.server.console import enrolling, factors, federation, my_security, sessions
from retinue.server.console.federation import Failed, Person
from retinue.server.console.viewer import SAID, Viewer, page
from retinue.server.credentials import identities
from retinue.server.directory.queries import Login
from retinue.server.errors import Refused
from retinue.server.ledger.transaction import Actor, transaction

METHOD = "single_sign_on"
#: What a person reads about each way in which it can fail.
TEXTS = {
    "none": lazy("This installation knows no identity provider."),
    "down": lazy("The identity provider does not answer. Try again, or use another way."),
    "state": lazy("This sign-in was not begun in this browser, or more than an hour ago. Try again."),
    "denied": lazy("The identity provider signed nobody in."),
    "invalid": lazy("The identity provider's answer cannot be trusted. Tell your administrator."),
    "unverified": lazy("The identity provider does not vouch for your e-mail address."),
    "unknown": lazy(
        "Nobody here is connected to this person. Were you invited with this address? If you have a "
        "password, sign in by it, and connect on the page Signing in."
    ),
    "disabled": lazy("This person cannot sign in here now. Ask your administrator."),
    "stale": lazy("The identity provider did not ask you again."),
    "other": lazy("The identity provider signed in somebody else."),
}


@require_POST
def begin(request: HttpRequest) -> HttpResponse:
    """Lead to the provider: to sign in, or, where somebody is signed in, to confirm or to connect."""
    limited: HttpResponse | None = ratelimit.consume_or_429(request, action="sso")
    if limited is not None:
        return limited
    login, purpose = request.user, request.POST.get("purpose", "")
    kept: dict[str, Any] = {"next": request.POST.get("next", "")[:2048], "purpose": "sign_in"}
    if isinstance(login, Login):
        if purpose not in ("confirm", "connect"):
            return redirect("console_home")
        if purpose == "connect":
            recent = my_security.stale(Viewer.of(request))
            if recent is not None:
                return recent
        kept |= {"purpose": purpose, "login": login.pk}
    try:
        url = federation.begin(request, anew=kept["purpose"] == "confirm", **kept)
    except Failed as failed:
        return _failed(request, failed)
    if federation.leaves_at(url):
        return redirect(url)
    # Its page is elsewhere than its name says: no form of ours may lead there, but a link may.
    return render(request, "console/onward.html", {"url": url, "name": federation.provider().name})


@require_GET
def done(request: HttpRequest) -> HttpResponse:
    """Come back from the provider."""
    try:
        person, kept = federation.finish(request)
        login = request.user
        if kept["purpose"] == "sign_in":
            if isinstance(login, Login):
                return redirect("console_home")
            return _signed_in(request, person, kept)
        if not isinstance(login, Login) or login.pk != kept["login"]:
            raise Failed("state")
        if kept["purpose"] == "confirm":
            return _confirmed(request, login, person, kept)
        return _connected(request, login, person)
    except Failed as failed:
        return _failed(request, failed)


def _signed_in(request: HttpRequest, person: Person, kept: dict[str, Any]) -> HttpResponse:
    login = identities.find(federation.provider().issuer, person.subject) or _new(request, person)
    if not login.is_active:
        raise Failed("disabled", login.email)
    wanted = kept["next"] if get_adapter().is_safe_url(kept["next"]) else "/"
    record_authentication(request, login, METHOD, proven=person.is_proven)
    if not person.is_proven and factors.of(login).is_protected:
        answer: HttpResponse = perform_login(request, Attempt(user=login, redirect_url=wanted))
        return answer
    get_adapter().login(request, login)
    return redirect(wanted)


def _new(request: HttpRequest, person: Person) -> Login:
    """Return the login of somebody who was invited, made now. Nobody else gets one."""
    known = federation.provider()
    user = identities.awaited(person.email, known.domains) if person.email else None
    if user is None:
        raise Failed("unknown" if person.email else "unverified", person.email)
    actor = Actor(
        kind=user.kind,
        id=user.id,
        name=user.name,
        organization=user.organization_id,
        address=sessions.address(request),
        channel="console",
    )
    try:
        with transaction(actor, reason="single sign-on") as tx:
            return identities.begin(tx, user, known.issuer, person.subject)
    except Refused:  # another window was faster
        raise Failed("unknown", person.email) from None


def _confirmed(request: HttpRequest, login: Login, person: Person, kept: dict[str, Any]) -> HttpResponse:
    found = identities.find(federation.provider().issuer, person.subject)
    if found is None or found.pk != login.pk:
        raise Failed("other", login.email)
    if person.at < kept["at"] - federation.LEEWAY_SECONDS:
        raise Failed("stale", login.email)
    sessions.confirmed(request, login, METHOD)
    return redirect(kept["next"] if get_adapter().is_safe_url(kept["next"]) else "/")


def _connected(request: HttpRequest, login: Login, person: Person) -> HttpResponse:
    viewer = Viewer.of(request)
    recent = my_security.stale(viewer)
    if recent is not None:
        return recent
    try:
        with transaction(viewer.actor) as tx:
            identities.link(tx, login, federation.provider().issuer, person.subject)
    except Refused as refused:
        viewer.say(refused.detail, tone="bad")
        return redirect(my_security.HERE)
    enrolling.end_others(request, login)
    viewer.say(_("You can sign in through %(name)s now.") % {"name": federation.provider().name})
    return redirect(my_security.HERE)


def _failed(request: HttpRequest, failed: Failed) -> HttpResponse:
    """Say what went wrong, where its person is; an answer that is false is in the audit log."""
    if isinstance(request.user, Login):
        said = {"text": str(TEXTS[failed.cause]), "tone": "bad"}
        request.session[SAID] = [*request.session.get(SAID, []), said]
        return redirect(my_security.HERE)
    if failed.cause not in ("none", "down"):
        sessions.refused(request, failed.email, f"{METHOD}_{failed.cause}")
    return redirect(f"/login/?{urlencode({'refused': failed.cause})}")


@require_POST
@page
def disconnect(viewer: Viewer) -> HttpResponse:
    """Sign in through the provider no more."""
    recent = my_security.stale(viewer)
    if recent is not None:
        return recent
    login = my_security.login_of(viewer)
    try:
        with transaction(viewer.actor) as tx:
            identities.unlink(tx, login, federation.provider().issuer)
    except (Refused, Failed) as refused:
        text = refused.detail if isinstance(refused, Refused) else str(TEXTS["none"])
        viewer.say(text, tone="bad")
        return viewer.leave(my_security.HERE)
    enrolling.end_others(viewer.request, login)
    viewer.say(_("You sign in through it no more."))
    return viewer.leave(my_security.HERE)


@require_GET
def leave(request: HttpRequest) -> HttpResponse:
    """Lead to the page where one signs out of the provider too."""
    url = federation.end_page()
    if not url:
        return redirect("account_login")
    known = federation.provider()
    back = request.build_absolute_uri("/login/")
    query = urlencode({"client_id": known.client_id, "post_logout_redirect_uri": back})
    return redirect(f"{url}{'&' if '?' in url else '?'}{query}")
