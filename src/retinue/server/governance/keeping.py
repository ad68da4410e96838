"""What falls due by itself: the next full review of an organization, and the end of one."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from retinue.server.directory.queries import Organization, Principal
from retinue.server.errors import Refused
from retinue.server.governance import queries, reviews
from retinue.server.governance.models import Review, ReviewItem
from retinue.server.ledger.transaction import SYSTEM, transaction
from retinue.server.policies.queries import policy_of

_log = logging.getLogger("retinue.governance")


def attend(now: datetime) -> tuple[int, int]:
    """Apply what has ended, open what is due; return how many reviews of each. Several processes may try."""
    return sum(_end(ident, now) for ident in _ended(now)), sum(_open(ident, now) for ident in _due(now))


def prepare(now: datetime) -> int:
    """Gather evidence that open reviews of many accounts still lack, some at once; return of how many."""
    bare = ReviewItem.objects.filter(gathered_at=None, review__state="open")
    return sum(_prepare(ident, now) for ident in list(bare.values_list("review_id", flat=True).distinct()))


def _prepare(ident: str, now: datetime) -> int:
    done = 0
    while some := _some(ident, now):
        done += some
    return done


def _some(ident: str, now: datetime) -> int:
    with transaction(SYSTEM, reason="a review of many accounts") as tx:
        review = Review.objects.select_for_update(no_key=True).get(id=ident)
        some = reviews.gather_some(review, now) if review.state == "open" else 0
        if some:
            after = {"accounts": some}
            tx.record(
                "review.prepared", review.id, name=review.name, organization=review.organization, after=after
            )
    return some


def _ended(now: datetime) -> list[str]:
    return list(Review.objects.filter(state="open", ends_at__lte=now).values_list("id", flat=True))


def _end(ident: str, now: datetime) -> bool:
    """Apply a review whose time to answer is over; whoever was silent is dealt with as the policy said."""
    with transaction(SYSTEM, reason="the time to answer is over") as tx:
        review = Review.objects.select_for_update(no_key=True).get(id=ident)
        if review.state != "open":
            return False
        reviews.apply(tx, review, check=lambda decisions: None)
    return True


def _due(now: datetime) -> list[str]:
    """Return the organizations whose last full review is too long ago; before the first, their beginning."""
    due = []
    for organization in Organization.objects.filter(state="enabled"):
        every = timedelta(days=policy_of(organization.id).reviews.every_days)
        last = _last(organization)
        if every and last + every <= now and _has_accounts(organization.id):
            due.append(organization.id)
    return due


def _last(organization: Organization) -> datetime:
    rows = queries.reviews(organization.id).filter(template="full")
    opened = rows.order_by("-opened_at").values_list("opened_at", flat=True).first()
    return opened or organization.created_at


def _has_accounts(organization_id: str) -> bool:
    rows = Principal.objects.filter(organization_id=organization_id, kind=Principal.SERVICE_ACCOUNT)
    return rows.exclude(state="deleted").exists()


def _open(organization_id: str, now: datetime) -> bool:
    every = timedelta(days=policy_of(organization_id).reviews.every_days)
    try:
        with transaction(SYSTEM, reason="the rhythm of the policy") as tx:
            organization = Organization.objects.select_for_update(no_key=True).get(id=organization_id)
            if _last(organization) + every > now:
                return False  # another process was first
            wanted = reviews.Wanted(f"Access review {now:%Y-%m-%d}")
            reviews.open_review(tx, organization_id, wanted)
    except Refused as refused:
        _log.warning("no review of %s was opened: %s", organization_id, refused.detail)
        return False
    return True
