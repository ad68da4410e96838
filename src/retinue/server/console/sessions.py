"""Browser sessions in the ledger, and their end: 30 minutes without a request, 12 hours in all."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import urlencode

from django.conf import settings
from django.contrib.auth import logout, update_session_auth_hash
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from retinue.server.console.refusals import BUDGET
from retinue.server.console.security import Answer, is_page
from retinue.server.console.store import ADDRESS, AGENT, OPENED_AT, SEEN_AT
from retinue.server.credentials.queries import Credential
from retinue.server.directory.queries import BrowserSession, Login, installation
from retinue.server.ledger.pruning import delete_some
from retinue.server.ledger.transaction import SYSTEM, Actor, transaction

IDLE_SECONDS = 30 * 60
ABSOLUTE_SECONDS = 12 * 3600
#: The time of the last request is written at most once in so many seconds.
SEEN_EVERY_SECONDS = 60
SIGNED_IN_AT = "retinue_signed_in_at"
#: The header ``Retinue-Unattended``, with which pages ask by themselves.
UNATTENDED = "HTTP_RETINUE_UNATTENDED"
#: Set while a person must set up a second factor before anything else.
MUST_ENROL = "retinue_must_enrol"
#: Subject of a refused sign-in whose e-mail address belongs to nobody.
NOBODY = "unknown"


def wall_clock() -> float:
    """Return the present time in seconds since 1970."""
    return time.time()


def actor(request: HttpRequest, login: Login) -> Actor:
    """Return the person behind ``login`` as the actor of a transaction."""
    who = login.principal
    return Actor(
        kind=who.kind,
        id=who.id,
        name=who.name,
        organization=who.organization_id,
        address=address(request),
        request=_request_id(request),
        is_operator=who.is_operator,
        channel="console",
        signed_in_at=_signed_in_at(request),
    )


def _signed_in_at(request: HttpRequest) -> datetime | None:
    at = request.session.get(SIGNED_IN_AT)
    return None if at is None else datetime.fromtimestamp(at, UTC)


def opened(request: HttpRequest, login: Login, method: str) -> None:
    """Write down that a person signs in, and how. Called before the session exists: none stays unrecorded."""
    _record("session.opened", actor(request, login), login, {"email": login.email, "method": method})


def begin_clock(request: HttpRequest) -> None:
    """Start the clocks of the present session."""
    session, now = request.session, wall_clock()
    session[OPENED_AT] = session[SEEN_AT] = session[SIGNED_IN_AT] = now
    session[ADDRESS], session[AGENT] = address(request), request.headers.get("User-Agent", "")[:200]


def confirmed(request: HttpRequest, login: Login, method: str) -> None:
    """Write down that who is signed in has shown once more who it is. The session gets another key."""
    _record("session.confirmed", actor(request, login), login, {"email": login.email, "method": method})
    request.session[SIGNED_IN_AT] = wall_clock()
    request.session.cycle_key()


def keep(request: HttpRequest, login: Login) -> None:
    """Keep the present session after its person has another password; all others end by that."""
    update_session_auth_hash(request, login)


def close(request: HttpRequest, cause: str) -> None:
    """End the present session, if any, and write down why: ``sign_out``, ``idle`` or ``age``."""
    login = request.user
    if isinstance(login, Login):
        _record("session.closed", actor(request, login), login, {"email": login.email, "cause": cause})
    logout(request)


def _record(event: str, who: Actor, login: Login, after: dict[str, object]) -> None:
    with transaction(who) as tx:
        tx.record(
            event,
            login.principal_id,
            name=login.email,
            organization=login.principal.organization_id,
            after=after,
        )


def refused(request: HttpRequest, email: str, cause: str) -> None:
    """Write down a refused sign-in: ``credentials``, ``disabled``, ``factor`` or ``rate_limited``.

    Neither the password nor anything about it is kept. The same queries run whether or not the address is
    known, so that the time of the answer tells nothing. Over the budget it is only counted.
    """
    unwritten = BUDGET.take()
    if unwritten is None:
        return
    login = Login.objects.filter(email=email).select_related("principal").first()
    home = installation()
    if home is None:
        return
    subject = NOBODY if login is None else login.principal_id
    organization = home.id if login is None else login.principal.organization_id
    after = {"email": email, "cause": cause, "unwritten_before": unwritten}
    with transaction(_stranger(request)) as tx:
        tx.record("session.refused", subject, name=email, organization=organization, after=after)


def setup_refused(request: HttpRequest, waiting: Credential) -> None:
    """Write down that a wrong setup code was sent; over the budget it is only counted."""
    unwritten = BUDGET.take()
    if unwritten is not None:
        with transaction(_stranger(request)) as tx:
            after = {"unwritten_before": unwritten}
            home = waiting.organization_id
            tx.record("setup_code.refused", waiting.id, name=waiting.name, organization=home, after=after)


def invitation_refused(request: HttpRequest) -> None:
    """Write down that a wrong invitation was sent; over the budget it is only counted."""
    unwritten, home = BUDGET.take(), installation()
    if unwritten is not None and home is not None:
        with transaction(_stranger(request)) as tx:
            after = {"unwritten_before": unwritten}
            tx.record("invitation.refused", NOBODY, name="invitation", organization=home.id, after=after)


def invited(row: Credential, request: HttpRequest) -> Actor:
    """Return the actor who uses an invitation: its user, with it."""
    who = row.principal
    if who is None:
        raise ValueError(f"{row.id} is no invitation")
    return Actor(
        kind=who.kind,
        id=who.id,
        name=who.name,
        organization=who.organization_id,
        credential=row.id,
        address=address(request),
        request=_request_id(request),
        channel="console",
    )


def holder_of(code: Credential, request: HttpRequest) -> Actor:
    """Return the actor of a set-up: Retinue itself, for whoever holds the code that ``init`` printed."""
    return replace(SYSTEM, credential=code.id, address=address(request), request=_request_id(request))


def _stranger(request: HttpRequest) -> Actor:
    return Actor(
        kind="anonymous",
        id="anonymous",
        name="",
        organization="",
        address=address(request),
        request=_request_id(request),
    )


def _request_id(request: HttpRequest) -> str:
    return getattr(request, "retinue_id", "")


def address(request: HttpRequest) -> str:
    """Return the client's address."""
    return str(request.META.get("REMOTE_ADDR") or "")


