"""What the request log keeps of the decisions of a node."""

from __future__ import annotations

from time import time_ns

from retinue.decision import Allowed, Decision
from retinue.node.exchange import Request
from retinue.token import kept
from retinue.usage import Entry
from retinue.verifier import Question


def entry_for(
    decision: Decision, question: Question, request: Request | None, nanoseconds: int, request_id: str | None
) -> Entry | None:
    """Return what the request log keeps of a decision; nothing of strangers."""
    caller = decision.caller
    if caller is None:
        return None
    reason = None if type(decision) is Allowed else decision.reason  # type: ignore[union-attr]
    return Entry(
        time_ns() // 1_000_000,
        caller.organization,
        caller.id,
        caller.name,
        caller.kind,
        caller.credential_id,
        reason is None,
        reason,
        decision.permission or (question.need[0] if question.need else None),
        question.method,
        question.path and kept(question.path, question.token),
        question.address,
        _client(request, question),
        caller.revision,
        nanoseconds // 1000,
        request_id,
        question.route,
    )


def _client(request: Request | None, question: Question) -> str | None:
    if request is None:
        return question.client and kept(question.client, question.token)
    agent = request.fields.get(b"user-agent")
    return kept(agent.decode("latin-1"), question.token) if agent else None
