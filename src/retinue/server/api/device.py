"""``POST /v1/oauth/device``, and its code at ``/v1/oauth/token``: a terminal gets a session (RFC 8628).

No operations of the API: form, answers and errors are those of OAuth 2.0. Who asks is a stranger; who decides
is the person at ``/device``.
"""

from __future__ import annotations

import re
import time

from allauth.core import ratelimit
from django.db import Error
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt

from retinue.server.api import errors, oauth_form
from retinue.server.api.answers import problem_answer, request_id
from retinue.server.api.oauth_form import OAuthError
from retinue.server.credentials import device
from retinue.server.directory.queries import Principal
from retinue.server.errors import Refused
from retinue.server.ledger.transaction import Actor

GRANT = "urn:ietf:params:oauth:grant-type:device_code"
CLIENT = "retinue-cli"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._ -]{0,63}", re.ASCII)


@csrf_exempt
def begin(request: HttpRequest) -> HttpResponse:
    """Answer a device code to a terminal, and the code that a person enters."""
    other = oauth_form.only_post(request)
    if other is not None:
        return other
    try:
        form = oauth_form.read(request)
        _check_client(form)
        name, scope = form.get("client_name", ""), form.get("scope", "")
        if not _NAME.fullmatch(name):
            raise OAuthError("invalid_request", "client_name: the host, 64 characters at most")
        if scope not in ("", device.READ):
            raise OAuthError("invalid_scope", f"no scope, or {device.READ}")
        if not ratelimit.consume(request, action="device_begin"):
            return problem_answer(request, "rate_limited", retry_after=60)
        begun = device.begin(name, request.META.get("REMOTE_ADDR") or "", scope, timezone.now())
    except OAuthError as error:
        return oauth_form.refused(error)
    except (Refused, Error) as error:
        return errors.answer(request, error)
    return oauth_form.answer(
        {
            "device_code": begun.device_code,
            "user_code": begun.user_code,
            "verification_uri": request.build_absolute_uri(reverse("console_device")),
            "expires_in": begun.seconds,
            "interval": device.INTERVAL_SECONDS,
            "pairing_words": begun.words,
        }
    )


def collect(request: HttpRequest, form: dict[str, str]) -> HttpResponse:
    """Answer the session's token to the holder of a device code. Raises :class:`OAuthError`."""
    _check_client(form)
    code = form.get("device_code", "")
    if not 20 <= len(code) <= 64:
        raise OAuthError("invalid_grant", "no such device code")

    def actor(user: Principal) -> Actor:
        return Actor(
            kind=user.kind,
            id=user.id,
            name=user.name,
            organization=user.organization_id,
            address=request.META.get("REMOTE_ADDR") or "",
            request=request_id(request),
            is_operator=user.is_operator,
            channel="api",
        )

    try:
        made = device.collect(code, timezone.now(), actor)
    except device.NotYet as pending:
        raise OAuthError(pending.code, pending.why) from None
    ends = made.credential.expires_at
    seconds = 0 if ends is None else max(0, int(ends.timestamp() - time.time()))
    return oauth_form.answer(
        {"access_token": made.token.reveal(), "token_type": "Bearer", "expires_in": seconds}
    )


def _check_client(form: dict[str, str]) -> None:
    if form.get("client_id") != CLIENT:
        raise OAuthError("unauthorized_client", f"client_id is {CLIENT}")
