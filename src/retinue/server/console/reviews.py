"""Access reviews: open one, decide about each account with its evidence, carry the decisions out."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from retinue.server.console import receipts
from retinue.server.console.forms import Form, several
from retinue.server.console.listing import Filter, Listing
from retinue.server.console.viewer import Viewer, page

STATES = {"open": lazy("Open"), "applied": lazy("Carried out"), "cancelled": lazy("Cancelled")}
DECISIONS = {
    "keep": lazy("Keep"),
    "reduce": lazy("Reduce to used"),
    "disable": lazy("Disable"),
    "delete": lazy("Delete"),
    "reassign": lazy("Reassign"),
}
#: Takes a decision back.
UNDECIDED = "undecided"
UNDO = {"decision": UNDECIDED}
TEMPLATES = {
    "full": lazy("All accounts"),
    "idle": lazy("Idle accounts"),
    "scope": lazy("Those named below"),
}
REVIEWS = Listing("list_reviews", "reviews.html", "reviews", (Filter("state", lazy("State"), STATES),))
ITEMS = Listing(
    "list_review_items",
    "review.html",
    "reviews",
    (Filter("decided", lazy("Decided"), {"false": lazy("Not yet"), "true": lazy("Yes")}),),
)
ENDS = {
    "apply": ("apply_review", lazy("The decisions are carried out.")),
    "cancel": ("cancel_review", lazy("The review is cancelled; nothing was changed.")),
}
FIELDS = ("name", "template", "environment", "due_days", "fallback", "accounts")


def _told(review: dict[str, Any]) -> dict[str, Any]:
    accounts = review["progress"]["accounts"]
    return {
        **review,
        "state_word": STATES[review["state"]],
        "percent": round(100 * review["progress"]["decided"] / accounts) if accounts else 0,
    }


@require_safe
@page
def listed(viewer: Viewer) -> HttpResponse:
    """All reviews, the newest first."""
    return REVIEWS.show(viewer, told=_told)


@require_http_methods(["GET", "HEAD", "POST"])
@page
def opened(viewer: Viewer) -> HttpResponse:
    """Open a review: its accounts, who is asked, and the evidence are frozen then."""
    form = Form.read(viewer.request.POST, FIELDS)
    status = 200
    if viewer.request.method == "POST":
        body: dict[str, Any] = {name: value for name, value in form.values.items() if value}
        body["name"] = form.values["name"]
        if body.get("accounts"):
            body["accounts"] = several(form.values["accounts"])
        body["due_days"] = int(body["due_days"]) if form.values["due_days"].isdecimal() else 0
        outcome = viewer.call("open_review", body=body)
        if outcome.is_done:
            viewer.say(_("The review is open."), tone="good")
            return viewer.leave(viewer.url("review", outcome.body["id"]))
        form.refused(outcome.body)
        status = form.status(outcome.status)
    else:
        form = Form.read(viewer.request.GET, FIELDS)
        form.values["due_days"] = form.values["due_days"] or "14"
    missing = viewer.missing("open_review")
    return viewer.render(
        "review_new.html", status, form=form, templates=TEMPLATES.items(), missing=missing, place="reviews"
    )


@require_safe
@page
def one(viewer: Viewer, review_id: str) -> HttpResponse:
    """A review: how far it is, and each account with its evidence and decision."""
    path = {"review_id": review_id}
    review = _told(viewer.get("get_review", path))
    return ITEMS.show(viewer, path=path, review=review, decisions=DECISIONS.items(), told=_item)


def _item(item: dict[str, Any]) -> dict[str, Any]:
    evidence = item["evidence"]
    held = evidence.get("permissions_held_count", 0)
    return {
        **item,
        "decision_word": DECISIONS.get(item["decision"] or ""),
        "held": held,
        "used": len(evidence.get("permissions_used") or ()),
        "keys_count": len(evidence.get("keys") or ()),
    }


@require_POST
@page
def decide(viewer: Viewer, review_id: str, item_id: str) -> HttpResponse:
    """Note a decision about one account; nothing changes until the review is carried out."""
    sent = viewer.request.POST
    body = {name: sent.get(name, "").strip() for name in ("decision", "note", "assignee")}
    if body["decision"] == UNDECIDED:  # the form still has the note of the decision that is taken back
        body = {"decision": UNDECIDED}
    outcome = viewer.call("decide_review_item", {"review_id": review_id, "item_id": item_id}, body=body)
    said, more = "", {}
    if outcome.is_done:
        word = DECISIONS.get(body["decision"])
        named = {"name": outcome.body["evidence"].get("name", ""), "decision": word}
        if word is None:
            said = _("%(name)s waits for a decision again.") % named
        else:
            said = (
                _("%(name)s: %(decision)s. It can be decided otherwise until the review is carried out.")
                % named
            )
            more = {"undo": viewer.url("review_decide", review_id, item_id), "undo_with": UNDO}
    receipts.say(viewer, outcome, said, **more)
    return viewer.leave(viewer.url("review", review_id) + "?decided=false")


@require_POST
@page
def keep_safe(viewer: Viewer, review_id: str) -> HttpResponse:
    """Keep the accounts of a page that are used and hold nothing elevated; others are left."""
    path = {"review_id": review_id}
    wanted = set(viewer.request.POST.getlist("item"))
    items = viewer.get("list_review_items", path, query={"decided": "false", "limit": "200"})["items"]
    safe = [each["id"] for each in items if each["id"] in wanted and not each["needs_reason"]]
    body = {"decision": "keep", "note": ""}
    done = [viewer.call("decide_review_item", {**path, "item_id": each}, body=body).is_done for each in safe]
    counted = {"done": sum(done), "all": len(wanted)}
    viewer.say(_("%(done)d of %(all)d kept.") % counted, tone="good" if all(done) else "warn")
    return viewer.leave(viewer.url("review", review_id) + "?decided=false")


@require_POST
@page
def end(viewer: Viewer, review_id: str, how: str) -> HttpResponse:
    """Carry the decisions out, or cancel the review."""
    if how not in ENDS:
        raise Http404
    operation, done = ENDS[how]
    outcome = viewer.call(operation, {"review_id": review_id}, body={})
    receipts.say(viewer, outcome, str(done))
    return viewer.leave(viewer.url("review", review_id))
