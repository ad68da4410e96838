"""Reads of governance: findings and reviews."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime
from heapq import merge
from typing import Any

from django.db.models import Count, Max, Q, QuerySet

from retinue.server.errors import NotFound
from retinue.server.governance import kept
from retinue.server.governance.computing import Wanted, accepted, computed
from retinue.server.governance.kept import settle
from retinue.server.governance.models import AcceptedFinding, Review, ReviewItem
from retinue.server.governance.rules import KINDS, PLACES, Found, parse_id

__all__ = [
    "AcceptedFinding",
    "Review",
    "ReviewItem",
    "Wanted",
    "accepted",
    "as_of",
    "computed",
    "counts",
    "finding",
    "findings",
    "is_behind",
    "is_looked_at",
    "item",
    "items",
    "progress",
    "review",
    "reviews",
    "settle",
]


def findings(
    organization_id: str,
    now: datetime,
    *,
    kind: str | None = None,
    subject: str | None = None,
    account: str | None = None,
    state: str = "open",
    after: tuple[str, str] | None = None,
) -> Iterator[Found]:
    """Yield what is found, the worst first: by kind, in the order of their table, then by the subject's id.

    ``account`` asks for what is about a principal or its credentials. ``state`` is open, accepted or any;
    ``after`` the kind and subject to go on behind. Kinds that the policy does not raise are left out.

    Read are the findings that are kept; for what was changed since they were last brought up to date, and for
    an organization of which none are kept yet, they are computed.
    """
    known = kept.standing(organization_id)
    wanted = Wanted(organization_id, now, kind, subject, account, state, after)
    if known is None:
        if kept.is_settled():
            return iter(())
        holders = None if account is None else frozenset((account,))
        return computed(replace(wanted, holders=holders))
    if not known.moved or kept.is_settled():
        return kept.listed(wanted)
    moved = known.moved if account is None else known.moved & {account}
    fresh = computed(replace(wanted, holders=moved)) if moved else iter(())
    return merge(
        kept.listed(wanted, without=known.moved), fresh, key=lambda each: (PLACES[each.kind], each.subject)
    )


def counts(organization_id: str, now: datetime) -> dict[str, int]:
    """Return how many findings of each kind are open, of those kinds that have any."""
    known = kept.standing(organization_id)
    found: Counter[str] = Counter()
    moved = None if known is None else known.moved
    if kept.is_settled():
        moved = frozenset()
    if moved is None or moved:
        found.update(each.kind for each in computed(Wanted(organization_id, now, holders=moved)))
    if known is not None and moved is not None:
        found.update(kept.counts(organization_id, now, without=moved))
    return {name: found[name] for name in KINDS if found[name]}


def as_of(organization_id: str, now: datetime) -> datetime:
    """Return when everything of an organization was last looked at; ``now`` where nothing is kept yet."""
    known = kept.standing(organization_id)
    return now if known is None else known.as_of


def is_behind(organization_id: str) -> bool:
    """Tell whether kept findings lack what was changed about somebody; at first they say nothing."""
    known = kept.standing(organization_id)
    return known is None or bool(known.moved)


def is_looked_at(organization_id: str) -> bool:
    """Tell whether everything of an organization was looked at once; soon after it is made, it is."""
    return kept.standing(organization_id) is not None


def finding(organization_id: str, ident: str, now: datetime) -> Found:
    """Return one finding by id, open or accepted, as of now. Raises :class:`NotFound`."""
    kind, subject = parse_id(ident)
    found = next(computed(Wanted(organization_id, now, kind, subject, state="any")), None)
    if found is None:
        raise NotFound("finding", ident)
    return found


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


def last_reviewed(organization_id: str, account_ids: Iterable[str]) -> dict[str, datetime]:
    """Return when a reviewer last decided about each account that was ever decided about, in one query."""
    decided = decisions(organization_id, account_ids)
    return {account: at for account, at in decided if at is not None}


def decisions(organization_id: str, account_ids: Iterable[str]) -> QuerySet[ReviewItem, tuple[Any, ...]]:
    """Return account and time of the last decision about each account that has one, as a query."""
    rows = ReviewItem.objects.filter(review__organization=organization_id, account__in=list(account_ids))
    return rows.exclude(decision="").order_by().values_list("account").annotate(last=Max("decided_at"))


def progress(review_ids: Iterable[str]) -> dict[str, tuple[int, int]]:
    """Return (accounts, decided) of each review, in one query."""
    found = dict.fromkeys(review_ids, (0, 0))
    rows = ReviewItem.objects.filter(review_id__in=list(found)).values("review_id")
    for row in rows.annotate(accounts=Count("id"), decided=Count("id", filter=~Q(decision=""))):
        found[row["review_id"]] = (row["accounts"], row["decided"])
    return found
