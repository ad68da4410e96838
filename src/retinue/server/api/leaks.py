"""Tokens that were found where they do not belong: whoever holds one may end it, without an account here."""

from __future__ import annotations

from django.http import HttpRequest
from pydantic import Field

from retinue.attempts import Allowance
from retinue.network import neighbourhood
from retinue.server.api import found_tokens, schemas
from retinue.server.api.answers import request_id
from retinue.server.api.operations import Access, Call, operation
from retinue.server.errors import Refused
from retinue.server.governance import leaks
from retinue.server.ledger.transaction import Actor

TAG = "leaks"
MOST = 1_000
#: Calls of strangers from one network (a /24 or a /64) in an hour.
CALLS, CALLS_SECONDS = 60, 3600.0
allowance = Allowance(CALLS, CALLS_SECONDS)
_Tokens = Field(
    min_length=1, max_length=MOST, description=f"Tokens as they were found, {MOST:,} at most; each is a text."
)


class LeakReport(schemas.Body):
    """Tokens that were found, by whom, and where. All that is stated of the place is kept."""

    tokens: list[str] = _Tokens
    source: str = Field("", description="Who or what found them, such as the name of a scanner.")
    url: str = Field("", description="The page where they were found.")


class LeakTaken(schemas.Answer):
    """The same for tokens that are known here and for those that are not."""

    received: int


class FoundTokens(schemas.Body):
    """Tokens that a scanner found."""

    tokens: list[str] = _Tokens


class TokenVerdict(schemas.Answer):
    """What is known of one token."""

    genuine: bool = Field(description="It belongs to a credential of the organization, whatever its state.")
    usable: bool = Field(description="It works now.")
    credential_id: str | None


class TokenVerdicts(schemas.Answer):
    """One for each token, in the order in which they were sent."""

    items: list[TokenVerdict]


@operation(
    "POST",
    "/leaks/revoke",
    permission=Access.PUBLIC,
    response=LeakTaken,
    status=202,
    tag=TAG,
    changes=False,  # a stranger's: no receipt is shown, no answer is remembered
)
def report_leaked_tokens(call: Call, body: LeakReport) -> schemas.JSON:
    """Revoke the credentials of tokens that were found, as compromised and for good."""
    check_allowance(call.request)
    place = leaks.Place(body.source, body.url)
    place.check()
    end(reporter(call.request), dict.fromkeys(body.tokens, place))
    return {"received": len(body.tokens)}


@operation(
    "POST",
    "/leaks/verify",
    permission="credential:read",
    response=TokenVerdicts,
    tag=TAG,
    changes=False,
)
def verify_found_tokens(call: Call, body: FoundTokens) -> schemas.JSON:
    """Tell which of some tokens are genuine; nothing is ended."""
    known = found_tokens.identify(body.tokens, call.actor)
    return {"items": [_verdict(call, known.get(text.strip())) for text in body.tokens]}


def _verdict(call: Call, found: found_tokens.Found | None) -> schemas.JSON:
    if found is None or found.organization != call.organization:
        return {"genuine": False, "usable": False, "credential_id": None}
    return {"genuine": True, "usable": found.is_usable, "credential_id": found.credential}


def check_allowance(request: HttpRequest) -> None:
    """Count a call of a stranger. Refuses one too many from the same network in an hour."""
    address = request.META.get("REMOTE_ADDR") or ""
    pause = allowance.take(neighbourhood(address) or address)
    if pause:
        raise Refused("rate_limited", f"at most {CALLS} reports an hour from one network; again in {pause} s")


def reporter(request: HttpRequest, name: str = "") -> Actor:
    """Return who reports: nobody that is known here, or a scanner by name."""
    address = request.META.get("REMOTE_ADDR") or ""
    return Actor("anonymous", "", name, "", address=address, request=request_id(request), channel="api")


def end(actor: Actor, found: dict[str, leaks.Place]) -> frozenset[str]:
    """End the credentials of tokens that were found; return the tokens that are genuine."""
    known = found_tokens.identify(found, actor)
    places = {text.strip(): place for text, place in found.items()}
    leaks.report(actor, {each.credential: places[text] for text, each in known.items()})
    return frozenset(known)
