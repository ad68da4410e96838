"""Who looks at a page: the person, what they may, the words of their organization, the way to operations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, wraps
from typing import Any, Concatenate, ParamSpec

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse

from retinue.server.access.beginning import begin_read
from retinue.server.access.queries import effective, facts_of, roles, roles_of
from retinue.server.api import inside
from retinue.server.api.inside import Outcome
from retinue.server.console import asking, places, sessions
from retinue.server.console.words import Words
from retinue.server.directory.queries import Login, Organization, Principal
from retinue.server.ledger.transaction import Actor
from retinue.server.policies import remembering
from retinue.server.policies.policy import Policy
from retinue.server.policies.queries import policy_of

#: What the last change said, for the page that follows it.
SAID = "retinue_said"
P = ParamSpec("P")
Page = Callable[..., HttpResponseBase]


class Trouble(Exception):
    """An operation that a page needs was refused; the page says so instead."""

    def __init__(self, operation: str, outcome: Outcome) -> None:
        super().__init__(f"{operation}: {outcome.code}")
        self.operation = operation
        self.outcome = outcome


@dataclass
class Viewer:
    """A person who is signed in, in their organization."""

    request: HttpRequest
    person: Principal
    actor: Actor
    held: frozenset[str]
    said: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def of(cls, request: HttpRequest, about: str = "") -> Viewer:
        """Return who is signed in; ``about`` is the account or user of the page, if it is one's page."""
        login = request.user
        assert isinstance(login, Login)  # noqa: S101 - nobody else is let through
        person = login.principal
        remembering.learn("principals", {person.id: person})
        begin_read(person.organization_id)
        if about:  # what both hold is read together
            facts_of([person.organization_id], [person.id, about])
        return cls(request, person, sessions.actor(request, login), effective(person))

    @property
    def organization(self) -> Organization:
        """The person's organization; what is of another does not exist here."""
        return self.person.organization

    @cached_property
    def policy(self) -> Policy:
        """What is in force in the organization."""
        return policy_of(self.person.organization_id)

    @cached_property
    def words(self) -> Words:
        """The words of the organization."""
        return Words(self.policy.terminology)

    @cached_property
    def roles(self) -> list[str]:
        """The names of the roles that the person holds."""
        named = roles(self.person.organization_id)
        held = roles_of([self.person.id])[self.person.id]
        return [named[handle].name for handle in held if handle in named]

    @property
    def is_in_dialog(self) -> bool:
        """Whether a fragment for the page's dialog is asked for, instead of a page."""
        return self.request.headers.get("HX-Target") == "dialog"

    def may(self, operation: str) -> bool:
        """Tell whether the person holds what an operation needs."""
        return self.held.issuperset(inside.needs(operation))

    def missing(self, operation: str) -> tuple[str, ...]:
        """Return what the person would need for an operation, and does not hold."""
        return tuple(each for each in inside.needs(operation) if each not in self.held)

    def call(
        self,
        operation: str,
        path: dict[str, str] | None = None,
        *,
        query: dict[str, str] | None = None,
        body: dict[str, Any] | None = None,
        once: str = "",
    ) -> Outcome:
        """Call an operation of the API as this person.

        ``once`` makes a repetition answer as the first call did, like ``Idempotency-Key``: a form that is
        sent twice makes one thing.
        """
        meta = self.request.META
        before = meta.pop("HTTP_IDEMPOTENCY_KEY", None)
        if once:
            meta["HTTP_IDEMPOTENCY_KEY"] = f"console-{once}"
        try:
            return inside.call(
                self.request,
                self.person,
                self.actor,
                operation,
                path=path,
                query=query,
                body=body,
                held=self.held,
            )
        finally:
            meta.pop("HTTP_IDEMPOTENCY_KEY", None)
            if before is not None:
                meta["HTTP_IDEMPOTENCY_KEY"] = before

    def get(
        self, operation: str, path: dict[str, str] | None = None, *, query: dict[str, str] | None = None
    ) -> dict[str, Any]:
        """Return what a reading operation answers. Raises :class:`Trouble`."""
        outcome = self.call(operation, path, query=query)
        if not outcome.is_done:
            raise Trouble(operation, outcome)
        return outcome.body

    def url(self, name: str, *ids: str) -> str:
        """Return the address of a page in this organization."""
        return reverse(f"console_{name}", args=[self.organization.handle, *ids])

    def say(self, text: object, **more: Any) -> None:
        """Keep a sentence for the next page, with ``tone``, ``detail``, ``receipt``, the address ``undo``.

        ``undo_with`` has the fields that are sent there.
        """
        self.request.session[SAID] = [*self.request.session.get(SAID, []), {"text": str(text), **more}]

    def render(self, template: str, status: int = 200, **context: Any) -> HttpResponse:
        """Render a page, or the fragment of it that the page's dialog shows."""
        if not self.is_in_dialog and SAID in self.request.session:
            self.said = self.request.session.pop(SAID)
        frame = "console/dialog.html" if self.is_in_dialog else "console/frame.html"
        found = {"viewer": self, "words": self.words, "frame": frame, **context}
        return render(self.request, f"console/{template}", found, status=status)

    def leave(self, url: str) -> HttpResponse:
        """Go on to another page, from a page or from its dialog."""
        if self.request.headers.get("HX-Request") != "true":
            return HttpResponse(status=303, headers={"Location": url})
        return HttpResponse(status=204, headers={"HX-Redirect": url})


def page(view: Callable[Concatenate[Viewer, P], HttpResponseBase]) -> Page:
    """Make a page for people who are signed in; its address names their own organization.

    What an operation refuses while a page is read becomes a page that says so.
    """

    @login_required
    @wraps(view)
    def shown(request: HttpRequest, handle: str = "", *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        with remembering.reads(request.method in ("GET", "HEAD")):
            viewer = Viewer.of(request, str(kwargs.get("account_id") or kwargs.get("user_id") or ""))
            if handle and handle != viewer.organization.handle:
                raise Http404
            try:
                return view(viewer, *args, **kwargs)
            except Trouble as trouble:
                return _troubled(viewer, trouble)

    return shown


def _troubled(viewer: Viewer, trouble: Trouble) -> HttpResponse:
    outcome = trouble.outcome
    if outcome.status == 404:
        raise Http404
    match = viewer.request.resolver_match
    place, title = places.of(match.url_name or "" if match else "")
    about = {"problem": outcome.body, "place": place, "title": title}
    if outcome.status != 403:
        return viewer.render("states/failed_page.html", outcome.status, **about)
    ask = asking.whom(viewer.organization.id, "user:update")
    needed = outcome.body.get("required")
    return viewer.render("states/forbidden_page.html", 403, needed=needed, ask=ask, **about)
