"""What can be done about access reviews: open, decide, apply, cancel, export.

A review is a frozen list of accounts. Deciding changes nothing yet; applying carries out all decisions in one
transaction, with an outcome for each account, and one receipt.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from retinue.server.credentials import actions as credentials
from retinue.server.directory import actions as directory
from retinue.server.directory import queries as people
from retinue.server.directory.queries import CANARY, Organization, Principal
from retinue.server.directory.rules import check_name
from retinue.server.errors import Refused
from retinue.server.governance import queries, rules
from retinue.server.governance.evidence import gather
from retinue.server.governance.models import Review, ReviewItem
from retinue.server.governance.reducing import reduce_to
from retinue.server.governance.undeciding import UNDECIDED, undecide
from retinue.server.ids import new_id
from retinue.server.ledger.transaction import Transaction
from retinue.server.policies.queries import policy_of
from retinue.server.traffic import queries as traffic

#: Accounts in one review.
MOST_ITEMS = 10_000
AT_ONCE = 500
LONGEST_DAYS = 365


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a review is to be: its name, its template, and for ``scope`` which accounts."""

    name: str
    template: str = "full"
    accounts: tuple[str, ...] = ()
    environment: str = ""
    due_days: int = 14
    fallback: str = ""


def open_review(tx: Transaction, organization_id: str, wanted: Wanted) -> Review:
    """Open a review: freeze its accounts, their evidence, and who is asked."""
    name = check_name(wanted.name)
    if not 1 <= wanted.due_days <= LONGEST_DAYS:
        raise Refused("invalid_value", f"1 to {LONGEST_DAYS}", field="due_days")
    if (wanted.template == "scope") != bool(wanted.accounts or wanted.environment):
        raise Refused(
            "invalid_value",
            "accounts and environment belong to the template `scope`, which needs one of them",
            field="template",
        )
    Organization.objects.select_for_update(no_key=True).get(id=organization_id)
    policy = policy_of(organization_id)
    due = tx.now + timedelta(days=wanted.due_days)
    made = Review.objects.create(
        id=new_id("rev"),
        organization=organization_id,
        name=name,
        template=wanted.template,
        scope={"accounts": list(wanted.accounts), "environment": wanted.environment},
        fallback=wanted.fallback,
        no_answer=policy.reviews.no_answer,
        opened_at=tx.now,
        opened_by=tx.actor.id,
        due_at=due,
        ends_at=due + timedelta(days=policy.reviews.grace_days),
    )
    count = sum(_add(made, idents) for idents in _accounts(organization_id, wanted, tx.now))
    if not count:
        raise Refused("invalid_value", "no account is in it", field="template")
    if count <= AT_ONCE:  # of more later: this call has little time, and others wait for it to write
        gather_some(made, tx.now)
    tx.record(
        "review.opened",
        made.id,
        name=name,
        organization=organization_id,
        after={"name": name, "template": wanted.template, "accounts": count, "due_at": due.isoformat()},
    )
    return made


def _accounts(organization_id: str, wanted: Wanted, now: datetime) -> Iterator[list[str]]:
    """Yield the ids of the accounts of a new review, some at once, in their order."""
    rows = Principal.objects.filter(organization_id=organization_id, kind=Principal.SERVICE_ACCOUNT)
    rows = rows.exclude(state="deleted").exclude(CANARY)
    if wanted.accounts:
        rows = rows.filter(id__in=wanted.accounts)
    if wanted.environment:
        rows = rows.filter(environment=wanted.environment)
    if wanted.template == "idle":
        idle = queries.computed(queries.Wanted(organization_id, now, kind="idle_account", state="any"))
        rows = rows.filter(id__in={each.subject for each in idle})
    if rows.count() > MOST_ITEMS:
        raise Refused("invalid_value", f"at most {MOST_ITEMS} accounts in one review", field="template")
    last = ""
    while found := list(rows.filter(id__gt=last).order_by("id").values_list("id", flat=True)[:AT_ONCE]):
        yield found
        last = found[-1]


def _add(review: Review, idents: Sequence[str]) -> int:
    asked = {ident: [*owners, "", ""] for ident, owners in people.owner_ids_of(idents).items()}
    ReviewItem.objects.bulk_create(
        ReviewItem(id=new_id("rit"), review=review, account=ident, reviewer=first, backup=second)
        for ident, (first, second, *_) in asked.items()
    )
    return len(idents)


def gather_some(review: Review, now: datetime, items: Sequence[ReviewItem] | None = None) -> int:
    """Gather and keep the evidence of items that have none, or of some that wait; return of how many."""
    if items is None:
        items = list(queries.items(review).filter(gathered_at=None).order_by("id")[:AT_ONCE])
    bare = [item for item in items if item.gathered_at is None]
    if bare:
        fill_in(review, bare, now)
        ReviewItem.objects.bulk_update(bare, ["evidence", "gathered_at", "needs_reason"])
    return len(bare)


def fill_in(review: Review, items: Sequence[ReviewItem], now: datetime) -> None:
    """Give items that have none the evidence of now; nothing is kept."""
    if not items:
        return
    before = queries.reviews(review.organization).exclude(state="cancelled")
    last = before.filter(opened_at__lt=review.opened_at).order_by("-opened_at").first()
    rows = list(Principal.objects.filter(id__in=[item.account for item in items]))
    evidence = gather(rows, now, None if last is None else last.opened_at)
    for item in items:
        found = evidence.get(item.account)
        if found is not None:  # a canary's account goes altogether
            item.evidence, item.needs_reason = found.shown, found.needs_reason
        item.gathered_at = now


