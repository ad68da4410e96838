"""The palette: go to a page, an account or an id, or begin an act; each with its line on the command line."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from django.views.decorators.http import require_safe

from retinue.server.console.viewer import Viewer, page

#: Most accounts that are offered.
ACCOUNTS = "6"
MOST = 12


@dataclass(frozen=True, slots=True)
class Entry:
    """Something to go to: what it is called, its address, its icon, and the same on the command line."""

    label: object
    place: str
    icon: str
    command: str = ""
    #: The operation that it begins; who may not call it is told so there.
    operation: str = ""


PLACES = (
    Entry(lazy("Home"), "organization", "home"),
    Entry(lazy("Accounts"), "accounts", "account", "retinue account list"),
    Entry(lazy("Credentials"), "credentials", "credentials", "retinue credential list"),
    Entry(lazy("Roles"), "roles", "access", "retinue role list"),
    Entry(lazy("Groups"), "groups", "access", "retinue group list"),
    Entry(lazy("Teams"), "teams", "access", "retinue team list"),
    Entry(lazy("Access policies"), "access_policies", "access", "retinue access-policy list"),
    Entry(lazy("Permissions"), "permissions", "access", "retinue permission list"),
    Entry(lazy("Why may it, and who may?"), "why", "why", "retinue explain ACCOUNT PERMISSION"),
    Entry(lazy("Findings"), "findings_listed", "attention", "retinue finding list"),
    Entry(lazy("Access reviews"), "reviews", "reviews", "retinue review list"),
    Entry(lazy("Request log"), "requests", "requests", "retinue log list"),
    Entry(lazy("Audit log"), "audit", "audit", "retinue audit list"),
    Entry(lazy("Policies"), "policies", "policies", "retinue policy get"),
    Entry(lazy("Users"), "users", "person", "retinue user list"),
    Entry(lazy("Organization"), "settings", "organization"),
    Entry(lazy("Notifications"), "notifications", "settings", "retinue webhook list"),
    Entry(lazy("Protect your API"), "protect", "shield"),
    Entry(lazy("Nodes"), "nodes", "node", "retinue node list"),
    Entry(lazy("My personal access tokens"), "my_tokens", "key", "retinue pat list"),
)
ACTS = (
    Entry(
        lazy("Create an account"),
        "account_new",
        "add",
        "retinue account create NAME",
        "create_service_account",
    ),
    Entry(lazy("Identify a token"), "identify", "why", "retinue identify -", "identify_credential"),
    Entry(
        lazy("Issue a personal access token"), "my_token_new", "add", "retinue pat issue", "issue_my_token"
    ),
    Entry(lazy("Invite a user"), "user_invite", "add", "retinue user invite EMAIL", "invite_user"),
    Entry(lazy("New role"), "role_new", "add", "retinue role create NAME", "create_role"),
    Entry(lazy("New group"), "group_new", "add", "retinue group create NAME", "create_group"),
    Entry(lazy("New team"), "team_new", "add", "retinue team create NAME", "create_team"),
    Entry(
        lazy("New access policy"),
        "access_policy_new",
        "add",
        "retinue access-policy create NAME",
        "create_access_policy",
    ),
    Entry(lazy("New review"), "review_new", "add", "retinue review create NAME", "open_review"),
    Entry(
        lazy("The organization is compromised"),
        "compromise",
        "alert",
        "retinue compromise --organization",
        "compromise_organization",
    ),
)
#: The page of an id, by how ids begin.
IDS = {
    "sa_": "account",
    "usr_": "user",
    "rol_": "role",
    "grp_": "group",
    "tea_": "team",
    "acp_": "access_policy",
    "rev_": "review",
}


@dataclass(frozen=True, slots=True)
class Offer:
    """One line of the palette."""

    label: str
    url: str
    icon: str
    detail: str = ""
    why_not: tuple[str, ...] = ()


@require_safe
@page
def palette(viewer: Viewer) -> HttpResponse:
    """Offer what fits what was written: a whole page, or the lines of the dialog."""
    text = viewer.request.GET.get("q", "").strip()
    is_part = viewer.request.headers.get("HX-Target") == "palette-found"
    template = "parts/palette.html" if is_part else "palette.html"
    return viewer.render(template, offers=offers(viewer, text), text=text, place="")


def offers(viewer: Viewer, text: str) -> list[Offer]:
    """Return what fits a text: an id first, then accounts, places and acts."""
    found = _of_id(viewer, text)
    if text and not found and viewer.may("list_service_accounts"):
        found += _accounts(viewer, text)
    words = text.lower().split()
    for entry in (*PLACES, *ACTS):
        if entry.place == "accounts":
            label = viewer.words.accounts_place
        else:
            label = str(entry.label)
        if all(word in f"{label} {entry.command}".lower() for word in words):
            needs = viewer.missing(entry.operation) if entry.operation else ()
            found.append(Offer(label, viewer.url(entry.place), entry.icon, entry.command, needs))
    return found[:MOST] if text else found


def _of_id(viewer: Viewer, text: str) -> list[Offer]:
    if text[:4] in ("key_", "pat_", "ing_"):
        url = (
            f"{viewer.url('credentials')}?search={text[4:]}"
            if text[4:].isalnum()
            else viewer.url("credentials")
        )
        return [Offer(_("Credential %(id)s") % {"id": text}, url, "credentials")]
    for prefix, place in IDS.items():
        if text.startswith(prefix) and text[len(prefix) :].isalnum():
            return [Offer(_("Open %(id)s") % {"id": text}, viewer.url(place, text), "arrow")]
    return []


def _accounts(viewer: Viewer, text: str) -> list[Offer]:
    outcome = viewer.call("list_service_accounts", query={"search": text, "limit": ACCOUNTS})
    items = outcome.body["items"] if outcome.is_done else []
    return [
        Offer(
            each["name"],
            viewer.url("account", each["id"]),
            "account",
            f"retinue account get {each['handle']}",
        )
        for each in items
    ]
