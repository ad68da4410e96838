"""The order of a decision, one failing step at a time."""

from __future__ import annotations

import hmac
from typing import Any

import msgspec
import pytest

from retinue import permission
from retinue.authority import holds
from retinue.decision import Allowed, Denied
from retinue.pepper import Pepper, Peppers
from retinue.replica import lease
from retinue.replica.memory import MemoryReplica
from retinue.replica.records import (
    Change,
    Credential,
    Digest,
    Kind,
    Meta,
    Organization,
    Permission,
    Principal,
    Restrictions,
    Rules,
    TimeWindow,
    encode,
)
from retinue.token import Kind as TokenKind
from retinue.token import mint
from retinue.verifier import Question, UnknownPermission, Verifier

NOW = 1_000_000
BOOT, BOOT_NS = "this boot", 5_000_000_000
LEASE_NS = 10_000_000_000
PEPPER = Pepper(bytes(32))
TOKEN = mint(TokenKind.API_KEY)
DIGEST = Digest(PEPPER.digest(TOKEN.as_bytes()), PEPPER.id)


def ask(
    question: Question | None = None,
    *,
    meta: Meta | None = None,
    clock: int = NOW,
    boot_ns: int = BOOT_NS,
    **changed: Any,
) -> str | None:
    """Decide with one account whose records differ as ``organization_state=`` and so on say."""
    rows: dict[str, Any] = {
        "organization": Organization("org", "acme", "Acme", "enabled", ("bearer",)),
        "principal": Principal("sa", "service_account", "org", "bot", "Bot", "enabled", permission.mask([0])),
        "credential": Credential("key", "sa", "org", "sa", "active", (DIGEST,)),
        "permission": Permission("report:read", 0),
    }
    for name, value in changed.items():
        kind, _, field = name.partition("_")
        rows[kind] = msgspec.structs.replace(rows[kind], **{field: value})
    keys = {"organization": "org", "principal": "sa", "credential": TOKEN.kid, "permission": "report:read"}
    replica = MemoryReplica()
    changes = [Change(1, Kind(kind), keys[kind], encode(row)) for kind, row in rows.items()]
    replica.apply(changes, meta or Meta(1, 1, True, boot_id=BOOT, fresh_from_ns=BOOT_NS, fresh_wall_ms=NOW))
    verifier = Verifier(
        replica,
        Peppers([PEPPER]),
        clock_ms=lambda: clock,
        boot_clock_ns=lambda: boot_ns,
        boot_id=BOOT,
    )
    decision = verifier.verify(question or Question(TOKEN.reveal(), ("report:read",)))
    assert isinstance(decision, Allowed | Denied)
    return decision.reason.value if isinstance(decision, Denied) else None


STEPS: list[tuple[str, dict[str, Any]]] = [
    ("organization_disabled", {"organization_state": "disabled"}),
    ("account_deleted", {"principal_state": "deleted"}),
    ("account_disabled", {"principal_state": "disabled"}),
    ("credential_revoked", {"credential_state": "revoked"}),
    ("credential_suspended", {"credential_state": "suspended"}),
    ("credential_expired", {"credential_expires_at_ms": NOW}),
    ("kind_not_accepted", {"question": Question(TOKEN.reveal(), ("report:read",), kinds=frozenset({"pat"}))}),
    ("network_not_allowed", {"organization_rules": Rules(allow=("192.0.2.0/24",))}),
    ("network_not_allowed", {"credential_restrictions": Restrictions(networks=("192.0.2.0/24",))}),
    ("endpoint_not_allowed", {"credential_restrictions": Restrictions((), ("/reports/*",), ("GET",))}),
    (
        "method_not_allowed",
        {"credential_restrictions": Restrictions(methods=("GET",), times=(TimeWindow(0, 0, 1440),))},
    ),
    ("time_not_allowed", {"credential_restrictions": Restrictions(times=(TimeWindow(0, 0, 1440),))}),
    ("permission_missing", {"principal_permissions": b""}),
]