def asked(review: Review, item: ReviewItem, now: datetime) -> str:
    """Return the id of the user who is asked about an item now; empty if nobody is."""
    return rules.asked(
        item.reviewer, item.backup, review.fallback, due=review.due_at, ends=review.ends_at, now=now
    )


def decide(
    tx: Transaction, review: Review, item: ReviewItem, *, decision: str, note: str = "", assignee: str = ""
) -> ReviewItem:
    """Decide about one account; until the review is applied, another decision takes the place of this one.

    ``undecided`` takes the decision back: the account waits for one again, and silence counts as if there
    had been none.
    """
    _check_open(review)
    before = {"decision": item.decision, "note": item.note} if item.decision else {}
    if decision == UNDECIDED:
        undecide(item, note, assignee)
    else:
        gather_some(review, tx.now, [item])
        rules.check_decision(decision, note, assignee, needs_reason=item.needs_reason)
        item.decision, item.note, item.assignee = decision, note, assignee
        item.decided_by, item.decided_at = tx.actor.id, tx.now
    item.save()
    after = {"review": review.id, "account": item.account, "decision": decision, "note": note}
    tx.record(
        "review.decided",
        item.id,
        name=str(item.evidence.get("name", item.account)),
        organization=review.organization,
        before=before,
        after={**after, "assignee": assignee} if assignee else after,
    )
    return item


def apply(tx: Transaction, review: Review, *, check: Callable[[Sequence[str]], None]) -> Review:
    """Carry out what was decided; what fails alone is said in its outcome and leaves the rest.

    ``check`` is asked with the decisions in it whether the actor may carry them out. Refuses while somebody
    still has time to answer; silence counts as the policy said when the review was opened, and never deletes.
    """
    _check_open(review)
    items = list(queries.items(review).select_for_update(no_key=True).order_by("id"))
    waiting = sum(1 for item in items if not item.decision)
    if waiting and tx.now < review.ends_at:
        until = f"{review.ends_at:%Y-%m-%d}"
        raise Refused("state_conflict", f"{waiting} of {len(items)} may be decided until {until}")
    meant = {item.id: item.decision or _silent(review, item) for item in items}
    check(sorted(set(meant.values())))
    counts: dict[str, int] = {}
    for item in items:
        item.outcome = _carry_out(tx, item, meant[item.id])
        word = item.outcome.partition(":")[0]
        counts[word] = counts.get(word, 0) + 1
    ReviewItem.objects.bulk_update(items, ["outcome"], batch_size=AT_ONCE)
    review.state, review.applied_at, review.applied_by = "applied", tx.now, tx.actor.id
    review.save()
    tx.record(
        "review.applied",
        review.id,
        name=review.name,
        organization=review.organization,
        before={"state": "open"},
        after={"state": "applied", "outcomes": counts},
    )
    return review


def _silent(review: Review, item: ReviewItem) -> str:
    """Return what silence about an account means. Where nobody was asked, nobody was silent."""
    was_asked = item.reviewer or item.backup or review.fallback
    return "disable" if review.no_answer == "disable" and was_asked else "silent"


def _carry_out(tx: Transaction, item: ReviewItem, decision: str) -> str:
    """Carry out one decision; return its outcome in words: ``kept``, ``reduced``, ``failed: why``."""
    account = Principal.objects.filter(id=item.account).first()
    if account is None or account.state == "deleted":
        return "gone"
    try:
        with tx.attempt():
            return _ACTS[decision](tx, account, item)
    except Refused as refused:
        return f"failed: {refused.detail}"[:1024]


def _disable(tx: Transaction, account: Principal, item: ReviewItem) -> str:
    reason = item.note or ("review: nobody answered" if not item.decision else "review")
    directory.disable(tx, account, " ".join(reason.split()))
    return "disabled" if item.decision else "disabled: nobody answered"


def _delete(tx: Transaction, account: Principal, item: ReviewItem) -> str:
    credentials.delete_account(tx, account, " ".join((item.note or "review").split()))
    return "deleted"


def _reassign(tx: Transaction, account: Principal, item: ReviewItem) -> str:
    rest = [owner.id for owner in people.owners_of([account.id])[account.id][1:] if owner.id != item.assignee]
    directory.update_account(tx, account, {"owners": (item.assignee, *rest)})
    return "reassigned"


def _reduce(tx: Transaction, account: Principal, item: ReviewItem) -> str:
    window = policy_of(account.organization_id, account.environment).idle_days or rules.USE_WINDOW_DAYS
    since = tx.now - timedelta(days=window)
    used = {name for name, at in traffic.exercised([account.id])[account.id].items() if at >= since}
    gone = reduce_to(tx, account, used, item.note or "reduced to what was used, by a review")
    return f"reduced: {gone} permissions fewer"


_ACTS: dict[str, Callable[[Transaction, Principal, ReviewItem], str]] = {
    "keep": lambda tx, account, item: "kept",
    "silent": lambda tx, account, item: "silent",
    "reduce": _reduce,
    "disable": _disable,
    "delete": _delete,
    "reassign": _reassign,
}


def cancel(tx: Transaction, review: Review) -> Review:
    """End a review without carrying anything out."""
    _check_open(review)
    review.state = "cancelled"
    review.save()
    tx.record(
        "review.cancelled",
        review.id,
        name=review.name,
        organization=review.organization,
        before={"state": "open"},
        after={"state": "cancelled"},
    )
    return review


def exported(tx: Transaction, review: Review, count: int) -> None:
    """Say that somebody took a review's result away."""
    after: dict[str, Any] = {"accounts": count}
    tx.record("review.exported", review.id, name=review.name, organization=review.organization, after=after)


def _check_open(review: Review) -> None:
    if review.state != "open":
        raise Refused("state_conflict", f"{review.id} is {review.state}")
