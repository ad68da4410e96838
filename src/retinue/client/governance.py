"""Findings and access reviews: what the API answers, as types, and its operations; see ``models``."""

from __future__ import annotations

from typing import Any

from msgspec import UNSET, Struct, UnsetType, field

from retinue.client.models import Page, PrincipalRef, Receipt
from retinue.client.operations import Operation


class FindingSubject(Struct, kw_only=True):
    """What a finding is about."""

    id: str
    kind: str
    name: str | None = None
    account: PrincipalRef | None = None


class FindingException(Struct, kw_only=True):
    """Who answers for a finding, why, and until when."""

    reason: str
    until: str
    accepted_by: PrincipalRef | None = None
    accepted_at: str | None = None


class Finding(Struct, kw_only=True):
    """What is not as it should be."""

    id: str
    kind: str
    severity: str
    meaning: str = ""
    proposed: str = ""
    subject: FindingSubject
    since: str | None = None
    state: str
    exception: FindingException | None = None
    evidence: dict[str, Any] = field(default_factory=dict)


class Progress(Struct, kw_only=True):
    """How many accounts are in a review, and how many are decided."""

    accounts: int = 0
    decided: int = 0


class Review(Struct, kw_only=True):
    """An access review."""

    id: str
    name: str
    template: str
    state: str
    no_answer: str = ""
    fallback: PrincipalRef | None = None
    opened_at: str | None = None
    opened_by: PrincipalRef | None = None
    due_at: str | None = None
    ends_at: str | None = None
    applied_at: str | None = None
    applied_by: PrincipalRef | None = None
    progress: Progress = field(default_factory=Progress)
    receipt: Receipt | UnsetType = UNSET


class ReviewItem(Struct, kw_only=True):
    """One account of a review."""

    id: str
    account: PrincipalRef | None = None
    evidence: dict[str, Any] = field(default_factory=dict)
    asked: PrincipalRef | None = None
    needs_reason: bool = False
    decision: str | None = None
    note: str = ""
    assignee: PrincipalRef | None = None
    decided_by: PrincipalRef | None = None
    decided_at: str | None = None
    outcome: str | None = None


class ReviewResult(Struct, kw_only=True):
    """A review with all its accounts."""

    review: Review
    items: list[ReviewItem]


_FINDING, _REVIEW = "/v1/findings/{id}", "/v1/reviews/{id}"
LIST_FINDINGS: Operation[Page[Finding]] = Operation("GET", "/v1/findings", "finding:read", Page[Finding])
ACCEPT_FINDING: Operation[Finding] = Operation("POST", f"{_FINDING}/accept", "finding:resolve", Finding)
REOPEN_FINDING: Operation[Finding] = Operation("POST", f"{_FINDING}/reopen", "finding:resolve", Finding)
LIST_REVIEWS: Operation[Page[Review]] = Operation("GET", "/v1/reviews", "review:read", Page[Review])
OPEN_REVIEW: Operation[Review] = Operation("POST", "/v1/reviews", "review:create", Review, True)
GET_REVIEW: Operation[Review] = Operation("GET", _REVIEW, "review:read", Review)
LIST_REVIEW_ITEMS: Operation[Page[ReviewItem]] = Operation(
    "GET", f"{_REVIEW}/items", "review:read", Page[ReviewItem]
)
DECIDE_REVIEW_ITEM: Operation[ReviewItem] = Operation(
    "POST", f"{_REVIEW}/items/{{item_id}}/decide", "review:decide", ReviewItem
)
APPLY_REVIEW: Operation[Review] = Operation("POST", f"{_REVIEW}/apply", "review:decide", Review)
CANCEL_REVIEW: Operation[Review] = Operation("POST", f"{_REVIEW}/cancel", "review:create", Review)
EXPORT_REVIEW: Operation[ReviewResult] = Operation(
    "POST", f"{_REVIEW}/export", "review:read", ReviewResult, in_earnest=True
)
