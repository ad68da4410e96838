"""One act on many accounts: what is given, what would happen row by row, then the receipt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import msgspec
from django.http import HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from retinue.server.access.queries import collections, roles
from retinue.server.api import errors
from retinue.server.api.inside import Outcome
from retinue.server.console import receipts
from retinue.server.console.accounts import WHOLE, Asked
from retinue.server.console.viewer import Viewer, page
from retinue.server.directory.queries import principals
from retinue.server.errors import Refused

#: For more rows than these, their number is typed.
UNTYPED = 10


@dataclass(frozen=True, slots=True)
class Act:
    """An act on many: its operation, its heading, and the field of its body that a person fills in."""

    operation: str
    title: object
    given: str = ""
    tone: str = "main"


ACTS = {
    "enable": Act("enable_service_accounts", lazy("Enable the selected")),
    "disable": Act("disable_service_accounts", lazy("Disable the selected"), tone="danger"),
    "delete": Act("delete_service_accounts", lazy("Delete the selected"), tone="danger"),
    "give_role": Act("grant_to_service_accounts", lazy("Give the selected a role"), "role"),
    "take_role": Act("take_from_service_accounts", lazy("Take a role from the selected"), "role", "danger"),
    "grant": Act("grant_to_service_accounts", lazy("Grant the selected a permission"), "permission"),
    "take": Act("take_from_service_accounts", lazy("Take a permission back"), "permission", "danger"),
    "add_group": Act("add_to_group", lazy("Put the selected into a group"), "group"),
    "remove_group": Act("remove_from_group", lazy("Take the selected out of a group"), "group", "danger"),
    "add_team": Act("add_to_team", lazy("Put the selected into a team"), "team"),
    "remove_team": Act("remove_from_team", lazy("Take the selected out of a team"), "team", "danger"),
}
COLLECTIONS = ("group", "team")


@dataclass(frozen=True, slots=True)
class Meant:
    """Which accounts: those that were chosen, or all that the list's filter matches."""

    chosen: list[str]
    where: dict[str, str] | None
    count: int

    @classmethod
    def read(cls, viewer: Viewer, sent: Any) -> Meant:
        """Read what a form of the list means."""
        asked = Asked.of(sent)
        if sent.get("all") != "yes" or asked.view not in WHOLE:
            chosen = sent.getlist("account")
            return cls(chosen, None, len(chosen))
        number = sent.get("matched", "")
        counted = int(number) if number.isascii() and number.isdigit() else 0
        return cls([], {**asked.filters(viewer), **WHOLE[asked.view]}, counted)

    def body(self) -> dict[str, Any]:
        """Return it as acts on many take it."""
        return {"accounts": self.chosen} if self.where is None else {"where": self.where}

    def ids(self, viewer: Viewer) -> list[str]:
        """Return the ids, where an act takes nothing else."""
        if self.where is None:
            return self.chosen
        query = {**self.where, "limit": "200"}
        found: list[str] = []
        while len(found) < 1_000:
            part = viewer.get("list_service_accounts", query=query)
            found += [each["id"] for each in part["items"]]
            if not part["next"]:
                break
            query["cursor"] = part["next"]
        return found


@require_POST
@page
def bulk(viewer: Viewer) -> HttpResponse:
    """Ask for what is given, preview it, then do it; what failed is listed row by row."""
    sent = viewer.request.POST
    name, meant = sent.get("act", ""), Meant.read(viewer, sent)
    back = viewer.url("accounts") + Asked.of(sent).address()
    if (not meant.chosen and meant.where is None) or (name not in ACTS and name not in ("access", "review")):
        viewer.say(_("Choose what to do, and at least one row."), tone="warn")
        return viewer.leave(back)
    if name == "review":
        query = urlencode({"template": "scope", "accounts": ",".join(meant.ids(viewer))})
        return viewer.leave(f"{viewer.url('review_new')}?{query}")
    if name == "access":
        return _ask(viewer, meant, back)
    return _act(viewer, name, meant, back)


def _ask(viewer: Viewer, meant: Meant, back: str) -> HttpResponse:
    """Show what can be given to the chosen, or taken from them."""
    organization = viewer.organization.id
    return viewer.render(
        "bulk_access.html",
        sent=viewer.request.POST,
        meant=meant,
        roles=sorted(roles(organization).values(), key=lambda each: each.name),
        groups=collections(organization, "group"),
        teams=collections(organization, "team"),
        sources=viewer.policy.grants_sources,
        back=back,
        place="accounts",
    )


