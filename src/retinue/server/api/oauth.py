"""``POST /v1/oauth/token``: a key is exchanged for a short-lived access token (RFC 6749, 4.4).

It is no operation of the API: form, answers and errors are those of OAuth 2.0. Nothing is written; the
request log has the exchange under the account's name. A terminal whose code was entered in the console gets
its session at the same address (:mod:`~retinue.server.api.device`).
"""

from __future__ import annotations

import time
from urllib.parse import unquote_plus

from django.db import Error
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt

from retinue.decision import Caller, Denied, Reason
from retinue.presented import authorization
from retinue.server.api import decided, device, errors, guard, oauth_form
from retinue.server.api.answers import denial_answer, problem_answer
from retinue.server.api.oauth_form import OAuthError
from retinue.server.credentials import queries
from retinue.server.credentials.exchanging import exchange
from retinue.server.errors import Refused
from retinue.server.ledger.transaction import reading
from retinue.token import SECRET_LENGTH, Kind, is_kid
from retinue.verifier import Question

#: A key that is narrowed to parts of the host's API can be exchanged: its access token is narrowed so too.
_LATER = frozenset({Reason.ENDPOINT_NOT_ALLOWED, Reason.METHOD_NOT_ALLOWED})
_KINDS = frozenset({Kind.API_KEY.value})


@csrf_exempt
def token(request: HttpRequest) -> HttpResponse:
    """Answer an access token to a client that shows its key."""
    other = oauth_form.only_post(request)
    if other is not None:
        return other
    try:
        form = oauth_form.read(request)
        if form.get("grant_type") == device.GRANT:
            return device.collect(request, form)
        _check_grant(form)
        return _granted(request, *_client(request, form))
    except OAuthError as error:
        return oauth_form.refused(error)
    except guard.NotAllowed as denied:
        return denied.answer
    except (Refused, Error) as error:
        return errors.answer(request, error)


def _check_grant(form: dict[str, str]) -> None:
    if "grant_type" not in form:
        raise OAuthError("invalid_request", "grant_type is required")
    if form["grant_type"] != "client_credentials":
        raise OAuthError("unsupported_grant_type", "client_credentials and device_code are offered")
    if form.get("scope"):
        raise OAuthError("invalid_scope", "an access token has the permissions of its account; name no scope")


def _client(request: HttpRequest, form: dict[str, str]) -> tuple[str, str]:
    """Return id and secret of the client, from Basic (RFC 6749, 2.3.1) or the body; one of both."""
    header = request.META.get("HTTP_AUTHORIZATION", "").encode("latin-1", "replace")
    named = "client_secret" in form
    if header:
        presented = authorization(header)
        if named:
            raise OAuthError("invalid_request", "authenticate in one way")
        if presented.scheme != "basic_pair" or presented.token is None:
            raise OAuthError("invalid_client", "Basic with client_id and client_secret")
        ident, _, secret = presented.token.partition(":")
        ident, secret = unquote_plus(ident), unquote_plus(secret)
        if form.get("client_id", ident) != ident:
            raise OAuthError("invalid_request", "two clients")
        return ident, secret
    if not (named and form.get("client_id")):
        raise OAuthError("invalid_client", "client_id and client_secret are required")
    return form["client_id"], form["client_secret"]


def _granted(request: HttpRequest, ident: str, secret: str) -> HttpResponse:
    """Decide about the key as about every token, and exchange it."""
    # Of the format `pair` id and secret are the halves of a token; else the secret is a whole one.
    whole = f"{ident}:{secret}" if is_kid(ident) and len(secret) == SECRET_LENGTH else secret
    question = Question(
        whole,
        address=request.META.get("REMOTE_ADDR"),
        method=request.method,
        path=request.path,
        scheme=None,
        kinds=_KINDS,
    )
    origin = guard.origin(request, whole, guard.Access.SELF)
    began = time.perf_counter_ns()
    with reading():
        decision = guard.verifier().verify(question)
        guard.count(origin, decision)
        spent_us = (time.perf_counter_ns() - began) // 1000
        if isinstance(decision, Denied) and decision.reason not in _LATER:
            raise _denied(request, decision, spent_us)
        if decision.caller is None:
            raise OAuthError("invalid_client", "no such client")
        answer = _exchanged(ident, decision.caller)
        decided.log(request, decision.caller, None, None, spent_us)
        return answer


def _exchanged(ident: str, caller: Caller) -> HttpResponse:
    if caller.access_until_ms:
        raise OAuthError("invalid_client", "an access token is exchanged for nothing")
    key = queries.by_ids([caller.credential_id])[caller.credential_id]
    if ident not in (key.id, key.kid):
        raise OAuthError("invalid_client", "client_id is the id of the key")
    try:
        made, seconds = exchange(key, timezone.now())
    except Refused as refused:
        raise OAuthError("unauthorized_client", refused.detail or refused.code) from None
    return oauth_form.answer({"access_token": made.reveal(), "token_type": "Bearer", "expires_in": seconds})


def _denied(request: HttpRequest, decision: Denied, spent_us: int) -> Exception:
    if decision.reason is Reason.REPLICA_STALE:
        return guard.NotAllowed(problem_answer(request, "epoch_recovering", retry_after=1))
    if decision.caller is None:
        return OAuthError("invalid_client", "no such client")
    decided.log(request, decision.caller, decision.reason.value, None, spent_us)
    if decision.reason is Reason.RATE_LIMITED:
        return guard.NotAllowed(denial_answer(request, decision))
    return OAuthError("invalid_client", decision.reason.value)
