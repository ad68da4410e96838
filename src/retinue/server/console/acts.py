"""What is done to an account or a key: a page that shows what is at stake, then the act, then the receipt.

Each act has its own words. An act is an operation of the API; the form's fields are those of its body.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import msgspec
from django.utils.translation import gettext_lazy as lazy

from retinue.server.console import expiring
from retinue.server.console.forms import Form, several
from retinue.server.console.viewer import Viewer

Body = dict[str, Any]
#: To what a credential can be narrowed, as fields of a form.
NARROWED = ("networks", "endpoints", "methods")


@dataclass(frozen=True, slots=True)
class Act:
    """An act: its operation, what its page says, and what was done when it is done."""

    name: str
    operation: str
    title: object
    consequence: object
    done: object
    tone: str = "main"
    fields: tuple[str, ...] = ("reason",)
    body: Callable[[Viewer, Form], Body] = lambda _viewer, form: {"reason": form.values["reason"]}
    #: Takes ``reason`` in its query, as deletions do.
    by_query: bool = False
    #: Its answer holds a new token.
    reveals: bool = False


def _disable(_viewer: Viewer, form: Form) -> Body:
    typed = form.values.get("typed", "")
    return {"reason": form.values["reason"]} | ({"confirm": typed} if typed else {})


def _rotate(_viewer: Viewer, form: Form) -> Body:
    values = form.values
    body: Body = {"reason": values["reason"], "compromised": values["compromised"] == "yes"}
    if values["overlap"] and not body["compromised"]:
        body["overlap"] = values["overlap"]
    if values["key_name"]:
        body["name"] = values["key_name"]
    ends = expiring.sent(values["expires"], values["other"])
    return body | ({"expires": ends} if ends else {})


def _regenerate(_viewer: Viewer, form: Form) -> Body:
    body: Body = {"reason": form.values["reason"]}
    return body | ({"overlap": form.values["overlap"]} if form.values["overlap"] else {})


def _revoke(_viewer: Viewer, form: Form) -> Body:
    return {"reason": form.values["cause"] or "no_longer_needed", "text": form.values["reason"]}


def _restrict(_viewer: Viewer, form: Form) -> Body:
    """All restrictions from now on; times of day, which no field shows, stay as the form got them."""
    given = {name: several(form.values[name]) for name in NARROWED}
    times = msgspec.json.decode(form.values["times"] or "[]")
    return {"restrictions": {**given, "times": times}, "reason": form.values["reason"]}


def _expire(_viewer: Viewer, form: Form) -> Body:
    ends = expiring.sent(form.values["expires"], form.values["other"])
    return {"expires": ends or "", "reason": form.values["reason"]}


ACCOUNT_ACTS: dict[str, Act] = {
    act.name: act
    for act in (
        Act(
            "enable",
            "enable_service_account",
            lazy("Enable %(name)s"),
            lazy("Its credentials work again. One that was revoked itself stays revoked."),
            lazy("%(name)s is enabled."),
        ),
        Act(
            "disable",
            "disable_service_account",
            lazy("Disable %(name)s"),
            lazy(
                "None of its credentials work, on any node, until it is enabled. Nothing is written on them."
            ),
            lazy("%(name)s is disabled."),
            tone="danger",
            body=_disable,
        ),
        Act(
            "approve",
            "approve_service_account",
            lazy("Approve %(name)s"),
            lazy("The account is enabled, and gets what was asked for it."),
            lazy("%(name)s is approved and enabled."),
        ),
        Act(
            "delete",
            "delete_service_account",
            lazy("Delete %(name)s"),
            lazy(
                "All its credentials end, for good. The audit log, the request log and its name in them stay."
            ),
            lazy("%(name)s is deleted."),
            tone="danger",
            by_query=True,
        ),
        Act(
            "duplicate",
            "duplicate_service_account",
            lazy("Duplicate %(name)s"),
            lazy("The copy has the same fields, roles, grants, groups and teams, and no credentials."),
            lazy("%(name)s was duplicated."),
            fields=("key_name", "reason"),
            body=lambda _viewer, form: {
                "name": form.values["key_name"],
                "justification": form.values["reason"],
                "reason": form.values["reason"],
            },
        ),
        Act(
            "restore",
            "restore_service_account",
            lazy("Restore %(name)s"),
            lazy("It comes back disabled, with its grants and without its credentials."),
            lazy("%(name)s is restored. It is disabled, and has no credentials."),
        ),
    )
}
KEY_ACTS: dict[str, Act] = {
    act.name: act
    for act in (
        Act(
            "rotate",
            "rotate_key",
            lazy("Rotate %(name)s"),
            lazy("A new credential is issued. The old one works beside it for the overlap, then it retires."),
            lazy("%(name)s was rotated."),
            fields=("overlap", "key_name", "expires", "other", "compromised", "reason"),
            body=_rotate,
            reveals=True,
        ),
        Act(
            "regenerate",
            "regenerate_key",
            lazy("Regenerate the secret of %(name)s"),
            lazy("Keeps the id and replaces the secret. The old token stops after the overlap."),
            lazy("%(name)s has a new secret."),
            tone="danger",
            fields=("overlap", "reason"),
            body=_regenerate,
            reveals=True,
        ),
        Act(
            "finish",
            "finish_rotation",
            lazy("Finish the rotation of %(name)s"),
            lazy("The old one stops now, whatever is left of its overlap. Its successor stays."),
            lazy("The rotation is finished; %(name)s has retired."),
            tone="danger",
        ),
        Act(
            "extend",
            "extend_rotation",
            lazy("Extend the overlap of %(name)s"),
            lazy("The old one works for longer beside its successor, as far as the policy allows."),
            lazy("%(name)s works for longer."),
            fields=("by", "reason"),
            body=lambda _viewer, form: {"by": form.values["by"], "reason": form.values["reason"]},
        ),
        Act(
            "undo",
            "undo_rotation",
            lazy("Undo the rotation of %(name)s"),
            lazy("The old one stays as it was. Its successor is revoked: whoever has it already stops."),
            lazy("The rotation is undone; %(name)s stays, and its successor is revoked."),
            tone="danger",
        ),
        Act(
            "expire",
            "expire_key",
            lazy("Set the end of %(name)s"),
            lazy("Earlier at will; later only as far as the policy allows."),
            lazy("%(name)s has another end."),
            fields=("expires", "other", "reason"),
            body=_expire,
        ),
        Act(
            "restrict",
            "restrict_key",
            lazy("Restrict %(name)s"),
            lazy(
                "It can only be used from, for and with these. They narrow what it may, and never widen it."
            ),
            lazy("%(name)s has these restrictions now."),
            fields=(*NARROWED, "times", "reason"),
            body=_restrict,
        ),
        Act(
            "revoke",
            "revoke_key",
            lazy("Revoke %(name)s"),
            lazy("It stops on every node before this page answers. Its row stays."),
            lazy("%(name)s is revoked."),
            tone="danger",
            fields=("cause", "reason"),
            body=_revoke,
        ),
        Act(
            "restore",
            "restore_key",
            lazy("Restore %(name)s"),
            lazy("The same token works again, with whoever has it."),
            lazy("%(name)s is restored."),
        ),
        Act(
            "delete",
            "delete_key",
            lazy("Delete %(name)s"),
            lazy("It leaves the lists for good; its tombstone stays, and is found by its id."),
            lazy("%(name)s is deleted."),
            tone="danger",
            by_query=True,
        ),
        Act(
            "rename",
            "rename_key",
            lazy("Rename %(name)s"),
            lazy("The id and the token stay as they are."),
            lazy("%(name)s has another name."),
            fields=("key_name", "reason"),
            body=lambda _viewer, form: {"name": form.values["key_name"], "reason": form.values["reason"]},
        ),
    )
}


def _of(finish: str, kind: str) -> dict[str, Act]:
    """Return the same acts on another kind of credential."""
    return {
        name: replace(
            act,
            operation=finish if name == "finish" else f"{act.operation.removesuffix('_key')}_{kind}",
        )
        for name, act in KEY_ACTS.items()
        if name not in ("extend", "undo")  # of keys alone
    }


#: The same acts on a personal access token of one's own, and on an ingest token.
MY_ACTS = _of("finish_my_rotation", "my_token")
INGEST_ACTS = _of("finish_ingest_rotation", "ingest_token")


def operations(acts: dict[str, Act]) -> dict[str, str]:
    """Return the operation of each act, for menus."""
    return {name: act.operation for name, act in acts.items()}
