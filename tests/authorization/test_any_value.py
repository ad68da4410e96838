"""Any value in any field of any operation: a clear answer, nothing half done, and nothing learned of others."""

from __future__ import annotations

import json
import re
import secrets
import string
from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest

from retinue.server.api.operations import Operation
from retinue.server.credentials import queries as credentials
from retinue.server.ledger.models import AuditEvent
from tests.api import epoch_cases
from tests.api.world import Answer, Caller, World
from tests.authorization import truth, values
from tests.authorization.people import Cast
from tests.authorization.specimens import SPECIMENS, Specimen
from tests.authorization.test_matrix import SHARED
from tests.authorization.values import EACH, NASTY, bodies, paths, sampled

Sent = tuple[str, dict[str, Any] | None]


@pytest.fixture(autouse=True)
def nothing_is_in_doubt(cast: Cast) -> Iterator[None]:
    """No epoch that a test begins stops the next one."""
    yield
    epoch_cases.settle()


def _here(cast: Cast, each: Operation) -> tuple[World, Caller]:
    """Return where an operation is called, and who may; a document of all is asked where there is little."""
    if each.name.endswith("_configuration"):
        world = World.create()
        return world, world.owner
    allowed = [name for name in cast.callers if truth.judge(name, each.name) == "may"]
    name = "owner" if "owner" in allowed else allowed[0]
    return cast.here, cast.here.owner if name == "owner" else cast.callers[name]


def _changes(world: World | None = None) -> int:
    events = AuditEvent.objects.exclude(type__in=["change.refused", "receipt.completed"])
    return (events if world is None else events.filter(organization=world.organization.id)).count()


def _call(caller: Caller, each: Operation, sent: Sent) -> Answer:
    return caller.call(each.method, *sent, headers={"prefer": "wait=0"})


def _calls(each: Operation, made: Specimen, values: tuple[Any, ...]) -> Iterator[Sent]:
    """Yield calls of an operation with one of ``values`` in one place."""
    yield from ((made.path, body) for body in bodies(each, made.body, values))
    yield from ((path, made.body) for path in paths(each, made.path, values))


def _is_clear(answer: Answer, changes: int) -> bool:
    return answer.status < 400 or (answer.status < 500 and bool(answer.code) and changes == 0)


@pytest.mark.parametrize("each", EACH, ids=lambda each: each.name)
def test_any_value_gets_a_clear_answer(cast: Cast, each: Operation) -> None:
    """
    Whatever stands in a field, in the query, or for an id: the answer is no error of ours; a refusal has a code
    and changes nothing.
    """
    here, caller = _here(cast, each)
    made, broken = SPECIMENS[each.name](here, caller), []
    share = 128 if each.name.endswith("_configuration") else 32
    for sent in sampled(each.name, share, _calls(each, made, NASTY)):
        before = _changes()
        answer = _call(caller, each, sent)
        if not _is_clear(answer, _changes() - before):
            broken.append((sent, answer.status, answer.text))
        if answer.status < 300 and each.changes:
            made = SPECIMENS[each.name](here, caller)

    assert [] == broken[:10], (len(broken), broken[:10])


#: What of another organization is named: by id, and what has a name by that as well.
OBJECTS = (
    "get_service_account", "get_user", "get_key", "get_personal_token", "get_ingest_token", "get_role",
    "get_group", "get_team", "get_access_policy", "take_grant_back", "unassign_role", "get_review",
    "get_review_item", "get_finding", "get_receipt", "get_audit_event",
)  # fmt: skip
NAMED = ("name", "handle", "email")
_ALIKE = (string.digits, string.ascii_lowercase, string.ascii_uppercase, string.punctuation)


@pytest.fixture(scope="session")
def named_there(cast: Cast) -> list[tuple[str, str]]:
    """Ids and names of objects of the other organization, each beside one that nobody has."""
    there, found = cast.there, [cast.there.organization.id, cast.there.organization.handle]
    for operation in OBJECTS:
        path = SPECIMENS[operation](there, there.owner).path
        read = there.owner.get(path)
        names = [read.json.get(name) for name in NAMED] if read.status == 200 else []
        found += [path.rpartition("/")[2], *(name for name in names if isinstance(name, str))]
    # What people are called, they are called here too.
    return [(each, _like(each)) for each in dict.fromkeys(found) if " " not in each]


def _like(name: str) -> str:
    """Return what looks as a name or an id does, letter by letter, and is none; it begins and ends alike."""
    if re.fullmatch(r"[\d.]+", name):
        return f"9{secrets.randbelow(10**6)}.9"
    domain = "@" + name.partition("@")[2] if "@" in name else ""
    *prefix, rest = re.split(r"(?<=[_-])", name.removesuffix(domain))
    other = (secrets.choice(next(each for each in _ALIKE if letter in each)) for letter in rest[1:-1])
    return f"{''.join(prefix)}{rest[:1]}{''.join(other)}{rest[-1:]}{domain}"


#: Ids, numbers and times, which differ from call to call.
_OF_THE_CALL = re.compile(r"\b[a-z]{2,4}_\w{12,}|[\w.:+-]*\d[\w.:+-]*")


def _told(answer: Answer, each: Operation, name: str) -> tuple[int, str]:
    """Return what somebody learns from an answer; of what was done, that it was."""
    is_done = answer.status < 300 and each.changes
    text = "" if is_done else answer.text.replace(json.dumps(name), '"0"').replace(name, "0")
    return answer.status, _OF_THE_CALL.sub("0", text)


#: Operators know of all organizations; what is numbered is numbered for all.
KEPT_APART = [
    each
    for each in EACH
    if each.name not in SHARED and not truth.OPERATORS.issuperset(truth.NEEDS[each.name].split())
]


@pytest.mark.parametrize("each", KEPT_APART, ids=lambda each: each.name)
def test_what_is_elsewhere_is_as_what_is_nowhere(
    cast: Cast, each: Operation, named_there: list[tuple[str, str]]
) -> None:
    """
    Whoever may everything here, and names an object of another organization in any field, in the query or for
    an id, hears the same as for a name that nobody has, and nothing happens there.
    """
    here, caller, before = *_here(cast, each), _changes(cast.there)
    made, learned = SPECIMENS[each.name](here, caller), []
    places = range(len(list(_calls(each, made, ("x",)))))
    for place, pair in sampled(each.name, 96, product(places, named_there)):
        told = []
        for name in pair:
            sent = list(_calls(each, made, (name,)))[place]
            answer = _call(caller, each, sent)
            told.append(_told(answer, each, name))
            if answer.status < 300 and each.changes:
                made = SPECIMENS[each.name](here, caller)
        if told[0] != told[1]:
            learned.append((sent, pair, *told))

    assert [] == learned[:10], (len(learned), learned[:10])
    assert before == _changes(cast.there)


def test_the_sweep_sees_what_is_broken(
    cast: Cast, named_there: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Negative control: where a handler fails, and where objects of others are found, the sweep says so.
    """
    [get_key] = [each for each in EACH if each.name == "get_key"]

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(values, "IS_WHOLE", True)
    with monkeypatch.context() as patch:
        patch.setattr(credentials, "key", broken)
        with pytest.raises(AssertionError):
            test_any_value_gets_a_clear_answer(cast, get_key)
    with monkeypatch.context() as patch:
        patch.setattr(credentials, "key", lambda _, ident, **__: credentials.Credential.objects.get(id=ident))
        with pytest.raises(AssertionError):
            test_what_is_elsewhere_is_as_what_is_nowhere(cast, get_key, named_there)
    test_what_is_elsewhere_is_as_what_is_nowhere(cast, get_key, named_there)
