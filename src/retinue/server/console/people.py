"""Users of the organization: the list, invitations, and what hangs on each."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpResponse
from django.utils.translation import gettext_lazy as lazy
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from retinue.server.access.queries import Role, roles
from retinue.server.console import receipts
from retinue.server.console.forms import Form
from retinue.server.console.listing import Filter, Listing
from retinue.server.console.viewer import Viewer, page

STATES = {"enabled": lazy("Enabled"), "disabled": lazy("Disabled"), "deleted": lazy("Deleted")}
USERS = Listing(
    "list_users",
    "settings/users.html",
    "settings",
    (Filter("search", lazy("Name or e-mail")), Filter("state", lazy("State"), STATES)),
)
WAYS = {
    "password": lazy("Password"),
    "totp": lazy("Authenticator app"),
    "passkey": lazy("Passkey"),
    "recovery_codes": lazy("Recovery codes"),
    "single_sign_on": lazy("Single sign-on"),
}
#: Where accounts stand among the users, with a badge.
TOGETHER = Listing(
    "list_principals",
    "settings/together.html",
    "settings",
    (
        Filter("search", lazy("Name or e-mail")),
        Filter("kind", lazy("Type"), {"user": lazy("User"), "service_account": lazy("Service")}),
        Filter("state", lazy("State"), STATES),
        Filter("role", lazy("Role")),
    ),
)
NODES = Listing("list_nodes", "settings/nodes.html", "settings")
FIELDS = ("email", "name", "justification")
ACTS = {
    "enable": ("enable_user", lazy("%(name)s can sign in again.")),
    "disable": ("disable_user", lazy("%(name)s is disabled, with all tokens of theirs.")),
    "delete": ("delete_user", lazy("%(name)s is deleted.")),
    "reset": ("reset_sign_in", lazy("%(name)s sets up anew what was removed.")),
    "roles": ("update_user", lazy("The roles of %(name)s are saved.")),
    "reassign": ("reassign_accounts", lazy("The accounts of %(name)s have another owner.")),
}


def _roles(viewer: Viewer) -> list[Role]:
    """Return the roles that a user can get, by name."""
    return sorted(roles(viewer.person.organization_id).values(), key=lambda each: each.name)


def _told(user: dict[str, Any]) -> dict[str, Any]:
    ways = [WAYS[each] for each in user.get("sign_in_methods", ())]
    return {**user, "state_word": STATES[user["state"]], "ways": ways}


@require_safe
@page
def listed(viewer: Viewer) -> HttpResponse:
    """All users; where the policy wants it, the service accounts stand among them."""
    if viewer.policy.accounts_list_with_users == "badged":
        return TOGETHER.show(viewer, told=_told, section="users")
    return USERS.show(viewer, told=_told, section="users")


@require_safe
@page
def nodes(viewer: Viewer) -> HttpResponse:
    """All nodes: whether each is connected, and what it has applied."""
    return NODES.show(viewer, section="nodes")


@require_http_methods(["GET", "HEAD", "POST"])
@page
def invite(viewer: Viewer) -> HttpResponse:
    """Invite a user; the link to choose a password is shown once."""
    form = Form.read(viewer.request.POST, FIELDS, ("roles",))
    status, made = 200, None
    if viewer.request.method == "POST":
        body: dict[str, Any] = {name: value for name, value in form.values.items() if value}
        body |= {"email": form.values["email"], "name": form.values["name"], "roles": form.lists["roles"]}
        outcome = viewer.call("invite_user", body=body)
        if outcome.is_done:
            made, status = outcome.body, outcome.status
        else:
            form.refused(outcome.body)
            status = form.status(outcome.status)
    return viewer.render(
        "settings/invite.html",
        status,
        form=form,
        made=made,
        roles=_roles(viewer),
        missing=viewer.missing("invite_user"),
        place="settings",
        section="users",
    )


@require_safe
@page
def one(viewer: Viewer, user_id: str) -> HttpResponse:
    """A user: roles, tokens and accounts, and what would need another owner without them."""
    impact = viewer.get("get_user_impact", {"user_id": user_id})
    return viewer.render(
        "settings/user.html",
        impact=impact,
        user=_told(impact["user"]),
        is_self=impact["user"]["id"] == viewer.person.id,
        roles=_roles(viewer),
        place="settings",
        section="users",
    )


@require_POST
@page
def act(viewer: Viewer, user_id: str, name: str) -> HttpResponse:
    """Change a user, and say since when that holds."""
    if name not in ACTS:
        raise Http404
    operation, done = ACTS[name]
    sent = viewer.request.POST
    path, reason = {"user_id": user_id}, sent.get("reason", "").strip()
    user = viewer.get("get_user", path)
    body: dict[str, Any] = {"reason": reason} if reason else {}
    if name == "roles":
        body |= {"roles": sent.getlist("roles"), "justification": sent.get("justification", "").strip()}
    elif name == "reset":
        body |= {"everything": sent.get("everything") == "yes"}
    elif name == "reassign":
        body |= {"to": sent.get("to", "").strip()}
    outcome = (
        viewer.call(operation, path, query=body)
        if name == "delete"
        else viewer.call(operation, path, body=body)
    )
    receipts.say(viewer, outcome, str(done) % {"name": user["name"]})
    is_gone = name == "delete" and outcome.is_done
    return viewer.leave(viewer.url("users") if is_gone else viewer.url("user", user_id))
