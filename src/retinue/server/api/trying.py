"""``Retinue-Dry-Run: true``: a change does everything, says what it would answer, and is taken back.

It is decided and refused as the change itself, in a transaction that never commits: no event but that of a
missing right, no revision, no receipt. Its answer holds no token: there is none.
"""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse

from retinue.problem import CATALOGUE
from retinue.server.api.answers import json_answer
from retinue.server.errors import Refused

HEADER = "Retinue-Dry-Run"
#: What reaches beyond the database, is there to be written down, or would be of no use: none can be tried.
IN_EARNEST = frozenset(
    {"create_probe", "begin_epoch", "skip_journals", "renew_credential", "claim_token", "announce_node",
     "take_journal", "poll_feed", "ship_requests", "report_leaked_tokens", "export_review"}
)  # fmt: skip


class Tried(Exception):
    """A change was tried; ``body`` is what it would have answered. Raised to take it back."""

    def __init__(self, body: Any) -> None:
        super().__init__("tried")
        self.body = body


def is_wanted(request: HttpRequest, operation: str) -> bool:
    """Tell whether a call wants to try only. Refuses another value, and where it cannot be had."""
    value = request.META.get("HTTP_RETINUE_DRY_RUN")
    if value is None or value == "false":
        return False
    if value != "true":
        raise Refused("invalid_value", "true or false", field=f"header.{HEADER}")
    if operation in IN_EARNEST:
        raise Refused("invalid_value", f"{operation} cannot be tried", field=f"header.{HEADER}")
    return True


def answer(tried: Tried, status: int) -> HttpResponse:
    """Answer what would have been answered, and that it was not done."""
    made = json_answer(_without_tokens(tried.body), status)
    made[HEADER] = "true"
    return made


def is_noted(refused: Refused) -> bool:
    """Tell whether the refusal of a try is written down, as that of the change itself is: where it says what
    the caller may not do or see (403, 404). What a rule or a state says is what a try asks for.
    """
    return refused.code in CATALOGUE and CATALOGUE[refused.code].status in (403, 404)


def _without_tokens(body: Any) -> Any:
    if isinstance(body, dict):
        return {
            name: "" if name in ("token", "secret") and isinstance(value, str) else _without_tokens(value)
            for name, value in body.items()
        }
    return [_without_tokens(each) for each in body] if isinstance(body, list) else body
