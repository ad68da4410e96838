"""A guard for tests of a host application: no server, no network, tokens on demand.

It decides with the real verifier over a replica in memory, so an application sees the same denials as in
production. Every permission that a test names is declared.
"""

from __future__ import annotations

import os
import secrets
import threading
import time
from datetime import timedelta

import msgspec

from retinue import permission
from retinue.decision import Allowed
from retinue.guard.core import Guard
from retinue.guard.deciding import Log, Refused, identified
from retinue.guard.entries import entry_for
from retinue.pepper import PEPPER_BYTES, Pepper, Peppers
from retinue.replica import lease, records
from retinue.replica.memory import MemoryReplica
from retinue.replica.records import Change, Kind, Meta
from retinue.token import Kind as TokenKind
from retinue.token import mint
from retinue.usage import Entry
from retinue.verifier import Question, Verifier

ORGANIZATION = "org_test"
_HOUR_MS = 3_600_000
#: As long as the longest lease: a test that is stopped in a debugger goes on.
_LEASE_MS = _HOUR_MS


class FakeDecider:
    """Decides over a replica in memory that tests fill by asking for tokens."""

    def __init__(self) -> None:
        self._replica = MemoryReplica()
        self._pepper = Pepper(os.urandom(PEPPER_BYTES))
        self._verifier = Verifier(self._replica, Peppers([self._pepper]))
        self._names: dict[str, int] = {}
        self._declaring = threading.Lock()
        #: What the request log would hold: decisions about genuine tokens, the oldest first.
        self.log: list[Entry] = []
        organization = records.Organization(
            ORGANIZATION, "test", "Test", "enabled", ("bearer",), lease_ms=_LEASE_MS, warn_ms=_HOUR_MS
        )
        self._write(
            (Kind.ORGANIZATION, ORGANIZATION, organization),
            (Kind.ORGANIZATION_HANDLE, "test", records.OrganizationHandle(ORGANIZATION)),
        )

    def decide(self, question: Question) -> Allowed | Refused:
        """Decide as a node does; the organization that is protected is the one of the test."""
        decided, log = self.hold(question)
        log(None)
        return decided

    def hold(self, question: Question) -> tuple[Allowed | Refused, Log]:
        """Decide, and leave it to the asker when it is logged."""
        self._declare(question.need)
        if question.organization is not None:
            question = msgspec.structs.replace(question, organization=ORGANIZATION)
        began, at_ns = time.perf_counter_ns(), time.time_ns()
        decided = identified(self._verifier.verify(question))
        nanoseconds = time.perf_counter_ns() - began

        def log(status: int | None, instead: Refused | None = None) -> None:
            if decided.caller is not None:
                self.log.append(entry_for(instead or decided, question, at_ns, nanoseconds, status))

        return decided, log

    def schemes(self, organization: str | None) -> tuple[str, ...]:
        """Return how tokens may be presented."""
        return ("bearer",)

    def close(self) -> None:
        """Nothing is open."""

    def issue(
        self,
        permissions: tuple[str, ...],
        *,
        name: str,
        state: str = "active",
        expires_in: timedelta | None = None,
        retires_in: timedelta | None = None,
        rotate_in: timedelta | None = None,
    ) -> str:
        """Return the token of a new account that holds exactly ``permissions``."""
        self._declare(permissions)
        token = mint(TokenKind.API_KEY)
        account = f"sa_{secrets.token_hex(8)}"
        held = permission.mask(self._names[each] for each in permissions)
        digest = records.Digest(self._pepper.digest(token.as_bytes()), self._pepper.id)
        self._write(
            (
                Kind.PRINCIPAL,
                account,
                records.Principal(account, "service_account", ORGANIZATION, name, name, "enabled", held),
            ),
            (
                Kind.CREDENTIAL,
                token.kid,
                records.Credential(
                    f"key_{token.kid}",
                    TokenKind.API_KEY.value,
                    ORGANIZATION,
                    account,
                    state,
                    (digest,),
                    expires_at_ms=_from_now(expires_in),
                    retires_at_ms=_from_now(retires_in),
                    rotate_by_ms=_from_now(rotate_in),
                ),
            ),
        )
        return token.reveal()

    def is_stale(self, stale: bool) -> None:
        """Let the lease be over, or running again."""
        self._replica.apply([], self._meta(fresh=not stale))

    def _declare(self, names: tuple[str, ...]) -> None:
        with self._declaring:
            for name in names:
                if name not in self._names:
                    self._names[name] = len(self._names)
                    self._write((Kind.PERMISSION, name, records.Permission(name, self._names[name])))

    def _write(self, *rows: tuple[Kind, str, records.Record]) -> None:
        changes = [Change(1, kind, key, records.encode(record)) for kind, key, record in rows]
        self._replica.apply(changes, self._meta(fresh=True))

    def _meta(self, *, fresh: bool) -> Meta:
        return Meta(
            1,
            1,
            complete=True,
            boot_id=lease.boot_id(),
            fresh_from_ns=lease.boot_clock_ns() if fresh else 0,
            fresh_wall_ms=lease.wall_clock_ms(),
        )


class FakeGuard(Guard):
    """A :class:`Guard` that knows the tokens which a test asks it for."""

    def __init__(self, organization: str | None = None) -> None:
        self.replica = FakeDecider()
        super().__init__(organization, decider=self.replica)

    def token(self, *permissions: str, name: str = "test-account") -> str:
        """Return the token of a new account that holds exactly ``permissions``."""
        return self.replica.issue(permissions, name=name)


class Tokens:
    """Header fields with tokens of every kind: ``retinue_token("report:read")``."""

    def __init__(self, guard: FakeGuard) -> None:
        self._fake = guard.replica

    def __call__(self, *permissions: str, name: str = "test-account") -> dict[str, str]:
        """The token of an account that holds exactly ``permissions``."""
        return _bearer(self._fake.issue(permissions, name=name))

    def expired(self, *permissions: str) -> dict[str, str]:
        """A token whose end has passed."""
        return _bearer(self._fake.issue(permissions, name="expired", expires_in=timedelta(seconds=-1)))

    def expiring(self, *permissions: str) -> dict[str, str]:
        """A token that ends within the first warning."""
        return _bearer(self._fake.issue(permissions, name="expiring", expires_in=timedelta(minutes=30)))

    def revoked(self, *permissions: str) -> dict[str, str]:
        """A token that was revoked."""
        return _bearer(self._fake.issue(permissions, name="revoked", state="revoked"))

    def retiring(self, *permissions: str) -> dict[str, str]:
        """A token that was rotated, within its overlap."""
        return _bearer(self._fake.issue(permissions, name="retiring", retires_in=timedelta(minutes=30)))

    def rotation_due(self, *permissions: str) -> dict[str, str]:
        """A token that had to be rotated a minute ago; it is good all the same."""
        return _bearer(self._fake.issue(permissions, name="due", rotate_in=timedelta(minutes=-1)))

    def stale(self, *permissions: str) -> dict[str, str]:
        """A good token, at a node whose lease is over from now on."""
        told = self(*permissions)
        self._fake.is_stale(True)
        return told


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def _from_now(delta: timedelta | None) -> int:
    return 0 if delta is None else lease.wall_clock_ms() + round(delta.total_seconds() * 1000)
