"""The home page, and what belongs to no other page."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST, require_safe

from retinue.server.console import charting, checklist, queries
from retinue.server.console.viewer import Viewer, page
from retinue.server.governance import queries as governance
from retinue.server.traffic import counts

THEME_COOKIE = "retinue-theme"
THEMES = ("light", "dark", "system")
KEYS_COOKIE = "retinue-keys"
KEYS = ("on", "off")
#: So many reviews are shown, those that are due first.
REVIEWS = 3
AS_THE_BROWSER = "browser"
_YEAR = 365 * 24 * 3600


@require_safe
@page
def home(viewer: Viewer) -> HttpResponse:
    """What needs somebody now, what stands, what happened last, and what to do next."""
    now = timezone.now()
    shown = queries.overview(viewer.person, viewer.held, now)
    steps = checklist.of(viewer, now)
    base_url = viewer.request.build_absolute_uri("/").rstrip("/")
    return viewer.render("home.html", overview=shown, steps=steps, base_url=base_url, place="home")


@require_safe
@page
def reviews(viewer: Viewer) -> HttpResponse:
    """The open reviews that are due first: a part of the home page, empty where there is none to see."""
    outcome = viewer.call("list_reviews", query={"state": "open", "limit": "20"})
    found = sorted(outcome.body.get("items", []), key=lambda each: str(each["due_at"]))
    return viewer.render("parts/reviews_due.html", reviews=found[:REVIEWS])


@require_safe
@page
def decided(viewer: Viewer) -> HttpResponse:
    """Decisions by hour and denials by reason within a day: a part of the home page, asked for by itself."""
    if viewer.missing("list_requests"):
        return viewer.render("parts/decided.html", denied=None)
    until = timezone.now()
    since = until - queries.DAY
    counted = counts.timeline(viewer.organization.id, since, until, "hour")
    return viewer.render(
        "parts/decided.html",
        denied=queries.denied(viewer.organization.id, since),
        bars=charting.bars(counted, since, until, "hour", {}),
        width=charting.WIDTH,
        height=charting.HEIGHT,
        since=since,
    )


@require_safe
@page
def findings(viewer: Viewer) -> HttpResponse:
    """The counts of what is found now: a part of the home page, asked for by itself as it takes longer."""
    governance.settle()
    outcome = viewer.call("count_findings")
    items = outcome.body["items"] if outcome.is_done else None
    return viewer.render(
        "parts/findings.html",
        findings=items,
        is_looked_at=governance.is_looked_at(viewer.organization.id),
        as_of=outcome.body.get("as_of"),
        is_behind=governance.is_behind(viewer.organization.id),
        problem=None if outcome.is_done else outcome.body,
    )


@require_safe
@page
def fleet(viewer: Viewer) -> HttpResponse:
    """The nodes now: a part of the home page, asked for by itself."""
    sees = "node:read" in viewer.held
    last = queries.last_held(viewer.organization.id) if sees else None
    return viewer.render("parts/fleet.html", fleet=queries.fleet() if sees else None, last=last)


@require_POST
def theme(request: HttpRequest) -> HttpResponse:
    """Keep which colours the pages have, in this browser, and go back to where it was chosen."""
    return _kept(request, THEME_COOKIE, request.POST.get("theme", ""), THEMES)


@require_POST
def keys(request: HttpRequest) -> HttpResponse:
    """Keep whether single keys do something, in this browser (WCAG 2.1.4), and go back."""
    return _kept(request, KEYS_COOKIE, request.POST.get("keys", ""), KEYS)


@require_POST
def language(request: HttpRequest) -> HttpResponse:
    """Keep the language of the pages, in this browser, and go back; ``browser``: as it asks for."""
    choices = (*(code for code, _name in settings.LANGUAGES), AS_THE_BROWSER)
    return _kept(request, settings.LANGUAGE_COOKIE_NAME, request.POST.get("language", ""), choices)


def _kept(request: HttpRequest, cookie: str, chosen: str, choices: tuple[str, ...]) -> HttpResponse:
    back = request.POST.get("next", "/")
    is_ours = back.startswith("/") and url_has_allowed_host_and_scheme(back, allowed_hosts=None)
    answer = HttpResponse(status=303, headers={"Location": back if is_ours else "/"})
    if chosen in choices:
        answer.set_cookie(
            cookie,
            chosen,
            max_age=_YEAR,
            httponly=True,
            samesite="Lax",
            secure=settings.SESSION_COOKIE_SECURE,
        )
    return answer
