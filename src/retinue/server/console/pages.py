"""The pages of the console."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from retinue.server.console import queries
from retinue.server.directory.queries import Login


@require_safe
@login_required
def home(request: HttpRequest) -> HttpResponse:
    """Who is signed in, what stands, what happened last, and what to do next."""
    login = request.user
    assert isinstance(login, Login)  # noqa: S101 - login_required lets nobody else through
    shown = queries.overview(login.principal, timezone.now())
    base_url = request.build_absolute_uri("/").rstrip("/")
    return render(request, "console/home.html", {"overview": shown, "base_url": base_url})
