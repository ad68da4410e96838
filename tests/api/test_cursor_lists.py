"""Cursors of every list: nothing lost or doubled while rows come and go, nothing read with a false cursor."""

from __future__ import annotations

import base64
import re
from typing import Any
from urllib.parse import quote

import pytest
from django.core import signing
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from retinue.server.api import cursors
from tests.api.lists import LISTS, Lists
from tests.api.world import Caller, World

TIES = st.integers(0, 2)
#: Between two pages: rows come (their ties) and go (which of those that are there).
BETWEEN = st.lists(
    st.tuples(st.lists(TIES, max_size=2), st.lists(st.integers(0, 30), max_size=2)), max_size=4
)


def read(caller: Caller, path: str, limit: int, cursor: str | None = None) -> tuple[list[str], str | None]:
    """One page: the ids in their order, and the cursor of the next."""
    answer = caller.get(f"{path}&limit={limit}" + (f"&cursor={quote(cursor, safe='')}" if cursor else ""))
    assert 200 == answer.status, answer.text
    ids = [str(item["id"]) for item in answer.json["items"]]
    assert len(ids) <= limit
    return ids, answer.json["next"]


def read_all(caller: Caller, path: str) -> list[str]:
    """All ids of a list."""
    found, following = read(caller, path, cursors.MAX_ITEMS)
    while following is not None:
        more, following = read(caller, path, cursors.MAX_ITEMS, following)
        found += more
    return found