@pytest.mark.parametrize("place", range(len(STEPS)))
def test_the_first_failing_step_gives_the_reason(place: int) -> None:
    """With this step and every later one failing, the answer is this step's reason."""
    failing: dict[str, Any] = {}
    for _, changed in reversed(STEPS[place:]):
        failing |= changed

    assert STEPS[place][0] == ask(**failing)


def test_stranger_learns_nothing() -> None:
    """An unknown key id and a wrong secret are answered alike, even when the account is disabled."""
    wrong = Question(mint(TokenKind.API_KEY, kid=TOKEN.kid).reveal())
    unknown = Question(mint(TokenKind.API_KEY).reveal())

    assert "token_unknown" == ask(wrong, principal_state="disabled")
    assert "token_unknown" == ask(unknown, principal_state="disabled")


def test_expiry_follows_the_later_clock() -> None:
    """A node's clock that steps back revives nothing; one millisecond before expiry still works."""
    heard = Meta(1, 1, True, boot_id=BOOT, fresh_from_ns=BOOT_NS, control_time_ms=NOW, heard_ns=BOOT_NS)

    assert "credential_expired" == ask(meta=heard, clock=0, credential_expires_at_ms=NOW)
    assert ask(meta=heard, clock=0, credential_expires_at_ms=NOW + 1) is None


def test_what_was_expired_by_hand_has_expired_on_every_clock() -> None:
    """A clock that is behind, and a control plane's that was set back, revive nothing that was ended by hand."""
    ended = ask(clock=NOW - 1, credential_expires_at_ms=NOW, credential_has_expired=True)

    assert "credential_expired" == ended
    assert ask(clock=NOW - 1, credential_expires_at_ms=NOW) is None


def test_a_previous_digest_ends() -> None:
    """A previous digest is good before its end and unknown from then on."""
    other = Digest(bytes(32), PEPPER.id)

    for until, expected in ((NOW + 1, None), (NOW, "token_unknown")):
        previous = msgspec.structs.replace(DIGEST, valid_until_ms=until)
        assert expected == ask(credential_digests=(other, previous))


def test_what_is_forbidden_for_services_is_not_held() -> None:
    """A service account never holds a forbidden permission; a user with the same mask does."""
    forbidden = permission.mask([0])

    assert "permission_missing" == ask(organization_forbidden_for_service=forbidden)
    assert ask(organization_forbidden_for_service=forbidden, principal_kind="user") is None


def test_an_undeclared_permission_is_the_askers_error() -> None:
    """A question about an undeclared permission raises; it is never a decision."""
    with pytest.raises(UnknownPermission):
        ask(Question(TOKEN.reveal(), ("report:delete",)))


@pytest.mark.parametrize(
    ("reason", "age_ns", "wall_ms"),
    [
        (None, 0, 0),
        (None, LEASE_NS - 1, 10_000),
        ("replica_stale", LEASE_NS, 10_000),
        ("replica_stale", -1, 0),
        # The pause guard: half of what a clock may lose, 250 ms of 10 s, and no more.
        (None, 1_000_000_000, 1_250),
        ("replica_stale", 1_000_000_000, 1_251),
        # A wall clock that stands still or steps back ends no lease.
        (None, 1_000_000_000, -60_000),
    ],
)
def test_a_lease_runs_for_its_length(reason: str | None, age_ns: int, wall_ms: int) -> None:
    """Nothing is decided before a lease, after its end, or while the machine seems to have stood still."""
    assert reason == ask(boot_ns=BOOT_NS + age_ns, clock=NOW + wall_ms)


def test_no_lease_survives_a_boot() -> None:
    """The boot-time clock of another boot means nothing, and a replica without a lease decides nothing."""
    leased = Meta(1, 1, True, boot_id=BOOT, fresh_from_ns=BOOT_NS, fresh_wall_ms=NOW)

    assert ask(meta=leased) is None
    assert "replica_stale" == ask(meta=msgspec.structs.replace(leased, boot_id="the boot before"))
    assert "replica_stale" == ask(meta=msgspec.structs.replace(leased, fresh_from_ns=0))


