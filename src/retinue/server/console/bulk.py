"""One act on many accounts: what is given, what would happen row by row, then the receipt."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import msgspec
from django.http import HttpResponse
from django.utils.translation import gettext_lazy as lazy
from django.views.decorators.http import require_POST

from retinue.server.access.queries import collections, roles
from retinue.server.api import errors
from retinue.server.api.bulk import digest_of
from retinue.server.api.inside import Outcome
from retinue.server.console import bulk_keys
from retinue.server.console.accounts import WHOLE, Asked
from retinue.server.console.bulk_pages import Act, Body, Meant, Run, number, refuse_empty, step
from retinue.server.console.forms import several
from retinue.server.console.viewer import Viewer, page
from retinue.server.directory.queries import principals, users
from retinue.server.errors import Refused

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
    "owner": Act("set_owners_of_service_accounts", lazy("Set the owners of the selected"), "owners"),
    "remove_team": Act("remove_from_team", lazy("Take the selected out of a team"), "team", "danger"),
}
COLLECTIONS = ("group", "team")
#: What is done to all usable keys of the selected accounts.
OF_KEYS = {"expire_keys": "expire", "rotate_keys": "rotate"}


def meant(viewer: Viewer, sent: Any) -> Meant:
    """Read which accounts a form of the list means: those that were chosen, or all that it matches."""
    asked = Asked.of(sent)
    kept = [(name, sent.get(name, "")) for name in ("view", "search", "role", "owner", "sort")]
    if sent.get("all") != "yes" or asked.view not in WHOLE:
        chosen = sent.getlist("account")
        return Meant(chosen, None, len(chosen), "accounts", [*(("account", each) for each in chosen), *kept])
    where = {**asked.filters(viewer), **WHOLE[asked.view]}
    return Meant((), where, number(sent.get("matched", "")), "accounts", [("all", "yes"), *kept])


def ids_of(viewer: Viewer, which: Meant) -> list[str]:
    """Return the ids of what is meant, where an act takes nothing else."""
    if which.where is None:
        return list(which.chosen)
    query = {**which.where, "limit": "200"}
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
    name, which = sent.get("act", ""), meant(viewer, sent)
    back = viewer.url("accounts") + Asked.of(sent).address()
    others = ("access", "review", *OF_KEYS)
    if (not which.chosen and which.where is None) or (name not in ACTS and name not in others):
        return refuse_empty(viewer, back)
    if name == "review":
        query = urlencode({"template": "scope", "accounts": ",".join(ids_of(viewer, which))})
        return viewer.leave(f"{viewer.url('review_new')}?{query}")
    if name in OF_KEYS:
        return bulk_keys.of_accounts(viewer, OF_KEYS[name], ids_of(viewer, which), back)
    if name == "access":
        return _ask(viewer, which, back)
    return _act(viewer, name, which, back)


def _ask(viewer: Viewer, which: Meant, back: str) -> HttpResponse:
    """Show what can be given to the chosen, or taken from them."""
    organization = viewer.organization.id
    return viewer.render(
        "bulk_access.html",
        hidden=which.hidden,
        count=which.count,
        is_filter=which.where is not None,
        roles=sorted(roles(organization).values(), key=lambda each: each.name),
        groups=collections(organization, "group"),
        teams=collections(organization, "team"),
        people=users(organization, state="enabled").order_by("name")[:200],
        sources=viewer.policy.grants_sources,
        back=back,
        place="accounts",
    )


def _act(viewer: Viewer, name: str, which: Meant, back: str) -> HttpResponse:
    sent, act = viewer.request.POST, ACTS[name]
    given = sent.get("given", "").strip() if act.given else ""
    body: Body = {}
    if act.given and act.tone == "main" and name != "owner":
        body["justification"] = sent.get("justification", "").strip()

    def perform(made: Body) -> Outcome:
        if act.given in COLLECTIONS:
            return _collect(viewer, act, which, given, made)
        value: Any = several(given) if act.given == "owners" else given
        return viewer.call(act.operation, body=made | ({act.given: value} if act.given else {}))

    run = Run(
        name=name,
        act=act,
        meant=which,
        given=given,
        body=body,
        perform=perform,
        action=viewer.url("accounts_bulk"),
        back=back,
        place="accounts",
        kept=[(n, sent.get(n, "")) for n in ("view", "search", "role", "owner", "sort")],
        must_type=name == "disable" and viewer.policy.accounts_disable_confirm == "typed",
    )
    return step(viewer, run)


def _collect(viewer: Viewer, act: Act, which: Meant, given: str, made: Body) -> Outcome:
    """Put all into a group or team, or take them out: all of it or nothing, so each row is done."""
    ids = ids_of(viewer, which)
    digest = digest_of(ids)
    if not made["preview"] and which.where is not None and len(ids) != which.count:
        return _other(viewer, f"{len(ids)} objects are in it, not {which.count}", "expected")
    if made.get("digest") not in (None, digest):
        return _other(viewer, "other objects are in it by now than the preview has shown", "digest")
    named = principals(ids)
    answer: Body = {}
    if not made["preview"]:
        why: Body = {name: made[name] for name in ("reason", "justification") if name in made}
        done = viewer.call(act.operation, {f"{act.given}_id": given or "-"}, body={"members": ids, **why})
        if not done.is_done:
            return done
        answer = {"receipt": done.body["receipt"]} if done.body.get("receipt") else {}
    items = [
        {"id": each, "name": named[each].name, "result": "done", "state": named[each].state, "uses_24h": None}
        for each in ids
        if each in named and named[each].organization_id == viewer.organization.id
    ]
    found = {"matched": len(items), "digest": digest, "done": len(items), "unchanged": 0, "refused": 0}
    return Outcome(200, {**found, "items": items, **answer})


def _other(viewer: Viewer, detail: str, field: str) -> Outcome:
    """Answer as acts on many do whose filter finds others by now than the preview has shown."""
    answer = errors.answer(viewer.request, Refused("state_conflict", detail, field=field))
    return Outcome(answer.status_code, msgspec.json.decode(answer.content))
