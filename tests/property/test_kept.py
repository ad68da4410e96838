"""What a verifier keeps of a committed state never shows: the answers are those of one that keeps nothing."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest

from retinue import kept, permission
from retinue.decision import Allowed
from retinue.pepper import Pepper, Peppers
from retinue.replica.lease import Bounds
from retinue.replica.narrowing import Restrictions, Rules, TimeWindow
from retinue.replica.records import (
    Change,
    Credential,
    Digest,
    Holder,
    Kind,
    Meta,
    Organization,
    OrganizationHandle,
    Permission,
    Principal,
    Record,
    Scope,
    Timed,
    encode,
)
from retinue.replica.store import Store
from retinue.replica.store_snapshot import Common
from retinue.token import Kind as TokenKind
from retinue.token import Token, mint
from retinue.verifier import Question, UnknownOrganization, UnknownPermission, Verifier

NOW, BOOT_NS, BOOT = 1_796_212_800_000, 5_000_000_000, "this boot"
OLD, ACTIVE = Pepper(bytes(32)), Pepper(b"\1" * 32)
TOKENS = [mint(TokenKind.API_KEY) for _ in range(3)] + [mint(TokenKind.PERSONAL)]
STRANGER = mint(TokenKind.API_KEY, kid=TOKENS[0].kid)
NEEDS = [(), ("report:read",), ("report:write",), ("report:read", "report:write"), ("report:none",)]
STEPS = 150
FRESH = Meta(1, 1, True, boot_id=BOOT, fresh_from_ns=BOOT_NS, fresh_wall_ms=NOW)


@dataclass
class World:
    """A replica on disk that changes at random, and the clocks."""

    random: Random
    store: Store
    rows: dict[tuple[Kind, str], Record] = field(default_factory=dict)
    meta: Meta = FRESH
    passed_ms: int = 0

    def __post_init__(self) -> None:
        for index, name in enumerate(("report:read", "report:write")):
            self.rows[Kind.PERMISSION, name] = Permission(name, index)
        self.rows[Kind.ORGANIZATION_HANDLE, "acme"] = OrganizationHandle("org")
        for number in range(len(TOKENS)):
            self._draw(number)

    def verifier(self) -> Verifier:
        """Return a verifier with the clocks of this world. A new one has kept nothing."""
        return Verifier(
            self.store,
            Peppers([ACTIVE, OLD]),
            clock_ms=lambda: NOW + self.passed_ms,
            boot_clock_ns=lambda: BOOT_NS + self.passed_ms * 1_000_000,
            boot_id=BOOT,
        )

    def step(self) -> None:
        """Change a record, hear from the control plane, or let time go by."""
        what = self.random.randrange(10)
        if what < 5:
            self._draw(self.random.randrange(len(TOKENS)))
        if what < 7:
            age_ms = self.random.choice((0, 0, 0, 0, 0, 5_000, 20_000))
            self.meta = msgspec.structs.replace(
                self.meta,
                revision=self.meta.revision + self.random.randrange(2),
                complete=self.random.random() < 0.95,
                fresh_from_ns=BOOT_NS + (self.passed_ms - age_ms) * 1_000_000 if age_ms < 20_000 else 0,
                fresh_wall_ms=NOW + self.passed_ms - age_ms,
                control_time_ms=NOW + self.passed_ms + self.random.choice((0, 0, 900)),
                heard_ns=BOOT_NS + self.passed_ms * 1_000_000,
            )
            changes = [Change(1, kind, key, encode(row)) for (kind, key), row in self.rows.items()]
            self.store.apply(changes, self.meta)
        if what >= 6:
            self.passed_ms += self.random.choice((-700, 1, 400, 1_300, 4_000))

    def question(self) -> Question:
        """Return a question, most about a token that there is."""
        token: Token = self.random.choice((*TOKENS, *TOKENS, STRANGER))
        return Question(
            token.reveal(),
            self.random.choice([*NEEDS[:4] * 5, *NEEDS[4:]]),
            self.random.choice((None, None, None, None, None, "org", "acme", "nobody")),
            self.random.choice((None, None, "r1")),
            self.random.choice((None, "192.0.2.7", "198.51.100.7")),
            scheme=self.random.choice(("bearer", "bearer", "bearer", None, "apikey")),
        )

    def _draw(self, number: int) -> None:
        """Draw an account anew with its key, its role, and now and then the organization."""
        draw, token = self._seldom, TOKENS[number]
        account, role = f"acc{number}", f"role{number % 2}"
        soon = NOW + self.passed_ms + self.random.choice((-500, 300, 2_000))
        rules = Rules(allow=("192.0.2.0/24",))
        scope = Scope(permission.mask([1]), "ids", ("r1",))
        self.rows[Kind.ORGANIZATION, "org"] = Organization(
            "org", "acme", "Acme", draw("disabled", "enabled"), draw(("apikey",), ("bearer",)),
            draw(permission.mask([0]), b""), lease_ms=10_000, warn_ms=draw(400, 0), rules=draw(rules, None),
            service_holders=draw((role,), ()), pat_follows_permission=draw(True, False),
        )  # fmt: skip
        self.rows[Kind.HOLDER, role] = Holder(
            role, self.random.choice((b"", permission.mask([0, 1]))), draw(permission.mask([1]), b""),
            draw((scope,), ()),
        )  # fmt: skip
        self.rows[Kind.PRINCIPAL, account] = Principal(
            account, self.random.choice(("service_account", "user")), "org", account,
            self.random.choice(("One", "Other")), draw("deleted", draw("disabled", "enabled")),
            self.random.choice((b"", permission.mask([0]), permission.mask([0, 1]))), draw((role,), ()),
            scoped=draw((scope,), ()), timed=draw((Timed(role, soon),), ()),
        )  # fmt: skip
        own = Digest(ACTIVE.digest(token.as_bytes()), ACTIVE.id, draw(soon, 0))
        previous = Digest(OLD.digest(token.as_bytes()), OLD.id)
        window = TimeWindow(127, 0, 720)
        narrowed = Restrictions(("192.0.2.0/24",), times=draw((window,), ()))
        self.rows[Kind.CREDENTIAL, token.kid] = Credential(
            f"key{number}", token.kind.value, "org", draw("", account), draw("revoked", "active"),
            draw((previous,), draw((previous, own), (own,))), draw(soon, 0), draw(soon, 0), draw(soon, 0),
            draw(soon, 0), draw(narrowed, None), draw(True, False), draw(True, False),
        )  # fmt: skip

    def _seldom(self, one: Any, other: Any) -> Any:
        return one if self.random.random() < 0.04 else other


def asked(act: Callable[[Question], object], question: Question) -> object:
    """Return the decision, or what is wrong with the question."""
    try:
        return act(question)
    except (UnknownPermission, UnknownOrganization) as error:
        return str(error)


def _compare_garbage(world: World, living: Verifier, question: Question) -> None:
    """What is no token is refused as a new verifier does it, or in the long way."""
    nonsense = msgspec.structs.replace(question, token="nonsense")
    refused = living.garbage(question, "nonsense")
    assert refused is None or asked(world.verifier().verify, nonsense) == refused.decision, nonsense
    asked(living.verify, nonsense)


def play(folder: Path, seed: int) -> tuple[int, int]:
    """Compare a verifier that lives on with new ones; return how often it allowed, and by what it had kept."""
    world = World(Random(seed), Store(folder, writable=True, map_bytes=16 << 20))  # noqa: S311
    living, allowed, known = world.verifier(), 0, 0
    for _ in range(STEPS):
        world.step()
        drawn = [world.question() for _ in range(5)]
        for question in drawn * 3:
            expected = asked(world.verifier().verify, question)
            answered = asked(living.verify, question)
            assert expected == answered, (question, expected, answered)
            token, bare = living._read(question.token or ""), msgspec.structs.replace(question, token=None)
            again = asked(lambda each: living.look(each, token), bare)  # noqa: B023  (asked at once)
            assert expected == (again.decision if isinstance(again, kept.Known) else again)
            allowed += isinstance(expected, Allowed)
            known += isinstance(again, kept.Known)
            assert isinstance(expected, Allowed) or not isinstance(again, kept.Known)
            _compare_garbage(world, living, question)
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


class _Deaf(Store):
    """Goes on in the first state that it has read, as a cache would."""

    def committed(self) -> tuple[Any, Common]:
        transaction, state = super().committed()
        first = self.__dict__.setdefault("first", state)
        return transaction, first if first.meta.complete else state


def _by_time(*facts: Any) -> tuple[int, int]:
    return kept.ALWAYS


def _no_lease(*facts: Any) -> Bounds:
    return 0, 1 << 62, 1 << 62


@pytest.mark.parametrize("mistake", ["state", "time", "lease", "question"])
def test_each_mistake_is_found(tmp_path: Path, mistake: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    What is kept is not compared with the state; ends by no instant; goes on without a lease; is about any
    question: each of these shows.
    """
    if mistake == "state":
        monkeypatch.setattr("tests.property.test_kept.Store", _Deaf)
    elif mistake == "time":
        monkeypatch.setattr(kept, "span", _by_time)
    elif mistake == "lease":
        known = kept.known
        monkeypatch.setattr(kept, "known", lambda a, b, c, lease, span: known(a, b, c, _no_lease(), span))
    else:
        monkeypatch.setattr(kept.Known, "about", lambda self, question: self)

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
    A wrong secret for a key that is kept costs what an unknown key id costs: one digest, three comparisons.
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
    assert TOKENS[0].kid in verifier._kept.known
    compared: list[int] = []
    for place in ("verifier", "genuine"):
        monkeypatch.setattr(f"retinue.{place}.compare_digest", _comparing(compared))
    digested.clear()

    assert not isinstance(verifier.verify(Question(token.reveal())), Allowed)
    assert 1 == len(digested)
    assert [64, 64, 64] == compared
    world.store.close()


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
