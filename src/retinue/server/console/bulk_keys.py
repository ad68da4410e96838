"""One act on many keys: of the list of credentials, or all usable keys of accounts."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.utils.translation import gettext_lazy as lazy
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST, require_safe

from retinue.server.api.bulk_keys import KeysWhere
from retinue.server.console import expiring
from retinue.server.console.bulk_pages import Act, Body, Meant, Run, number, refuse_empty, step
from retinue.server.console.forms import Form, several
from retinue.server.console.viewer import Viewer, page
from retinue.server.console.words import REASONS

OVERLAPS = ("0s", "1h", "24h", "7d", "30d")
NARROWED = ("networks", "endpoints", "methods")
#: Filters that are whole numbers of days.
_DAYS = ("used_within", "unused_for", "expires_within")


def _revoke(form: Form) -> Body:
    return {"reason": form.values["cause"] or "no_longer_needed", "text": form.values["reason"]}


def _expire(form: Form) -> Body:
    return {"expires": expiring.sent(form.values["expires"], form.values["other"]) or ""}


def _rotate(form: Form) -> Body:
    ends = expiring.sent(form.values["expires"], form.values["other"])
    body: Body = {"overlap": form.values["overlap"]} if form.values["overlap"] else {}
    return body | ({"expires": ends} if ends else {})


def _restrict(form: Form) -> Body:
    return {name: several(form.values[name]) for name in NARROWED if form.values[name]}


ACTS = {
    "revoke": Act("revoke_keys", lazy("Revoke credentials"), "", "danger", ("cause", "reason"), _revoke),
    "expire": Act(
        "expire_keys", lazy("Set expiry of credentials"), "", "danger", ("expires", "other"), _expire
    ),
    "rotate": Act(
        "rotate_keys", lazy("Rotate credentials"), "", "main", ("overlap", "expires", "other"), _rotate
    ),
    "restrict": Act("restrict_keys", lazy("Restrict credentials"), "", "danger", NARROWED, _restrict),
    "delete": Act("delete_keys", lazy("Delete credentials"), "", "danger"),
}
#: Asked for before anything can be previewed; the cause of a revoke is asked for with its preview.
ASKED = ("expire", "rotate", "restrict")


def meant(viewer: Viewer, sent: Any) -> Meant:
    """Read which keys a form means: some, all that the list matches, or the usable ones of accounts."""
    accounts = sent.getlist("account_keys")
    if accounts:
        where: Body = {"accounts": accounts, "status": "usable"}
        hidden = [("account_keys", each) for each in accounts]
        return Meant((), where, number(sent.get("matched", "")), "keys", hidden)
    if sent.get("all") != "yes":
        chosen = sent.getlist("key")
        return Meant(chosen, None, len(chosen), "keys", [("key", each) for each in chosen])
    known = set(KeysWhere.model_fields) - {"accounts"}
    given = {name: sent[f"q_{name}"].strip() for name in known if sent.get(f"q_{name}", "").strip()}
    where = {name: number(value) if name in _DAYS else value for name, value in given.items()}
    hidden = [("all", "yes"), *((f"q_{name}", value) for name, value in given.items())]
    return Meant((), where, number(sent.get("matched", "")), "keys", hidden)


@sensitive_post_parameters()
@require_POST
@page
def bulk(viewer: Viewer) -> HttpResponse:
    """Ask for what is given, preview it, then do it; what failed is listed row by row."""
    sent = viewer.request.POST
    name, which = sent.get("act", ""), meant(viewer, sent)
    back = sent.get("back", "")
    if not back.startswith((f"{viewer.url('credentials')}", f"{viewer.url('accounts')}")):
        back = viewer.url("credentials")
    if (not which.chosen and which.where is None) or name not in ACTS:
        return refuse_empty(viewer, back)
    act = ACTS[name]
    form = Form.read(sent, act.fields)
    hidden = [*which.hidden, ("act", name), ("back", back)]
    if name in ASKED and sent.get("asked") != "yes":
        return _ask(viewer, act, name, which, form, hidden, back)
    kept = [(field, value) for field, value in form.values.items() if value and name in ASKED]
    kept += [("asked", "yes")] if name in ASKED else []

    def perform(body: Body) -> Any:
        return viewer.call(act.operation, body={**body, **(act.body(form) if name == "revoke" else {})})

    run = Run(
        name=name,
        act=act,
        meant=which,
        given="",
        body=act.body(form) if name != "revoke" else {},
        perform=perform,
        action=viewer.url("credentials_bulk"),
        back=back,
        place="accounts" if back.startswith(viewer.url("accounts")) else "credentials",
        kept=[*kept, ("back", back)],
    )
    return step(viewer, run)


def of_accounts(viewer: Viewer, name: str, accounts: list[str], back: str) -> HttpResponse:
    """Ask what is done to all usable keys of some accounts."""
    hidden = [*(("account_keys", each) for each in accounts), ("act", name), ("back", back)]
    which = Meant((), {"accounts": accounts, "status": "usable"}, 0, "keys", hidden)
    return _ask(
        viewer, ACTS[name], name, which, Form.read(viewer.request.GET, ACTS[name].fields), hidden, back
    )


@require_safe
@page
def rotate_all(viewer: Viewer, account_id: str) -> HttpResponse:
    """Ask how all usable keys of one account are rotated."""
    account = viewer.get("get_service_account", {"account_id": account_id})
    return of_accounts(viewer, "rotate", [account["id"]], viewer.url("account", account["id"], "keys"))


def _ask(
    viewer: Viewer, act: Act, name: str, which: Meant, form: Form, hidden: list[tuple[str, str]], back: str
) -> HttpResponse:
    return viewer.render(
        "bulk_keys.html",
        act=act,
        name=name,
        form=form,
        hidden=hidden,
        count=None if which.where is not None else which.count,
        choices=expiring.choices(viewer.policy),
        overlaps=OVERLAPS,
        restrictions=viewer.policy.credentials_restrictions,
        causes=REASONS,
        missing=viewer.missing(act.operation),
        back=back,
        place="credentials",
    )
