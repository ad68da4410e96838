"""``POST /v1/leaks/github``: reports of GitHub's secret scanning, signed by GitHub.

It is no operation of the API: body, headers and answer are those of GitHub's partner program. Whose
signatures count is a list of keys that the operator pins; without one there is no such address.
"""

from __future__ import annotations

import base64
import hashlib

import msgspec
from django.db import Error
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

from retinue.server.api import errors, guard, leak_keys, leaks, limits
from retinue.server.api.answers import json_answer, problem_answer
from retinue.server.errors import Refused
from retinue.server.governance.leaks import SOURCE_MAX, URL_MAX, Place, is_page
from retinue.token import holds_token

NAME = "GitHub secret scanning"


class Match(msgspec.Struct):
    """One token that was found. GitHub may send more than is read here."""

    token: str
    type: str = ""
    url: str | None = ""
    source: str | None = ""


@csrf_exempt
def report(request: HttpRequest) -> HttpResponse:
    """End the tokens of a signed report, and tell which of them were genuine."""
    if request.method != "POST":
        answer = problem_answer(request, "method_not_allowed_here")
        answer["Allow"] = "POST"
        return answer
    try:
        return json_answer(_taken(request, _matches(_signed(request))))
    except guard.NotAllowed as denied:
        return denied.answer
    except (Refused, Error) as error:
        return errors.answer(request, error)


def _signed(request: HttpRequest) -> bytes:
    """Return the body, if one of the pinned keys has signed it. Before that nothing of it is looked at."""
    if not leak_keys.are_set():
        raise Refused("not_found", "reports of GitHub are not set up here (RETINUE_LEAK_KEYS_FILE)")
    leaks.check_allowance(request)
    named = request.META.get("HTTP_GITHUB_PUBLIC_KEY_IDENTIFIER", "")
    signature = request.META.get("HTTP_GITHUB_PUBLIC_KEY_SIGNATURE", "")
    if not named or not signature:
        raise Refused("caller_required", "Github-Public-Key-Identifier and Github-Public-Key-Signature")
    body = limits.read_body(request, limits.FORMS, request.META.get("REMOTE_ADDR") or "")
    if not leak_keys.is_signed(body, named, signature):
        raise Refused("caller_required", "the signature does not fit, or its key is not known here")
    return body


def _matches(body: bytes) -> list[Match]:
    try:
        found = msgspec.json.decode(body, type=list[Match])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Refused("bad_json", "a list of {token, type, url, source}", field="body") from None
    if len(found) > leaks.MOST:
        raise Refused("invalid_value", f"at most {leaks.MOST} items", field="body")
    return found


def _taken(request: HttpRequest, matches: list[Match]) -> list[dict[str, str]]:
    places = {match.token: _place(match) for match in matches}
    known = leaks.end(leaks.reporter(request, NAME), places)
    return [
        {
            "token_hash": base64.b64encode(hashlib.sha256(match.token.encode()).digest()).decode(),
            "token_type": match.type,
            "label": "true_positive" if match.token.strip() in known else "false_positive",
        }
        for match in matches
    ]


def _place(match: Match) -> Place:
    """Return where a token was found. What is odd is left out: it must not keep a token alive."""
    source, url = f"github {match.source or ''}".strip(), match.url or ""
    is_odd = len(url) > URL_MAX or holds_token(url) or not is_page(url)
    return Place("github" if holds_token(source) else source[:SOURCE_MAX], "" if is_odd else url)
