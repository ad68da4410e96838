"""A receipt in words: where a change holds, since when, and what is still waited for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_safe

from retinue.server.api.inside import Outcome
from retinue.server.console.viewer import Viewer, page


@dataclass(frozen=True, slots=True)
class Told:
    """One sentence, whether it is a promise, and a line for each node."""

    id: str
    sentence: str
    is_complete: bool
    nodes: list[str]
    revision: int


def told(receipt: dict[str, Any]) -> Told:
    """Return a receipt, as the API gives it, in words."""
    nodes = receipt["nodes"]
    settled = [each for each in nodes if each["how"] != "waiting"]
    return Told(
        receipt["id"],
        _complete(receipt, nodes) if receipt["complete"] else _pending(nodes, len(settled)),
        receipt["complete"],
        [_line(each) for each in nodes],
        receipt["revision"],
    )


def _complete(receipt: dict[str, Any], nodes: list[dict[str, Any]]) -> str:
    since = _clock(receipt["completed_at"])
    if not nodes:
        return _("Holds since %(at)s. No node had a lease at that time.") % {"at": since}
    slowest = max((each["waited_ms"] or 0.0 for each in nodes), default=0.0)
    sentence = ngettext(
        "Holds since %(at)s on %(nodes)d of %(nodes)d node; it took %(ms)s ms.",
        "Holds since %(at)s on %(nodes)d of %(nodes)d nodes; the slowest took %(ms)s ms.",
        len(nodes),
    )
    return sentence % {"at": since, "nodes": len(nodes), "ms": f"{slowest:.0f}"}


def _pending(nodes: list[dict[str, Any]], settled: int) -> str:
    waiting = ", ".join(each["node"] for each in nodes if each["how"] == "waiting")
    return _(
        "Holds on %(done)d of %(all)d nodes so far. Waits for %(waiting)s, or for the end of its lease."
    ) % {
        "done": settled,
        "all": len(nodes),
        "waiting": waiting,
    }


def _line(node: dict[str, Any]) -> str:
    named = {"node": node["node"], "ms": f"{node['waited_ms'] or 0:.0f}", "at": _clock(node["at"])}
    if node["how"] == "confirmed":
        return _("%(node)s confirmed after %(ms)s ms") % named
    if node["how"] == "lease_ended":
        return _("%(node)s was out of reach; its lease ended at %(at)s") % named
    return _("%(node)s has not confirmed yet") % named


def _clock(at: str | None) -> str:
    """Return the time of an instant, to the millisecond, in UTC."""
    return "–" if at is None else f"{at[11:23]} UTC"


def say(viewer: Viewer, outcome: Outcome, done: str, **more: Any) -> None:
    """Keep for the next page what a call has done, and since when it holds; or why it was refused.

    ``more`` goes with what was done, as :meth:`Viewer.say` takes it.
    """
    if not outcome.is_done:
        problem = outcome.body
        viewer.say(problem["title"], tone="bad", detail=problem.get("detail") or "")
        return
    receipt = outcome.body.get("receipt")
    if receipt is None:
        viewer.say(done, tone="good", **more)
        return
    found = told(receipt)
    tone = "good" if found.is_complete else "warn"
    viewer.say(done, tone=tone, detail=found.sentence, receipt=found.id, **more)


@require_safe
@page
def receipt(viewer: Viewer, receipt_id: str) -> HttpResponse:
    """Show one receipt, node by node."""
    found = viewer.get("get_receipt", {"receipt_id": receipt_id})
    return viewer.render("receipt.html", receipt=found, told=told(found), place="accounts")
