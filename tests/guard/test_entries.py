"""What a guard logs of a decision is the same whether it was found out or kept."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from retinue.decision import Allowed, Caller
from retinue.guard.entries import entry_for, known_entry
from retinue.kept import ALWAYS, known
from retinue.token import Kind, mint
from retinue.usage import Entry
from retinue.verifier import Question

TOKEN = mint(Kind.API_KEY).reveal()
ALLOWED = Allowed(Caller("service_account", "sa_1", "Bäcker", "org_1", "key_1", 7), "report:read")


@pytest.mark.parametrize(
    "told",
    [
        {},
        {"method": "GET", "path": "/reports/ä", "address": "192.0.2.7", "client": "curl/8"},
        {"path": f"/in/{TOKEN}", "client": TOKEN, "route": "/in/{token}"},
    ],
)
@pytest.mark.parametrize("status", [None, 204])
def test_an_entry_is_the_same(told: dict[str, Any], status: int | None) -> None:
    """
    With and without what is told of the request; a token that stands in a path is taken out.
    """
    question = Question(TOKEN, ("report:read",), **told)
    kept = known((question.need, None, question.scheme, question.kinds), bytes(32), ALLOWED, 1, ALWAYS)
    expected = entry_for(ALLOWED, question, 5_000_000, 9_000, status)
    for _ in range(2):
        data = known_entry(kept, question, 5_000_000, 9_000, status)
        assert expected == msgspec.msgpack.decode(data, type=Entry)
        assert TOKEN.encode()[-40:] not in data


def test_what_the_log_cannot_hold_is_left_to_it() -> None:
    """
    A lone surrogate is no text: the whole entry is mended instead.
    """
    question = Question(TOKEN, ("report:read",), path="/\ud800")
    with pytest.raises(UnicodeEncodeError):
        known_entry(
            known((question.need, None, question.scheme, question.kinds), bytes(32), ALLOWED, 1, ALWAYS),
            question,
            0,
            0,
            None,
        )
