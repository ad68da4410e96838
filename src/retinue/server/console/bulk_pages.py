"""One act on many rows: what is meant, what would happen row by row, then the receipt."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django.http import HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from retinue.server.api.inside import Outcome
from retinue.server.console import receipts, revealing
from retinue.server.console.forms import Form
from retinue.server.console.viewer import Viewer
from retinue.server.console.words import REASONS

#: For more rows than these, their number is typed.
UNTYPED = 10
Body = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Act:
    """An act on many: its operation, its heading, and what a person gives before the preview."""

    operation: str
    title: object
    given: str = ""
    tone: str = "main"
    #: Fields that are asked for on a page of their own, and how they become the body.
    fields: tuple[str, ...] = ()
    body: Callable[[Form], Body] = lambda form: {}


@dataclass(frozen=True, slots=True)
class Meant:
    """Which rows: those that were chosen, or all that the list's filter matches.

    ``named`` and ``where`` go into the body of the operation; ``hidden`` are fields of forms that say so.
    """

    chosen: Sequence[str]
    where: Body | None
    count: int
    named: str
    hidden: Sequence[tuple[str, str]]

    def body(self) -> Body:
        """Return it as acts on many take it."""
        return {self.named: list(self.chosen)} if self.where is None else {"where": self.where}


@dataclass(frozen=True, slots=True)
class Run:
    """One step: the act, what is meant, what was given, how it is done, and where its pages are."""

    name: str
    act: Act
    meant: Meant
    given: str
    body: Body
    perform: Callable[[Body], Outcome]
    action: str
    back: str
    place: str
    kept: Sequence[tuple[str, str]] = ()
    must_type: bool = False


def number(text: str) -> int:
    """Return a number that a form gives, 0 for none."""
    return int(text) if text.isascii() and text.isdigit() else 0


def step(viewer: Viewer, run: Run) -> HttpResponse:
    """Show the preview, or do it if that was confirmed; only what the preview has shown is done."""
    sent, meant = viewer.request.POST, run.meant
    is_sure = sent.get("sure") == "yes"
    is_typed = run.must_type or meant.count > UNTYPED
    is_right = not is_typed or sent.get("expected", "") == str(meant.count)
    is_preview = not is_sure or not is_right
    body = {**meant.body(), **run.body, "preview": is_preview}
    body |= {"reason": sent["reason"].strip()} if sent.get("reason", "").strip() else {}
    if not is_preview:
        body |= {"digest": sent["digest"]} if sent.get("digest") else {}
        if meant.where is not None or is_typed or sent.get("expected"):
            body["expected"] = meant.count
    outcome = run.perform(body)
    if not is_preview and outcome.is_done and outcome.body.get("issued"):
        return revealing.many_shown_once(viewer, outcome.body, run.back, run.place)
    return _result(viewer, run, outcome, is_preview=is_preview, is_wrong=is_sure and not is_right)


def _result(viewer: Viewer, run: Run, outcome: Outcome, *, is_preview: bool, is_wrong: bool) -> HttpResponse:
    result = outcome.body if outcome.is_done else {"items": []}
    count = result.get("matched", run.meant.count)
    return viewer.render(
        "bulk.html",
        200 if outcome.is_done else outcome.status,
        act=run.act,
        name=run.name,
        given=run.given,
        sent=viewer.request.POST,
        hidden=[*run.meant.hidden, *run.kept],
        kept=run.kept,
        named=run.meant.named.removesuffix("s"),
        is_filter=run.meant.where is not None,
        count=count,
        result=result,
        failed=[each["id"] for each in result["items"] if each["result"] == "refused"],
        causes=REASONS.items(),
        told=receipts.told(result["receipt"]) if result.get("receipt") else None,
        problem=None if outcome.is_done else outcome.body,
        is_preview=is_preview,
        is_typed=run.must_type or count > UNTYPED,
        is_wrong=is_wrong,
        does=_does(run.name, result.get("done", 0)),
        already=_already(run.name, result.get("unchanged", 0)),
        action=run.action,
        back=run.back,
        place=run.place,
    )


def _does(name: str, count: int) -> str:
    """Return what the button says: the verb, and how many."""
    words = {
        "enable": ngettext("Enable %(n)d", "Enable %(n)d", count),
        "disable": ngettext("Disable %(n)d", "Disable %(n)d", count),
        "delete": ngettext("Delete %(n)d", "Delete %(n)d", count),
        "revoke": ngettext("Revoke %(n)d credential", "Revoke %(n)d credentials", count),
        "rotate": ngettext("Rotate %(n)d credential", "Rotate %(n)d credentials", count),
        "expire": ngettext("Set expiry of %(n)d credential", "Set expiry of %(n)d credentials", count),
        "restrict": ngettext("Restrict %(n)d credential", "Restrict %(n)d credentials", count),
        "owner": ngettext("Set owner of %(n)d", "Set owner of %(n)d", count),
    }
    return words.get(name, ngettext("Change %(n)d", "Change %(n)d", count)) % {"n": count}


def _already(name: str, count: int) -> str:
    """Return how many are so already; empty for none."""
    if not count:
        return ""
    words = {
        "enable": ngettext("%(n)d is already enabled", "%(n)d are already enabled", count),
        "disable": ngettext("%(n)d is already disabled", "%(n)d are already disabled", count),
        "delete": ngettext("%(n)d is already deleted", "%(n)d are already deleted", count),
        "revoke": ngettext("%(n)d is already revoked", "%(n)d are already revoked", count),
    }
    return words.get(name, ngettext("%(n)d is so already", "%(n)d are so already", count)) % {"n": count}


def refuse_empty(viewer: Viewer, back: str) -> HttpResponse:
    """Say that nothing was chosen."""
    viewer.say(_("Choose what to do, and at least one row."), tone="warn")
    return viewer.leave(back)
