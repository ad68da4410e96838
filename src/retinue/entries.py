"""What the request log keeps of a decision, whether a node or a guard has made it."""

from __future__ import annotations

from retinue.decision import Caller, Decision, Denied
from retinue.question import Question
from retinue.token import kept
from retinue.usage import Entry


def entry_of(
    decision: Decision,
    caller: Caller,
    question: Question,
    client: str | None,
    at_ms: int,
    nanoseconds: int,
    request_id: str | None,
    status: int | None = None,
) -> Entry:
    """Return the entry of a decision about a caller's genuine token; no text in it holds the token.

    ``client`` is what the program calls itself, free of the token; ``at_ms`` the wall clock in milliseconds
    since 1970, ``nanoseconds`` what the decision took; ``status`` what the host answered, where it is known.
    """
    reason = decision.reason if isinstance(decision, Denied) else None
    return Entry(
        at_ms,
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
        client,
        caller.revision,
        nanoseconds // 1000,
        request_id,
        question.route,
        status,
    )


def told_client(question: Question) -> str | None:
    """Return what the program of a question calls itself, free of the token."""
    return question.client and kept(question.client, question.token)