def test_each_organization_has_its_own_lease() -> None:
    """The length is the organization's; what is not found is called unknown for ten seconds only."""
    unknown = Question(mint(TokenKind.API_KEY).reveal())
    late: dict[str, Any] = {"boot_ns": BOOT_NS + 60_000_000_000, "clock": NOW + 60_000}

    assert "replica_stale" == ask(**late)
    assert ask(organization_lease_ms=61_000, **late) is None
    assert "replica_stale" == ask(unknown, organization_lease_ms=61_000, **late)
    assert "token_unknown" == ask(unknown, boot_ns=BOOT_NS + 9_000_000_000, clock=NOW + 9_000)


def test_a_lease_tells_how_long_it_still_runs() -> None:
    """To the millisecond, and nothing once it has ended or does not run here."""
    leased = Meta(1, 1, True, boot_id=BOOT, fresh_from_ns=BOOT_NS, fresh_wall_ms=NOW)

    assert 10_000 == lease.remaining_ms(leased, 10_000, BOOT, BOOT_NS, NOW)
    assert 1 == lease.remaining_ms(leased, 10_000, BOOT, BOOT_NS + 9_999_000_000, NOW + 9_999)
    assert 0 == lease.remaining_ms(leased, 10_000, BOOT, BOOT_NS + LEASE_NS, NOW + 10_000)
    assert 0 == lease.remaining_ms(leased, 10_000, "another boot", BOOT_NS, NOW)


def test_a_digest_counts_under_its_own_pepper_alone() -> None:
    """A row that names a pepper which is not held is good for nobody, whatever its digest is."""
    planted = Digest(DIGEST.value, "0" * 16)

    assert "token_unknown" == ask(credential_digests=(planted,))
    assert ask(credential_digests=(planted, DIGEST)) is None


def test_expiry_follows_the_control_planes_clock_while_time_passes() -> None:
    """Its time goes on from when it was heard, by the boot-time clock, in whole milliseconds."""
    heard = Meta(1, 1, True, boot_id=BOOT, fresh_from_ns=1, control_time_ms=NOW - 2, heard_ns=BOOT_NS)

    for passed_ns, expected in ((1_999_999, None), (2_000_000, "credential_expired"), (-2_000_000, None)):
        assert expected == ask(meta=heard, clock=0, boot_ns=BOOT_NS + passed_ns, credential_expires_at_ms=NOW)


def test_only_callers_are_accepted_unless_the_question_says_more() -> None:
    """By default keys and personal tokens are accepted: no ingest token, no node's, no setup code."""
    assert {"sa", "pat"} == Question(None).kinds


def test_an_undeclared_permission_is_held_by_nobody() -> None:
    """Whoever asks about it, also past the check of the question."""
    replica = MemoryReplica()
    organization = Organization("org", "acme", "Acme", "enabled", ("bearer",))
    principal = Principal("sa", "user", "org", "bot", "Bot", "enabled", b"\xff" * 200)
    with replica.snapshot() as snapshot:
        assert not holds(snapshot, organization, principal, "report:read")


@pytest.mark.parametrize("digests", [(), (DIGEST,), (DIGEST, DIGEST)], ids=["none", "one", "two"])
@pytest.mark.parametrize("kid", [TOKEN.kid, None], ids=["known", "unknown"])
def test_two_digests_are_always_compared(
    monkeypatch: pytest.MonkeyPatch, digests: tuple[Digest, ...], kid: str | None
) -> None:
    """An unknown key id, a wrong secret, and a key with or without a previous digest cost the same."""
    compared: list[int] = []

    def compare(one: bytes, other: bytes) -> bool:
        compared.append(len(one) + len(other))
        return hmac.compare_digest(one, other)

    monkeypatch.setattr("retinue.genuine.compare_digest", compare)

    assert "token_unknown" == ask(
        Question(mint(TokenKind.API_KEY, kid=kid).reveal()), credential_digests=digests
    )
    assert [64, 64] == compared