@pytest.mark.parametrize("name", LISTS)
@settings(
    max_examples=6,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(start=st.lists(TIES, min_size=1, max_size=7), size=st.integers(1, 4), between=BETWEEN)
def test_rows_that_were_there_throughout_are_seen_once(
    server_database: str, name: str, start: list[int], size: int, between: list[Any]
) -> None:
    """
    Whatever comes and goes between two pages, and however many rows share a sort value: each row that was
    there from the first page to the last is seen exactly once, in order; no row is seen twice.
    """
    lists = Lists(World.create(operator=True))
    on, caller, path = LISTS[name], lists.world.owner, LISTS[name].path(lists)
    for tie in start:
        on.add(lists, tie)
    before = read_all(caller, path)
    limit = max(size, len(before) // 8)
    seen, following = read(caller, path, limit)
    for coming, going in between:
        for tie in coming:
            on.add(lists, tie)
        there = read_all(caller, path)
        for ident in {there[place % len(there)] for place in going if there}:
            on.remove(lists, ident)
        if following is not None:
            more, following = read(caller, path, limit, following)
            seen += more
    while following is not None:
        assert len(seen) < len(before) + 50  # else the list has no end
        more, following = read(caller, path, limit, following)
        seen += more
    after = read_all(caller, path)
    throughout = set(before) & set(after)

    assert [ident for ident in after if ident in throughout] == [
        ident for ident in seen if ident in throughout
    ]
    assert len(seen) == len(set(seen))


@pytest.fixture
def lists(server_database: str) -> Lists:
    """An organization with three rows in each list."""
    made = Lists(World.create(operator=True))
    for each in LISTS.values():
        for tie in range(3):
            each.add(made, tie)
    return made


@pytest.mark.parametrize("name", LISTS)
def test_the_last_page_has_no_cursor(lists: Lists, name: str) -> None:
    """
    A page that ends with the list says so, also when it is full; one row before it there is a next page.
    """
    caller, path = lists.world.owner, LISTS[name].path(lists)
    count = len(read_all(caller, path))

    assert read(caller, path, count)[1] is None
    assert read(caller, path, count - 1)[1] is not None


def refusal(caller: Caller, path: str, cursor: str) -> tuple[int, str, str | None]:
    """Status, code and field of the answer to this cursor."""
    answer = caller.get(f"{path}&limit=1&cursor={quote(cursor, safe='')}")
    return answer.status, answer.code, answer.field


INVALID = (400, "cursor_invalid", "query.cursor")


def test_a_cursor_is_good_for_its_own_list_alone(lists: Lists) -> None:
    """
    Of all lists and orders, a cursor continues the one that made it; each other one refuses it and names the
    field, also the same list of another principal's or organization's.
    """
    caller = lists.world.owner
    paths = {name: each.path(lists) for name, each in LISTS.items()}
    made = {name: read(caller, path, 1)[1] for name, path in paths.items()}
    accepted = {
        (name, other)
        for name, cursor in made.items()
        for other, path in paths.items()
        if refusal(caller, path, str(cursor)) != INVALID
    }
    stranger = Lists(World.create(operator=True))
    foreign = {
        name
        for name, cursor in made.items()
        if refusal(stranger.world.owner, LISTS[name].path(stranger), str(cursor)) != INVALID
    }

    assert {(name, name) for name in LISTS} == accepted
    assert {"nodes"} == foreign  # they belong to the installation


def test_a_cursor_of_other_filters_is_refused(lists: Lists) -> None:
    """
    A filter that is added, taken away or changed makes it another list.
    """
    caller, account = lists.world.owner, lists.account.id
    for path, one, other in (
        ("/v1/service-accounts?sort=name", "&state=enabled", "&search=t"),
        ("/v1/keys?", "&status=never_used", "&status=revoked"),
        ("/v1/audit-events?", "&type=account.created", "&type=key.issued"),
        ("/v1/requests?", "&decision=allowed", "&since=2020-01-01T00:00:00Z"),
        (f"/v1/service-accounts/{account}/requests?", "&decision=allowed", "&decision=denied"),
    ):
        plain = str(read(caller, path, 1)[1])
        narrowed = str(read(caller, path + one, 1)[1])
        answers = [
            refusal(caller, path + one, plain),
            refusal(caller, path, narrowed),
            refusal(caller, path + other, narrowed),
        ]

        assert [INVALID] * 3 == answers, path
        assert 200 == refusal(caller, path + one, narrowed)[0]


@pytest.mark.parametrize("name", LISTS)
def test_a_cursor_that_was_changed_is_refused(lists: Lists, name: str) -> None:
    """
    Cut anywhere, lengthened, with one character changed or its parts exchanged: refused by name, never a 500.
    """
    caller, path = lists.world.owner, LISTS[name].path(lists)
    cursor = str(read(caller, path, 1)[1])
    payload, _, signature = cursor.rpartition(":")
    changed = [cursor[:length] for length in range(1, len(cursor), 7)]
    changed += [
        cursor + "A",
        "A" + cursor,
        cursor.swapcase(),
        cursor[::-1],
        f"{signature}:{payload}",
        payload,
        signature,
    ]
    changed += [
        cursor[:at] + ("A" if cursor[at] != "A" else "B") + cursor[at + 1 :]
        for at in range(0, len(cursor) - 1, 5)
    ]

    assert {INVALID} == {refusal(caller, path, each) for each in changed}
    assert 200 == refusal(caller, path, cursor)[0]


FORGED = {
    "a number": "1",
    "an id": "sa_000000000000000000",
    "an offset in base64": base64.b64encode(b'{"offset": 5}').decode(),
    "sql": "' OR 1=1 --",
    "a path": "../../etc/passwd",
    "other text": "ключ",
    "only separators": ":::",
    "unsigned": signing.b64_encode(b'["x","y"]').decode() + ":",
    "with another key": signing.Signer(key="x" * 32, salt="retinue.cursor").sign_object(["x", "y"]),
    "of the greatest length": "A" * cursors.MAX_LENGTH,
}


@pytest.mark.parametrize("cursor", FORGED.values(), ids=FORGED)
@pytest.mark.parametrize("name", ["accounts by name", "keys", "events", "requests", "nodes"])
def test_a_forged_cursor_is_refused(server_database: str, name: str, cursor: str) -> None:
    """
    What we have not signed is refused by name, whatever it is.
    """
    world = World.create(operator=True)
    assert INVALID == refusal(world.owner, LISTS[name].path(Lists(world)), cursor)


def test_odd_forms_of_the_parameter(world: World) -> None:
    """
    Longer than any cursor, a NUL, or given twice: refused with the field; none at all is the first page.
    """
    odd = [
        "cursor=" + "A" * (cursors.MAX_LENGTH + 1),
        "cursor=%00",
        "cursor=a%0d%0ab",
        "cursor=a&cursor=b",
        "cursor=%ff%fe",
        "Cursor=x",
    ]
    answers = [world.owner.get(f"/v1/keys?{each}") for each in odd]

    assert [400] * len(odd) == [each.status for each in answers]
    assert all(re.fullmatch(r"query\.[Cc]ursor", each.field or "") for each in answers)
    assert 200 == world.owner.get("/v1/keys?cursor=").status
