"""A decision as a node tells it in JSON."""

from __future__ import annotations

import msgspec

from retinue.decision import NATIVE_TERMS, Allowed, Decision, Quota, Reason, Terms
from retinue.node.responses import rfc3339
from retinue.verifier import Question


class Account(msgspec.Struct, frozen=True, gc=False):
    """Who presented a genuine token."""

    id: str
    kind: str
    name: str


class ToldTerms(msgspec.Struct, frozen=True, gc=False):
    """How the organization wants a denial told (``responses.status``, ``responses.errors``)."""

    unauthenticated: int
    forbidden: int
    limited: int
    flat: bool
    challenges: tuple[str, ...]


class Answer(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A decision as JSON. Everything about the account is null unless the token is genuine.

    ``quota`` stands there for an account with a limit, ``access_token`` if one was presented for the key,
    ``retires_at`` for a key that was rotated, ``terms`` in a denial that is told by other terms than the
    native ones, ``request_id`` in one that stands in the request log.
    """

    allowed: bool
    reason: Reason | None
    account: Account | None
    organization: str | None
    credential_id: str | None
    permission: str | None
    revision: int | None
    expires_at: str | None
    rotate_by: str | None
    warnings: tuple[str, ...]
    quota: Quota | None = None
    access_token: bool = False
    terms: ToldTerms | None = None
    retires_at: str | None = None
    request_id: str | None = None


def answer_for(decision: Decision, question: Question, request_id: str | None = None) -> Answer:
    """Return a decision as it is sent. ``permission`` is the missing one, or the first that was asked for."""
    caller = decision.caller
    reason = None if type(decision) is Allowed else decision.reason  # type: ignore[union-attr]
    permission = decision.permission or (question.need[0] if question.need else None)
    terms = None if reason is None or decision.terms == NATIVE_TERMS else _told(decision.terms)
    if caller is None:
        return Answer(False, reason, None, None, None, permission, None, None, None, (), terms=terms)
    return Answer(
        reason is None,
        reason,
        Account(caller.id, caller.kind, caller.name),
        caller.organization,
        caller.credential_id,
        permission,
        caller.revision,
        _instant(caller.expires_at_ms),
        _instant(caller.rotate_by_ms),
        caller.warnings,
        decision.quota,
        caller.access_until_ms > 0,
        terms,
        _instant(caller.retires_at_ms),
        request_id,
    )


def _told(terms: Terms) -> ToldTerms:
    return ToldTerms(terms.unauthenticated, terms.forbidden, terms.limited, terms.flat, terms.challenges)


def _instant(instant_ms: int) -> str | None:
    return rfc3339(instant_ms) if instant_ms else None