def _act(viewer: Viewer, name: str, meant: Meant, back: str) -> HttpResponse:
    sent, act = viewer.request.POST, ACTS[name]
    given = sent.get("given", "").strip() if act.given else ""
    number = sent.get("expected", "")
    is_sure = sent.get("sure") == "yes"
    is_typed = meant.count > UNTYPED or (
        name == "disable" and viewer.policy.accounts_disable_confirm == "typed"
    )
    is_right = not is_typed or number == str(meant.count)
    is_preview = not is_sure or not is_right
    outcome = _call(viewer, act, meant, given, is_preview=is_preview)
    result = outcome.body if outcome.is_done else {"items": []}
    count = result.get("matched", meant.count)
    return viewer.render(
        "bulk.html",
        200 if outcome.is_done else outcome.status,
        act=act,
        name=name,
        given=given,
        sent=sent,
        meant=meant,
        count=count,
        result=result,
        failed=[each["id"] for each in result["items"] if each["result"] == "refused"],
        told=receipts.told(result["receipt"]) if result.get("receipt") else None,
        problem=None if outcome.is_done else outcome.body,
        is_preview=is_preview,
        is_typed=is_typed or count > UNTYPED,
        is_wrong=is_sure and not is_right,
        does=_does(name, result.get("done", 0)),
        back=back,
        place="accounts",
    )


def _does(name: str, count: int) -> str:
    """Return what the button says: the verb, and how many."""
    words = {
        "enable": ngettext("Enable %(n)d", "Enable %(n)d", count),
        "disable": ngettext("Disable %(n)d", "Disable %(n)d", count),
        "delete": ngettext("Delete %(n)d", "Delete %(n)d", count),
    }
    return words.get(name, ngettext("Change %(n)d", "Change %(n)d", count)) % {"n": count}


def _call(viewer: Viewer, act: Act, meant: Meant, given: str, *, is_preview: bool) -> Outcome:
    sent = viewer.request.POST
    why = {name: sent[name].strip() for name in ("reason",) if sent.get(name, "").strip()}
    if act.given in ("role", "permission") and act.operation.startswith("grant"):
        why |= {"justification": sent.get("justification", "").strip()}
    if act.given in COLLECTIONS:
        return _collect(viewer, act, meant, given, why, is_preview=is_preview)
    body: dict[str, Any] = {**meant.body(), **why, "preview": is_preview}
    body |= {act.given: given} if act.given else {}
    if not is_preview and (meant.where is not None or meant.count > UNTYPED or sent.get("expected")):
        body["expected"] = meant.count
    return viewer.call(act.operation, body=body)


def _collect(
    viewer: Viewer, act: Act, meant: Meant, given: str, why: dict[str, str], *, is_preview: bool
) -> Outcome:
    """Put all into a group or team, or take them out: all of it or nothing, so each row is done."""
    ids = meant.ids(viewer)
    if not is_preview and meant.where is not None and len(ids) != meant.count:
        return _other_number(viewer, len(ids), meant.count)
    named = principals(ids)
    body: dict[str, Any] = {}
    if not is_preview:
        if act.operation.startswith("add"):
            why = {**why, "justification": viewer.request.POST.get("justification", "").strip()}
        done = viewer.call(act.operation, {f"{act.given}_id": given or "-"}, body={"members": ids, **why})
        if not done.is_done:
            return done
        body = {"receipt": done.body["receipt"]} if done.body.get("receipt") else {}
    items = [
        {"id": each, "name": named[each].name, "result": "done", "state": named[each].state, "uses_24h": None}
        for each in ids
        if each in named and named[each].organization_id == viewer.organization.id
    ]
    found = {"matched": len(items), "done": len(items), "unchanged": 0, "refused": 0, "items": items}
    return Outcome(200, {**found, **body})


def _other_number(viewer: Viewer, matched: int, meant: int) -> Outcome:
    """Answer as acts on many do whose filter finds others by now than the preview has shown."""
    refused = Refused("state_conflict", f"{matched} objects are in it, not {meant}", field="expected")
    answer = errors.answer(viewer.request, refused)
    return Outcome(answer.status_code, msgspec.json.decode(answer.content))
