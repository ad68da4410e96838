"""Reads of governance: what is found now, and reviews."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime

from django.db.models import Count, Q, QuerySet

from retinue.server.errors import NotFound
from retinue.server.governance import account_findings, credential_findings
from retinue.server.governance.looking import Look
from retinue.server.governance.models import AcceptedFinding, Review, ReviewItem
from retinue.server.governance.rules import KINDS, Found, parse_id
from retinue.server.policies import remembering
from retinue.server.policies.queries import policy_of

__all__ = [
    "AcceptedFinding",
    "Review",
    "ReviewItem",
    "accepted",
    "finding",
    "findings",
    "item",
    "items",
    "progress",
    "review",
    "reviews",
]

Finder = Callable[[Look], Iterator[Found]]
FINDERS: dict[str, Finder] = {
    name: getattr(account_findings if kind.subject == "service_account" else credential_findings, name)
    for name, kind in KINDS.items()
}


def findings(
    organization_id: str,
    now: datetime,
    *,
    kind: str | None = None,
    subject: str | None = None,
    state: str = "open",
    after: tuple[str, str] | None = None,
) -> Iterator[Found]:
    """Yield what is found now: by kind, in the order of their table, then by the subject's id.

    ``state`` is open, accepted or any; ``after`` the kind and subject to go on behind. Kinds that the policy
    does not raise are left out.
    """
    raised = policy_of(organization_id).findings_kinds
    names = [name for name in KINDS if name in raised and kind in (None, name)]
    begun = after is None or after[0] not in names
    granted = accepted(organization_id, now)
    for name in names:
        last = ""
        if after is not None and not begun:
            if name != after[0]:
                continue
            begun, last = True, after[1]
        subjects: list[str] | list[str | None] = [subject]
        if state == "accepted":  # a few, and known: no other subject is looked at
            subjects = sorted(each for of, each in granted if of == name and each > last)
            subjects = [each for each in subjects if subject in (None, each)]
        for each in subjects:
            for found in FINDERS[name](Look(organization_id, now, each, last)):
                is_accepted = (name, found.subject) in granted
                if state == "any" or is_accepted == (state == "accepted"):
                    yield found


def finding(organization_id: str, ident: str, now: datetime) -> Found:
    """Return one finding by id, open or accepted. Raises :class:`NotFound` once its cause has ended."""
    kind, subject = parse_id(ident)
    found = next(findings(organization_id, now, kind=kind, subject=subject, state="any"), None)
    if found is None:
        raise NotFound("finding", ident)
    return found


def accepted(organization_id: str, now: datetime) -> dict[tuple[str, str], AcceptedFinding]:
    """Return the exceptions of an organization that have not ended, by kind and subject."""
    rows = AcceptedFinding.objects.filter(organization=organization_id, until__gt=now)
    found = remembering.once(("accepted", organization_id, now), lambda: list(rows))
    return {(row.kind, row.subject): row for row in found}


def reviews(organization_id: str, *, state: str | None = None) -> QuerySet[Review]:
    """Return the reviews of an organization; the caller orders them by ``(-opened_at, -id)``."""
    rows = Review.objects.filter(organization=organization_id)
    return rows if state is None else rows.filter(state=state)


def review(organization_id: str, ident: str, *, lock: bool = False) -> Review:
    """Return a review; ``lock`` holds its row until the commit. Raises :class:`NotFound`."""
    rows = Review.objects.filter(organization=organization_id, id=ident)
    found = (rows.select_for_update(no_key=True) if lock else rows).first()
    if found is None:
        raise NotFound("review", ident)
    return found


def items(review_: Review, *, decided: bool | None = None) -> QuerySet[ReviewItem]:
    """Return the items of a review; the caller orders them by id."""
    rows = ReviewItem.objects.filter(review=review_)
    if decided is None:
        return rows
    return rows.exclude(decision="") if decided else rows.filter(decision="")


def item(review_: Review, ident: str, *, lock: bool = False) -> ReviewItem:
    """Return one item of a review. Raises :class:`NotFound`."""
    rows = ReviewItem.objects.filter(review=review_, id=ident)
    found = (rows.select_for_update(no_key=True) if lock else rows).first()
    if found is None:
        raise NotFound("review item", ident)
    return found


def progress(review_ids: Iterable[str]) -> dict[str, tuple[int, int]]:
    """Return (accounts, decided) of each review, in one query."""
    found = dict.fromkeys(review_ids, (0, 0))
    rows = ReviewItem.objects.filter(review_id__in=list(found)).values("review_id")
    for row in rows.annotate(accounts=Count("id"), decided=Count("id", filter=~Q(decision=""))):
        found[row["review_id"]] = (row["accounts"], row["decided"])
    return found
