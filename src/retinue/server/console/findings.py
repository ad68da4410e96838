"""What needs a person: each finding with its evidence, and the way to accept it until a day."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.http import HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from django.views.decorators.http import require_POST, require_safe

from retinue.server.console import expiring, proposing, receipts
from retinue.server.console.borrowed import said
from retinue.server.console.listing import Filter, Listing
from retinue.server.console.telling import Names, called
from retinue.server.console.viewer import Viewer, page
from retinue.server.governance import queries
from retinue.server.governance.rules import KINDS

FINDINGS = Listing(
    "list_findings",
    "findings.html",
    "findings",
    (
        Filter("kind", lazy("Kind"), {name: lazy(kind.title) for name, kind in KINDS.items()}),
        Filter("subject", lazy("About (id)"), placeholder="sa_…"),
        Filter("account", lazy("Account (id), with its credentials"), placeholder="sa_…"),
        Filter("state", lazy("State"), {"open": lazy("Open"), "accepted": lazy("Accepted")}),
    ),
)
#: Of one account so many are shown on its page.
FEW = "5"
TONES = {"high": "bad", "medium": "warn", "low": "info"}


def _told(viewer: Viewer, items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    names = Names(viewer, (each["evidence"] for each in items))
    return [_one(viewer, names, each) for each in items]


def _one(viewer: Viewer, names: Names, item: dict[str, Any]) -> dict[str, Any]:
    evidence = [(called(name), names.told(value)) for name, value in item["evidence"].items()]
    return {
        **item,
        "title": said(item["title"]),
        "tone": TONES.get(item["severity"], "info"),
        "severity": said(item["severity"]),
        "meaning": proposing.meaning(item),
        "evidence": [{"name": name, "parts": parts} for name, parts in evidence if parts],
        "act": proposing.act(viewer, item),
    }


@require_safe
@page
def listed(viewer: Viewer) -> HttpResponse:
    """Every finding, the worst first: those that are kept, and a word if some of them are being looked at."""
    queries.settle()
    return FINDINGS.show(viewer, together=partial(_told, viewer), **_standing(viewer))


@require_safe
@page
def of_account(viewer: Viewer, account_id: str) -> HttpResponse:
    """What is found about an account or its credentials: a part of its page, empty where nothing is."""
    queries.settle()
    outcome = viewer.call("list_findings", query={"account": account_id, "limit": FEW})
    found = _told(viewer, outcome.body.get("items", []))
    return viewer.render(
        "parts/account_findings.html", findings=found, account_id=account_id, **_standing(viewer)
    )


def _standing(viewer: Viewer) -> dict[str, Any]:
    organization = viewer.organization.id
    return {
        "is_behind": queries.is_behind(organization),
        "is_looked_at": queries.is_looked_at(organization),
    }


@require_POST
@page
def accept(viewer: Viewer, finding_id: str) -> HttpResponse:
    """Accept a finding until a day, with a reason; or open it again."""
    sent = viewer.request.POST
    path = {"finding_id": finding_id}
    if sent.get("again"):
        outcome = viewer.call("reopen_finding", path, body={"reason": sent.get("reason", "")})
        told = _("The finding is open again.")
    else:
        until = expiring.sent("other", sent.get("until", ""))
        body = {"reason": sent.get("reason", "").strip(), "until": until}
        outcome = viewer.call("accept_finding", path, body=body)
        told = _("The finding is accepted until then.")
    receipts.say(viewer, outcome, told)
    return viewer.leave(viewer.url("findings_listed"))
