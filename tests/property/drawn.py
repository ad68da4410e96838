"""Scenes as hypothesis draws them: one thing is out of order, and some things after it may be."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

from hypothesis import strategies as st

from retinue.verifier import Question
from tests.property.scenes import (
    ACTIVE,
    CATALOGUE,
    CLOCKS,
    GARBAGE,
    KIDS,
    LEASES,
    NOT_HELD,
    NOW,
    RETIRED,
    ROLES,
    RUNNING,
    UNDECLARED,
    UNKNOWN_KID,
    Account,
    Credential,
    Organization,
    Scene,
    Secret,
    token,
)

T = TypeVar("T")

#: What may be out of order, by the step that looks at it. One thing is, and some after it may be: so each
#: step is reached often. Sometimes all are.
ODDITIES = (
    "presented", "scheme", "complete", "readable", "lease", "named", "secrets", "pepper", "until", "home",
    "organization state", "account state", "account", "key state", "retires", "begins", "expires", "schemes",
    "kind", "personal_tokens", "kinds", "forbidden", "own", "need",
)  # fmt: skip
EDGES = st.sampled_from([NOW - 1, NOW, NOW + 1, NOW + 999, NOW + 1_000, NOW + 1_001])
SETS = st.frozensets(st.sampled_from(sorted(CATALOGUE)))


class Draw:
    """Draws a value that is in order, or, if its name is among the oddities of this scene, another one."""

    def __init__(self, draw: st.DrawFn) -> None:
        first = draw(st.integers(-1, len(ODDITIES) - 1))
        later = st.frozensets(st.sampled_from(ODDITIES[first:]), max_size=3)
        self._odd = frozenset(ODDITIES) if first < 0 else draw(later) | {ODDITIES[first]}
        self.any = draw

    def __call__(self, name: str, usual: T, other: st.SearchStrategy[T]) -> T:
        """The usual value, or one of ``other`` (which may hold the usual one too)."""
        return self.any(other) if name in self._odd else usual


@st.composite
def scenes(draw: st.DrawFn) -> Scene:
    """Two organizations, two accounts, two credentials; the question is about the first of each."""
    pick = Draw(draw)
    key = _credential(pick)
    question, well_formed = _question(pick, key)
    return Scene(
        organizations=(
            _organization(pick),
            Organization("org_1", "acme1", True, ("bearer", "basic_token"), frozenset(), True, 0),
        ),
        roles=(("reader", frozenset({"report:read"})), ("editor", draw(SETS))),
        accounts=(
            _account(pick, question.need),
            Account("account_1", "user", "enabled", frozenset(CATALOGUE), ()),
        ),
        credentials=(
            key,
            replace(key, kid=KIDS[1], secrets=(Secret(token(KIDS[1], key.kind, 0), ACTIVE, 0),)),
        ),
        complete=pick("complete", True, st.just(False)),
        readable=pick("readable", True, st.just(False)),
        clock=draw(st.sampled_from(CLOCKS)),
        question=question,
        well_formed=well_formed,
        lease=pick("lease", RUNNING, st.sampled_from(LEASES)),
    )


def _organization(pick: Draw) -> Organization:
    return Organization(
        "org_0",
        "acme0",
        pick("organization state", True, st.just(False)),
        pick("schemes", ("bearer",), st.sampled_from([("basic_token",), ("bearer", "basic_token"), ()])),
        pick("forbidden", frozenset(), SETS),
        pick("personal_tokens", True, st.just(False)),
        pick.any(st.sampled_from([0, 1, 1_000])),
        pick("lease", 10_000, st.sampled_from([2_000, 10_000, 60_000])),
    )


def _account(pick: Draw, need: tuple[str, ...]) -> Account:
    own = pick("own", frozenset(need) & set(CATALOGUE), SETS)
    return Account(
        "account_0",
        pick.any(st.sampled_from(["service_account", "user"])),
        pick("account state", "enabled", st.sampled_from(["disabled", "deleted"])),
        own,
        pick.any(st.lists(st.sampled_from(ROLES), max_size=3).map(tuple)),
    )


def _credential(pick: Draw) -> Credential:
    kind = pick("kind", "sa", st.sampled_from(["pat", "ing", "node"]))
    count = pick("secrets", 1, st.integers(0, 3))
    secrets = [
        Secret(
            token(KIDS[0], pick("kind", kind, st.sampled_from([kind, kind, "pat"])), number),
            pick("pepper", ACTIVE, st.sampled_from([RETIRED, NOT_HELD])),
            pick("until", 0, EDGES),
        )
        for number in range(count)
    ]
    return Credential(
        KIDS[0],
        kind,
        pick("home", "org_0", st.sampled_from(["org_1", "org_gone"])),
        ""
        if kind in ("ing", "node")
        else pick("account", "account_0", st.sampled_from(["account_1", "gone"])),
        pick("key state", "active", st.sampled_from(["suspended", "revoked", "deleted"])),
        tuple(pick.any(st.permutations(secrets))),
        pick("begins", 0, EDGES),
        pick("expires", 0, EDGES),
        pick("retires", 0, EDGES),
        pick.any(st.just(0) | EDGES),
    )


def _question(pick: Draw, key: Credential) -> tuple[Question, bool]:
    """A question, and whether what it presents has the form of a token."""
    texts = [token(kid, key.kind, number) for kid in (*KIDS, UNKNOWN_KID) for number in (0, 1, 2)]
    texts += [token(KIDS[0], kind, 0) for kind in ("sa", "pat", "ing", "node", "boot")]
    texts += [f"secret-token:{text}" for text in texts[:2]]
    good = pick("secrets", texts[0], st.sampled_from(texts[:3]))
    presented = pick("presented", good, st.sampled_from([*texts, None, "", *GARBAGE]))
    named = pick("named", None, st.sampled_from(["org_0", "acme0", "org_1", "acme1", "nobody", "\ud800"]))
    # Without a named organization a scheme is one that all accept or one that none does.
    schemes = ["refused"] if named is None else ["basic_token", "basic_token", "refused"]
    needs = st.lists(st.sampled_from([*CATALOGUE, *CATALOGUE, UNDECLARED]), max_size=3).map(tuple)
    kinds = st.sampled_from([{"sa"}, {"pat"}, {"ing"}, {"sa", "pat", "ing", "node"}, set()]).map(frozenset)
    question = Question(
        presented,
        pick("need", ("report:read",), needs),
        named,
        scheme=pick("scheme", "bearer", st.sampled_from(schemes)),
        kinds=pick("kinds", frozenset({"sa", "pat", key.kind}), kinds),
    )
    return question, presented in texts