def left(request: HttpRequest) -> int:
    """Return how many seconds the present session has, if nobody does anything."""
    now, session = wall_clock(), request.session
    idle = IDLE_SECONDS - (now - session.get(SEEN_AT, now))
    return max(0, int(min(idle, ABSOLUTE_SECONDS - (now - session.get(OPENED_AT, now)))))


class SessionLimits:
    """Django middleware: ends a session that is too old, and sends its person to the sign-in page."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer, or redirect to the sign-in page with the address that was asked for."""
        cookie = settings.SESSION_COOKIE_NAME in request.COOKIES
        if not cookie or not is_page(request.path) or not request.user.is_authenticated:
            return self._answer(request)
        now = wall_clock()
        cause = _over(request, now)
        if cause is not None:
            close(request, cause)
            wanted = request.get_full_path() if request.method in ("GET", "HEAD") else "/"
            query = urlencode({"ended": cause, "next": wanted})
            return HttpResponseRedirect(f"{reverse('account_login')}?{query}")
        is_asked = request.path == reverse("console_session_left") and "stay" not in request.GET
        # A page that asks every few seconds says so: nobody sits before it for that.
        is_asked = is_asked or UNATTENDED in request.META
        if not is_asked and now - request.session[SEEN_AT] >= SEEN_EVERY_SECONDS:
            request.session[SEEN_AT] = now
        return self._answer(request)


def end(who: Actor, login: Login, rows: QuerySet[BrowserSession]) -> int:
    """End sessions of a person, and write down how many; their browsers are strangers from now on."""
    with transaction(who) as tx:
        count = rows.filter(login=login).delete()[0]
        if count:
            tx.record(
                "session.closed",
                login.principal_id,
                name=login.email,
                organization=login.principal.organization_id,
                after={"email": login.email, "cause": "ended", "sessions": count},
            )
    return count


def is_over(opened_at: datetime | None, seen_at: datetime | None) -> bool:
    """Tell whether a session that is still kept opens nothing any more."""
    opened, seen = (None if at is None else at.timestamp() for at in (opened_at, seen_at))
    return _cause(opened, seen, wall_clock()) is not None


def _over(request: HttpRequest, now: float) -> str | None:
    return _cause(request.session.get(OPENED_AT), request.session.get(SEEN_AT), now)


def _cause(opened_at: float | None, seen_at: float | None, now: float) -> str | None:
    if opened_at is None or seen_at is None or now - opened_at >= ABSOLUTE_SECONDS:
        return "age"
    return "idle" if now - seen_at >= IDLE_SECONDS else None


def prune(now: datetime, most: int) -> int:
    """Delete at most ``most`` sessions that have ended by themselves; return how many went."""
    return delete_some(BrowserSession.objects.filter(expire_date__lt=now), most)
