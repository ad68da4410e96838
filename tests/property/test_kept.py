"""What a verifier keeps of a committed state never shows: the answers are those of one that keeps nothing."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest

from retinue import kept
from retinue import verifier as verifying
from retinue.decision import Allowed
from retinue.pepper import Pepper
from retinue.replica.lease import Bounds
from retinue.replica.numbers import Numbers, Watched
from retinue.replica.records import (
    Change,
    Credential,
    Digest,
    Kind,
    Meta,
    Organization,
    Principal,
    Record,
    encode,
)
from retinue.replica.store import Store
from retinue.replica.store_snapshot import META, StoreSnapshot
from retinue.token import Kind as TokenKind
from retinue.token import Token, mint
from retinue.verifier import Question, UnknownOrganization, UnknownPermission, Verifier
from tests.property.kept_world import ACTIVE, STRANGER, TOKENS, World

STEPS = 150


def asked(act: Callable[[Question], object], question: Question) -> object:
    """Return the decision, or what is wrong with the question."""
    try:
        return act(question)
    except (UnknownPermission, UnknownOrganization) as error:
        return str(error)


def _compare_garbage(plain: Verifier, living: Verifier, question: Question) -> None:
    """What is no token is refused as a verifier does it that keeps nothing, or in the long way."""
    nonsense = msgspec.structs.replace(question, token="nonsense")
    refused = living.garbage(question, "nonsense")
    assert refused is None or asked(plain.verify, nonsense) == refused.decision, nonsense
    assert asked(plain.verify, nonsense) == asked(living.verify, nonsense), nonsense


def play(folder: Path, seed: int) -> tuple[int, int]:
    """Compare a verifier that lives on with one that keeps nothing; return how often it allowed, and by what it had kept."""
    world = World(Random(seed), Store(folder, writable=True, map_bytes=16 << 20))  # noqa: S311
    living, plain, allowed, known = world.verifier(), world.verifier(world.plain), 0, 0
    drawn: list[Question] = []
    for _ in range(STEPS):
        world.step()
        # The same from elsewhere too, so that much is asked again after the records, the lease or the time changed.
        again = [msgspec.structs.replace(each, address=world.address()) for each in drawn[:3]]
        again += [msgspec.structs.replace(each, token=STRANGER.reveal()) for each in drawn[:1]]
        drawn = [*again, *[world.question() for _ in range(3)]]
        for question in drawn * 3:
            expected = asked(plain.verify, question)
            answered = asked(living.verify, question)
            assert expected == answered, (question, expected, answered)
            token, bare = living._read(question.token or ""), msgspec.structs.replace(question, token=None)
            found = living.recall((question.token or "").encode(), bare) or asked(
                lambda each: living.look(each, token),  # noqa: B023  (asked at once)
                bare,
            )
            assert expected == (found.decision if isinstance(found, kept.Known) else found)
            allowed += isinstance(expected, Allowed)
            known += isinstance(found, kept.Known)
            assert isinstance(expected, Allowed) or not isinstance(found, kept.Known)
            _compare_garbage(plain, living, question)
    world.store.close()
    return allowed, known


@pytest.mark.parametrize("seed", range(6))
def test_what_is_kept_never_shows(tmp_path: Path, seed: int) -> None:
    """
    Whatever is committed and whatever the clocks show: same decision, same caller, same words; and most of what
    is allowed again comes from what was kept, or this would show nothing.
    """
    allowed, known = play(tmp_path, seed)

    assert allowed > 100
    assert known > allowed * 0.2


def _by_time(*facts: Any) -> tuple[int, int]:
    return kept.ALWAYS


def _never(self: Numbers, number: int) -> Watched:
    """Nothing is ever seen to be committed, as in a cache."""
    return (0,), 0, 0


def _same(self: Store, transaction: Any, meta: Meta, before: Meta | None = None) -> None:
    """Every write says that it renews the lease alone."""
    meta = msgspec.structs.replace(meta, place=self._place, edition=b"the same")
    transaction.put(META, encode(meta))


def _old_lease(self: kept.Kept, state: Any) -> kept.Kept:
    """The lease is not renewed, nor taken away."""
    found = kept.Kept(state, self.facts if state.is_edition(self.facts.edition) else None)
    if found.facts is self.facts:
        found.bounds, found.meta = self.bounds, self.meta
    return found


def _for_ever(gives: Callable[..., Any]) -> Callable[..., Any]:
    """What some holders give is what they gave first."""
    known: dict[tuple[str, ...], Any] = {}

    def act(self: StoreSnapshot, holders: tuple[str, ...]) -> Any:
        return known.setdefault(holders, gives(self, holders))

    return act


class _Endless(dict[int, Bounds]):
    def get(self, *facts: Any) -> Bounds:
        return 0, 1 << 62, 1 << 62


def _no_lease(self: kept.Kept, state: Any) -> kept.Kept:
    """Every lease runs for ever."""
    found = kept.Kept(state, self.facts if state.is_edition(self.facts.edition) else None)
    found.bounds = _Endless()
    return found


@pytest.mark.parametrize(
    "mistake", ["state", "edition", "renewal", "time", "lease", "question", "tag", "given"]
)
def test_each_mistake_is_found(tmp_path: Path, mistake: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    The state is not compared; a change of records counts as a renewal; a renewal changes no lease; what is kept
    ends by no instant, goes on without a lease, is about any question, or any token; what groups give together
    outlasts their records: each of these shows.
    """
    place, act = {
        "state": (Numbers, ("watched", _never)),
        "edition": (Store, ("_put", _same)),
        "renewal": (kept.Kept, ("following", _old_lease)),
        "time": (kept, ("span", _by_time)),
        "lease": (kept.Kept, ("following", _no_lease)),
        "question": (kept.Known, ("about", lambda self, question: self)),
        "tag": (verifying, ("compare_digest", lambda one, other: True)),
        "given": (StoreSnapshot, ("gives", _for_ever(StoreSnapshot.gives))),
    }[mistake]
    monkeypatch.setattr(place, *act)

    def all_of_them() -> None:
        for seed in range(6):
            play(tmp_path / str(seed), seed)

    with pytest.raises(AssertionError, match="Question"):
        all_of_them()


