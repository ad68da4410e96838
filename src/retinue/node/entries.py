"""What the request log keeps of the decisions of a node."""

from __future__ import annotations

from time import time_ns

from retinue.decision import Decision
from retinue.entries import entry_of, told_client
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
    at_ms, client = time_ns() // 1_000_000, _client(request, question)
    return entry_of(decision, caller, question, client, at_ms, nanoseconds, request_id)


def _client(request: Request | None, question: Question) -> str | None:
    if request is None:
        return told_client(question)
    agent = request.fields.get(b"user-agent")
    return kept(agent.decode("latin-1"), question.token) if agent else None
