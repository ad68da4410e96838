"""A replica that changes at random, for what a verifier keeps of one."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import Any

import msgspec

from retinue import permission
from retinue.pepper import Pepper, Peppers
from retinue.replica.memory import MemoryReplica
from retinue.replica.narrowing import Restrictions, Rules, TimeWindow
from retinue.replica.reading import Replica
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
from retinue.token import Kind as TokenKind
from retinue.token import Token, mint
from retinue.verifier import Question, Verifier

NOW, BOOT_NS, BOOT = 1_796_212_800_000, 5_000_000_000, "this boot"
OLD, ACTIVE = Pepper(bytes(32)), Pepper(b"\1" * 32)
TOKENS = [mint(TokenKind.API_KEY) for _ in range(3)] + [mint(TokenKind.PERSONAL)]
#: Groups that do not exist: a list so long that it is read in another way.
MANY = tuple(f"group-{number}" for number in range(60))
STRANGER = mint(TokenKind.API_KEY, kid=TOKENS[0].kid)
NEEDS = [(), ("report:read",), ("report:write",), ("report:read", "report:write"), ("report:none",)]
FRESH = Meta(1, 1, True, boot_id=BOOT, fresh_from_ns=BOOT_NS, fresh_wall_ms=NOW)


@dataclass
class World:
    """A replica on disk that changes at random, and the clocks."""

    random: Random
    store: Store
    rows: dict[tuple[Kind, str], Record] = field(default_factory=dict)
    meta: Meta = FRESH
    plain: MemoryReplica = field(default_factory=MemoryReplica)
    passed_ms: int = 0

    def __post_init__(self) -> None:
        for index, name in enumerate(("report:read", "report:write")):
            self.rows[Kind.PERMISSION, name] = Permission(name, index)
        self.rows[Kind.ORGANIZATION_HANDLE, "acme"] = OrganizationHandle("org")
        for number in range(len(TOKENS)):
            self._draw(number)
        self._commit(list(self.rows))

    def verifier(self, replica: Replica | None = None) -> Verifier:
        """Return a verifier with the clocks of this world: over the store, or a replica that keeps nothing."""
        return Verifier(
            replica or self.store,
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
        if what < 8:
            age_ms = self.random.choice((0, 0, 0, 0, 0, 5_000, 20_000))
            self.meta = msgspec.structs.replace(
                self.meta,
                revision=self.meta.revision + (self.random.randrange(2) if what < 6 else 0),
                complete=self.random.random() < 0.95 if what < 6 else self.meta.complete,
                fresh_from_ns=BOOT_NS + (self.passed_ms - age_ms) * 1_000_000 if age_ms < 20_000 else 0,
                fresh_wall_ms=NOW + self.passed_ms - age_ms,
                control_time_ms=NOW + self.passed_ms + self.random.choice((0, 0, 900)),
                heard_ns=BOOT_NS + self.passed_ms * 1_000_000,
            )
            self._commit(list(self.rows) if what < 5 else [])  # the last are renewals of the lease
        if what >= 6:
            self.passed_ms += self.random.choice((-700, 1, 400, 1_300, 4_000))

    def _commit(self, places: list[tuple[Kind, str]]) -> None:
        changes = [Change(1, *place, encode(self.rows[place])) for place in places]
        for replica in (self.plain, self.store):
            replica.apply(changes, self.meta)

    def question(self) -> Question:
        """Return a question, most about a token that there is."""
        token: Token = self.random.choice((*TOKENS, *TOKENS, STRANGER))
        return Question(
            token.reveal(),
            self.random.choice([*NEEDS[:4] * 5, *NEEDS[4:]]),
            self.random.choice((None, None, None, None, None, "org", "acme", "nobody")),
            self.random.choice((None, None, "r1")),
            self.address(),
            scheme=self.random.choice(("bearer", "bearer", "bearer", None, "apikey")),
        )

    def address(self) -> str | None:
        """Return where a request may come from."""
        return self.random.choice((None, "192.0.2.7", "198.51.100.7"))

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
            self.random.choice((b"", permission.mask([0]), permission.mask([0, 1]))),
            self.random.choice(((), (), (role,), (role, *MANY))),
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
