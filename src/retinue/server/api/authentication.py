"""Who calls: the same verifier as on every node, over the database itself."""

from __future__ import annotations

from functools import cache

from django.conf import settings
from django.http import HttpRequest

from retinue.decision import Allowed, Caller, Decision, Denied, Reason
from retinue.server.credentials.actions import peppers
from retinue.server.directory.queries import principals
from retinue.server.ledger.transaction import Actor
from retinue.server.nodes.database import DatabaseReplica
from retinue.verifier import CALLER_KINDS, Question, Verifier

NODE_KINDS = frozenset({"node"})


@cache
def verifier() -> Verifier:
    """Return the control plane's verifier."""
    return Verifier(DatabaseReplica(), peppers(), brands=(settings.INSTALLATION.brand,))


def presented(request: HttpRequest) -> tuple[str | None, str]:
    """Return (token, scheme) of the one ``Authorization`` header.

    A server may join two headers with a comma; so may a caller. Either is no scheme that is accepted.
    """
    header: str = request.META.get("HTTP_AUTHORIZATION", "")
    if not header.strip():
        return None, "bearer"
    scheme, _, token = header.strip().partition(" ")
    if "," in header or scheme.lower() != "bearer":
        return token or "?", "other"
    return token.strip() or None, "bearer"


def decide(request: HttpRequest, need: tuple[str, ...], kinds: frozenset[str] = CALLER_KINDS) -> Decision:
    """Decide whether the caller may use an operation that needs ``need``."""
    token, scheme = presented(request)
    return verifier().verify(Question(token, need, scheme=scheme, kinds=kinds))


def actor(request: HttpRequest, caller: Caller) -> Actor:
    """Return the caller as the actor of a transaction."""
    principal = principals([caller.id]).get(caller.id)
    return Actor(
        kind=caller.kind,
        id=caller.id,
        name=caller.name,
        organization=caller.organization,
        credential=caller.credential_id,
        address=request.META.get("REMOTE_ADDR") or "",
        request=getattr(request, "retinue_id", ""),
        is_operator=principal is not None and principal.is_operator,
    )


__all__ = ["NODE_KINDS", "Allowed", "Denied", "Reason", "actor", "decide", "presented", "verifier"]