@pytest.mark.parametrize("token", [STRANGER, mint(TokenKind.API_KEY)], ids=["wrong secret", "unknown"])
def test_the_kept_are_not_told_from_others(
    tmp_path: Path, token: Token, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    A wrong secret for a key that is kept costs what an unknown key id costs: a tag, a digest, and three
    comparisons.
    """
    world = World(Random(0), Store(tmp_path, writable=True, map_bytes=16 << 20))  # noqa: S311
    own = Digest(ACTIVE.digest(TOKENS[0].as_bytes()), ACTIVE.id)
    rows: dict[tuple[Kind, str], Record] = {
        (Kind.ORGANIZATION, "org"): Organization("org", "acme", "Acme", "enabled", ("bearer",)),
        (Kind.PRINCIPAL, "sa"): Principal("sa", "service_account", "org", "bot", "Bot", "enabled"),
        (Kind.CREDENTIAL, TOKENS[0].kid): Credential("key", "sa", "org", "sa", "active", (own,)),
    }
    world.store.apply([Change(1, kind, key, encode(row)) for (kind, key), row in rows.items()], world.meta)
    digested: list[bytes] = []
    monkeypatch.setattr(Pepper, "digest", _counting(digested, Pepper.digest))
    verifier = world.verifier()
    for _ in range(3):
        assert isinstance(verifier.verify(Question(TOKENS[0].reveal())), Allowed)
    assert TOKENS[0].kid.encode() in verifier._kept.known
    compared: list[int] = []
    for place in ("verifier", "genuine"):
        monkeypatch.setattr(f"retinue.{place}.compare_digest", _comparing(compared))
    digested.clear()

    assert not isinstance(verifier.verify(Question(token.reveal())), Allowed)
    assert 1 == len(digested)
    assert [64, 64, 64] == compared
    world.store.close()


class _Elsewhere(bytes):
    """A key id at whose hash another thread goes on, and asks about the first key of all."""

    facts: kept.Facts

    def __hash__(self) -> int:
        self.facts.has_seen(b"b" * 64)
        return 7


class _Token(bytes):
    """A token with that key id."""

    kid: _Elsewhere

    def __getitem__(self, place: Any) -> Any:
        return self.kid


def test_another_thread_asks_for_the_first_time_meanwhile() -> None:
    """
    Threads share what is kept of an edition: what one has begun, another may find done.
    """
    token = _Token(b"a" * 64)
    token.kid = _Elsewhere(b"a")
    token.kid.facts = kept.Facts(b"edition")

    assert [False, True] == [token.kid.facts.has_seen(token), token.kid.facts.has_seen(token)]


def _counting(digested: list[bytes], digest: Callable[[Pepper, bytes], bytes]) -> Any:
    def act(self: Pepper, token: bytes) -> bytes:
        digested.append(token)
        return digest(self, token)

    return act


def _comparing(compared: list[int]) -> Callable[[bytes, bytes], bool]:
    def act(one: bytes, other: bytes) -> bool:
        compared.append(len(one) + len(other))
        return hmac.compare_digest(one, other)

    return act
