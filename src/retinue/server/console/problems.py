"""The pages about problems: what ``type`` in an error answer leads to. Public, without the database."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from retinue.decision import Reason
from retinue.problem import CATALOGUE

_TEXTS = Path(__file__).with_name("problems.toml")
_REASONS = frozenset(reason.value for reason in Reason)


@dataclass(frozen=True, slots=True)
class Explained:
    """A problem for people: why it is sent, what to do about it, and a command that helps.

    What stands between backticks in ``cause`` and ``fix`` is code.
    """

    code: str
    status: int
    title: str
    cause: str
    fix: str
    command: str

    @property
    def is_denial(self) -> bool:
        """Whether it is a reason of a denied verification as well."""
        return self.code in _REASONS


@cache
def explained() -> dict[str, Explained]:
    """Return every problem of the catalogue by its code. Raises ``KeyError`` if one is not explained."""
    texts = tomllib.loads(_TEXTS.read_text())
    return {
        code: Explained(code, meaning.status, meaning.title, **texts[code])
        for code, meaning in CATALOGUE.items()
    }


@require_safe
def listed(request: HttpRequest) -> HttpResponse:
    """Show all problems."""
    every = explained().values()
    denials = [each for each in every if each.is_denial]
    others = [each for each in every if not each.is_denial]
    return render(request, "console/problems.html", {"denials": denials, "others": others})


@require_safe
def one(request: HttpRequest, code: str) -> HttpResponse:
    """Explain one problem."""
    found = explained().get(code)
    if found is None:
        raise Http404
    return render(request, "console/problem.html", {"problem": found})
