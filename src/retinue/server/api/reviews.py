"""Access reviews: is each account still needed, with these permissions and this owner?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import Field

from retinue.server.api import render, schemas
from retinue.server.api.answers import instant
from retinue.server.api.cursors import Listing, page
from retinue.server.api.operations import Call, operation
from retinue.server.directory import queries as directory
from retinue.server.directory.queries import Principal
from retinue.server.errors import NotFound
from retinue.server.governance import queries
from retinue.server.governance import reviews as actions

TAG = "reviews"
LIST, ONE = "/reviews", "/reviews/{review_id}"
ITEM = f"{ONE}/items/{{item_id}}"
#: What the decisions in a review need of whoever applies it.
NEEDS: dict[str, tuple[str, ...]] = {
    "keep": (),
    "silent": (),
    "reduce": ("grant:create", "grant:delete"),
    "disable": ("service_account:disable",),
    "delete": ("service_account:delete",),
    "reassign": ("service_account:update",),
}


class ReviewProgress(schemas.Answer):
    """How many accounts are in it, and how many are decided."""

    accounts: int
    decided: int


class Review(schemas.Answer):
    """An access review."""

    id: str
    name: str
    template: Literal["full", "idle", "scope"]
    state: Literal["open", "applied", "cancelled"]
    no_answer: Literal["report", "disable"] = Field(description="What silence means once it has ended.")
    fallback: schemas.PrincipalRef | None
    opened_at: str
    opened_by: schemas.PrincipalRef | None
    due_at: str
    ends_at: str = Field(description="Until then backup and fallback are asked; then it can be applied.")
    applied_at: str | None
    applied_by: schemas.PrincipalRef | None
    progress: ReviewProgress


class ReviewList(schemas.Answer):
    """A page of reviews, the newest first."""

    items: list[Review]
    next: str | None


class ReviewFilter(schemas.ListQuery):
    """Filters of the list of reviews."""

    state: Literal["open", "applied", "cancelled"] | None = None


class OpenReview(schemas.WithReason):
    """A new review."""

    name: str
    template: Literal["full", "idle", "scope"] = Field(
        "full", description="All accounts, the idle ones, or those of `accounts` and `environment`."
    )
    accounts: list[str] = Field([], max_length=1000, description="Service accounts, by id or handle.")
    environment: str = ""
    due_days: int = 14
    fallback: str = Field("", description="Who is asked where no owner answers: a user.")


class ReviewItem(schemas.Answer):
    """One account of a review, with what was known when it was opened."""

    id: str
    account: schemas.PrincipalRef | None
    evidence: dict[str, Any]
    gathered_at: str | None = Field(
        description="When the evidence was frozen. Without, it is of now: a review of many accounts."
    )
    asked: schemas.PrincipalRef | None = Field(description="Who is asked now.")
    needs_reason: bool = Field(description="Unused or elevated: to keep it needs a note.")
    decision: Literal["keep", "reduce", "disable", "delete", "reassign"] | None
    note: str
    assignee: schemas.PrincipalRef | None
    decided_by: schemas.PrincipalRef | None
    decided_at: str | None
    outcome: str | None


class ReviewItemList(schemas.Answer):
    """A page of the accounts of a review."""

    items: list[ReviewItem]
    next: str | None


class ItemFilter(schemas.ListQuery):
    """Filters of the accounts of a review."""

    decided: bool | None = None


class Decide(schemas.WithReason):
    """A decision about one account."""

    decision: Literal["keep", "reduce", "disable", "delete", "reassign", "undecided"]
    note: str = ""
    assignee: str = Field("", description="The new owner, with `reassign`.")


class ReviewResult(schemas.Answer):
    """A review with all its accounts."""

    review: Review
    items: list[ReviewItem]


def _asked(call: Call, review_id: str, item_id: str) -> str | None:
    try:
        review = queries.review(call.organization, review_id)
        return actions.asked(review, queries.item(review, item_id), call.now) or None
    except NotFound:
        return None  # to whom may not decide, it makes no difference


@operation("GET", LIST, permission="review:read", response=ReviewList, tag=TAG)
def list_reviews(call: Call, query: ReviewFilter) -> schemas.JSON:
    """List access reviews, the newest first."""
    filters = query.filters()
    rows, following = page(
        queries.reviews(call.organization, **filters),
        Listing("reviews", call.organization, filters, ("-opened_at", "-id")),
        cursor=query.cursor,
        limit=query.limit,
    )
    return {"items": _reviews(rows), "next": following}


@operation("POST", LIST, permission="review:create", response=Review, status=201, tag=TAG)
def open_review(call: Call, body: OpenReview) -> schemas.JSON:
    """Open an access review: its accounts and who is asked are frozen now, and their evidence.

    Of more than 500 accounts, the evidence is frozen within the hour, or with the decision about one.
    """
    accounts = tuple(
        directory.find_principal(
            call.organization, text, Principal.SERVICE_ACCOUNT, field=f"accounts.{place}"
        ).id
        for place, text in enumerate(body.accounts)
    )
    fallback = _user(call, body.fallback, "fallback")
    wanted = actions.Wanted(body.name, body.template, accounts, body.environment, body.due_days, fallback)
    return _reviews([actions.open_review(call.tx, call.organization, wanted)])[0]


@operation("GET", ONE, permission="review:read", response=Review, tag=TAG)
def get_review(call: Call, review_id: str) -> schemas.JSON:
    """Get an access review."""
    return _reviews([queries.review(call.organization, review_id)])[0]


@operation("GET", f"{ONE}/items", permission="review:read", response=ReviewItemList, tag=TAG)
def list_review_items(call: Call, review_id: str, query: ItemFilter) -> schemas.JSON:
    """List the accounts of a review, with evidence and decisions."""
    review = queries.review(call.organization, review_id)
    filters = query.filters()
    rows, following = page(
        queries.items(review, **filters),
        Listing("review items", review.id, filters, ("id",)),
        cursor=query.cursor,
        limit=query.limit,
    )
    return {"items": _items(call, review, rows), "next": following}


@operation("GET", ITEM, permission="review:read", or_own=_asked, response=ReviewItem, tag=TAG)
def get_review_item(call: Call, review_id: str, item_id: str) -> schemas.JSON:
    """Get one account of a review; whoever is asked about it may."""
    review = queries.review(call.organization, review_id)
    return _items(call, review, [queries.item(review, item_id)])[0]


@operation("POST", f"{ITEM}/decide", permission="review:decide", or_own=_asked, response=ReviewItem, tag=TAG)
def decide_review_item(call: Call, review_id: str, item_id: str, body: Decide) -> schemas.JSON:
    """Decide about one account, or take that back; whoever is asked may.

    Nothing changes until the review is applied.
    """
    review = queries.review(call.organization, review_id, lock=True)
    item = queries.item(review, item_id, lock=True)
    assignee = _user(call, body.assignee, "assignee")
    actions.decide(call.tx, review, item, decision=body.decision, note=body.note, assignee=assignee)
    return _items(call, review, [item])[0]


@operation("POST", f"{ONE}/apply", permission="review:decide", response=Review, tag=TAG, reduces=True)
def apply_review(call: Call, review_id: str, body: schemas.WithReason) -> schemas.JSON:
    """Carry out the decisions of a review; needs what each of them needs besides."""

    def check(decisions: Sequence[str]) -> None:
        call.need(*(name for decision in decisions for name in NEEDS[decision]))

    review = queries.review(call.organization, review_id, lock=True)
    return _reviews([actions.apply(call.tx, review, check=check)])[0]


@operation("POST", f"{ONE}/cancel", permission="review:create", response=Review, tag=TAG)
def cancel_review(call: Call, review_id: str, body: schemas.WithReason) -> schemas.JSON:
    """End a review without carrying anything out."""
    return _reviews([actions.cancel(call.tx, queries.review(call.organization, review_id, lock=True))])[0]


@operation("POST", f"{ONE}/export", permission="review:read", response=ReviewResult, tag=TAG)
def export_review(call: Call, review_id: str, body: schemas.WithReason) -> schemas.JSON:
    """Get a review with all its accounts at once; the audit log says who did."""
    review = queries.review(call.organization, review_id)
    rows = list(queries.items(review).order_by("id"))
    actions.exported(call.tx, review, len(rows))
    return {"review": _reviews([review])[0], "items": _items(call, review, rows, frozen=True)}


def _user(call: Call, text: str, field: str) -> str:
    return directory.find_principal(call.organization, text, Principal.USER, field=field).id if text else ""


def _reviews(rows: Sequence[queries.Review]) -> list[schemas.JSON]:
    people = directory.principals(
        ident for row in rows for ident in (row.opened_by, row.applied_by, row.fallback)
    )
    progress = queries.progress(row.id for row in rows)
    return [
        {
            "id": row.id,
            "name": row.name,
            "template": row.template,
            "state": row.state,
            "no_answer": row.no_answer,
            "fallback": render.ref(people.get(row.fallback)),
            "opened_at": instant(row.opened_at),
            "opened_by": render.ref(people.get(row.opened_by)),
            "due_at": instant(row.due_at),
            "ends_at": instant(row.ends_at),
            "applied_at": instant(row.applied_at),
            "applied_by": render.ref(people.get(row.applied_by)),
            "progress": dict(zip(("accounts", "decided"), progress[row.id], strict=True)),
        }
        for row in rows
    ]


def _items(
    call: Call, review: queries.Review, rows: Sequence[queries.ReviewItem], *, frozen: bool = False
) -> list[schemas.JSON]:
    """Return accounts of a review; without ``frozen``, those with no evidence get that of now."""
    gathered = {row.id: row.gathered_at for row in rows}
    if not frozen:
        actions.fill_in(review, [row for row in rows if row.gathered_at is None], call.now)
    asked = {row.id: actions.asked(review, row, call.now) for row in rows if review.state == "open"}
    ids = {each for row in rows for each in (row.account, row.assignee, row.decided_by)}
    people = directory.principals(ids | set(asked.values()))
    return [
        {
            "id": row.id,
            "account": render.ref(people.get(row.account)),
            "evidence": row.evidence,
            "gathered_at": instant(gathered[row.id]),
            "asked": render.ref(people.get(asked.get(row.id, ""))),
            "needs_reason": row.needs_reason,
            "decision": row.decision or None,
            "note": row.note,
            "assignee": render.ref(people.get(row.assignee)),
            "decided_by": render.ref(people.get(row.decided_by)),
            "decided_at": instant(row.decided_at),
            "outcome": row.outcome or None,
        }
        for row in rows
    ]
