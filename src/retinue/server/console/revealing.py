"""The only place where a token is shown: once, in the answer to the form that made it."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.utils import timezone
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST, require_safe

from retinue.server.api import inside
from retinue.server.console import receipts
from retinue.server.console.recipes import MASK, recipes
from retinue.server.console.viewer import Trouble, Viewer, page

#: After so long the token hides itself.
SHOWN_MINUTES = 10
#: The address of acts on each kind of credential, and its place in the rail.
ACTS_OF = {
    "api_key": ("key_act", "accounts"),
    "personal_access_token": ("my_token_act", "tokens"),
    "ingest_token": ("ingest_token_act", "credentials"),
}
READS_OF = {"pat_": ("get_my_token", "token_id"), "ing_": ("get_ingest_token", "token_id")}


def shown_once(
    viewer: Viewer, key: dict[str, Any], token: str, expiry: dict[str, Any], after: str, receipt: Any = None
) -> HttpResponse:
    """Show a new token. It is in this answer, which nothing keeps, and nowhere else."""
    account = key["account"]
    permissions = None
    act, place = ACTS_OF[key["kind"]]
    is_mine = key["kind"] == "personal_access_token"
    if viewer.may("list_effective_permissions") and account is not None and not is_mine:
        permissions = viewer.get("list_effective_permissions", {"account_id": account["id"]})["items"]
    return viewer.render(
        "secret.html",
        key=key,
        account=account,
        token=token,
        expiry=expiry,
        after=after,
        receipt=receipt,
        mask=MASK,
        recipes=recipes(account["name"] if account else key["name"], viewer.policy.credentials_schemes[0]),
        permissions=permissions,
        is_mine=is_mine,
        revoke_url=viewer.url(act, key["id"], "revoke"),
        minutes=SHOWN_MINUTES,
        file_name=f"{_file_name(key['name'] or 'key')}-token.txt",
        place=place,
        is_ingest=key["kind"] == "ingest_token",
    )


def many_shown_once(viewer: Viewer, done: dict[str, Any], after: str, place: str) -> HttpResponse:
    """Show the new tokens of many keys, a line each: ``ACCOUNT/NAME TOKEN``. Nothing keeps this answer."""
    lines = [
        f"{(each['key']['account'] or {}).get('handle', '')}/{each['key']['name']} {each['token']}"
        for each in done["issued"]
    ]
    return viewer.render(
        "secrets.html",
        tokens="\n".join(lines),
        count=len(lines),
        refused=[each for each in done["items"] if each["result"] == "refused"],
        receipt=receipts.told(done["receipt"]) if done.get("receipt") else None,
        after=after,
        minutes=SHOWN_MINUTES,
        place=place,
    )


def _file_name(name: str) -> str:
    return "".join(each if each.isascii() and (each.isalnum() or each in "-_") else "-" for each in name)[:64]


@sensitive_post_parameters()
@require_POST
@page
def test(viewer: Viewer) -> HttpResponse:
    """Say what a token is worth: it is verified here as a node does, and written down nowhere."""
    if not viewer.may("get_key"):
        return viewer.render("parts/tested.html", 403, tested=None)
    tested = inside.verified(viewer.request.POST.get("token", "").strip(), viewer.organization.id)
    return viewer.render("parts/tested.html", tested=tested)


@require_safe
@page
def first_request(viewer: Viewer, key_id: str) -> HttpResponse:
    """Say whether the key was used yet, and what for; asked again and again while a token is shown."""
    operation, name = READS_OF.get(key_id[:4], ("get_key", "key_id"))
    key = viewer.get(operation, {name: key_id})
    request = None
    try:
        found = viewer.get("list_requests", query={"credential": key["id"], "limit": "1"})["items"]
        request = found[0] if found else None
    except Trouble:
        pass  # who may not read the log learns that it was used, and no more
    return viewer.render("parts/first_request.html", key=key, first=request, now=timezone.now())
