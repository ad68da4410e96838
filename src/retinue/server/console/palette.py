"""The palette: go to a page, an account, an id or a document, or begin an act; with its command line."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from django.views.decorators.http import require_safe

from retinue.server.console import manual, palette_acts
from retinue.server.console.acts import ACCOUNT_ACTS, KEY_ACTS
from retinue.server.console.palette_acts import ICONS, ON_ACCOUNTS, ON_KEYS, Offer
from retinue.server.console.telling import PLACES as PAGES_OF_IDS
from retinue.server.console.viewer import Viewer, page

#: Most accounts that are offered.
ACCOUNTS = "6"
MOST = 12
#: Documents that fit stand below everything else.
DOCUMENTS = 5


@dataclass(frozen=True, slots=True)
class Entry:
    """Something to go to: what it is called, its address, its icon, and the same on the command line."""

    label: object
    place: str
    icon: str
    command: str = ""
    #: The operation that it begins; who may not call it is told so there.
    operation: str = ""
    #: A page of the person, which names no organization.
    is_own: bool = False


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
    Entry(lazy("Ingest tokens"), "ingest_tokens", "credentials", "retinue ingest list"),
    Entry(lazy("Saved views"), "views", "list", "retinue view list"),
    Entry(lazy("My personal access tokens"), "my_tokens", "key", "retinue pat list"),
    Entry(lazy("Signing in: password, passkeys, codes"), "my_security", "lock", is_own=True),
    Entry(lazy("My sessions"), "my_sessions", "clock", is_own=True),
)
ACTS = (
    *(
        Entry(label, "accounts", ICONS[name], f"retinue account {name} ACCOUNT", ACCOUNT_ACTS[name].operation)
        for name, label in ON_ACCOUNTS.items()
    ),
    *(
        Entry(label, "credentials", ICONS[name], f"retinue key {name} KEY", KEY_ACTS[name].operation)
        for name, label in ON_KEYS.items()
    ),
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


@require_safe
@page
def palette(viewer: Viewer) -> HttpResponse:
    """Offer what fits what was written: a whole page, or the lines of the dialog."""
    text = viewer.request.GET.get("q", "").strip()
    is_part = viewer.request.headers.get("HX-Target") == "palette-found"
    address = (
        viewer.request.headers.get("HX-Current-URL", "") if is_part else viewer.request.GET.get("at", "")
    )
    template = "parts/palette.html" if is_part else "palette.html"
    found = offers(viewer, text, address)
    return viewer.render(template, offers=found, text=text, at=address, place="")


def offers(viewer: Viewer, text: str, address: str = "") -> list[Offer]:
    """Return what fits a text: what is at hand, an id, acts on what is named, accounts, places, documents."""
    words = text.lower().split()
    found = palette_acts.at_hand(viewer, address, words)
    by_id = _of_id(viewer, text)
    found += by_id
    if text and not by_id:
        found += palette_acts.named(viewer, words)
        found += _accounts(viewer, text) if viewer.may("list_service_accounts") else []
    for entry in (*PLACES, *ACTS):
        if entry.place == "ingest_tokens" and not viewer.policy.ingest_enabled:
            continue
        is_list = entry.place == "accounts" and not entry.operation
        label = viewer.words.accounts_place if is_list else str(entry.label)
        if all(word in f"{label} {entry.command}".lower() for word in words):
            needs = viewer.missing(entry.operation) if entry.operation else ()
            url = reverse(f"console_{entry.place}") if entry.is_own else viewer.url(entry.place)
            found.append(Offer(label, url, entry.icon, entry.command, needs))
    if not text:
        return found
    documents = [Offer(title, url, "list", _("documentation")) for title, url in manual.titled(words)]
    return [*found[:MOST], *documents[:DOCUMENTS]]


def _of_id(viewer: Viewer, text: str) -> list[Offer]:
    if text.startswith("key_") and text[4:].isalnum():
        found = palette_acts.of_key(viewer, text)
        if found:
            return found
    if text[:4] in ("key_", "pat_", "ing_"):
        rest = f"?search={text[4:]}" if text[4:].isalnum() else ""
        label = _("Credential %(id)s") % {"id": text}
        return [Offer(label, viewer.url("credentials") + rest, "credentials")]
    for prefix, place in PAGES_OF_IDS.items():
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
