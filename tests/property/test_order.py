"""The order of a decision against an independent reference, on both replicas; strangers learn nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from retinue.decision import Allowed, Decision, Denied, Reason
from retinue.problem import headers_for, problem_for
from retinue.replica.memory import MemoryReplica
from retinue.replica.store import Store
from retinue.token import checksum
from retinue.verifier import Question, UnknownOrganization, UnknownPermission, Verifier
from tests.property.drawn import scenes
from tests.property.oddities import ODDITIES, ORDERLY
from tests.property.order import TABLE, Outcome, Unknown, decide
from tests.property.scenes import (
    ACTIVE,
    BOOT,
    BOOT_NS,
    KIDS,
    PEPPERS,
    REVISION,
    UNKNOWN_KID,
    Account,
    Credential,
    Organization,
    Scene,
    Secret,
    changes,
    meta,
    token,
)

SETTINGS = settings(
    deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
REFUSED = (UnknownPermission, UnknownOrganization)


@pytest.fixture(scope="module", params=["memory", "lmdb"])
def replica(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A replica of either kind; every scene replaces its whole content."""
    if request.param == "memory":
        yield MemoryReplica()
        return
    store = Store(tmp_path_factory.mktemp("replica"), writable=True, map_bytes=16 << 20)
    yield store
    store.close()


def verifier(replica: Any, scene: Scene) -> Verifier:
    """A verifier over a replica that holds the scene."""
    replica.replace_range(None, None, changes(scene), meta(scene))
    clock, _, elapsed = scene.clock
    return Verifier(
        replica, PEPPERS, clock_ms=lambda: clock, boot_clock_ns=lambda: BOOT_NS + elapsed, boot_id=BOOT
    )


def outcome(decision: Decision) -> Outcome:
    """A decision in the words of the reference."""
    caller = decision.caller
    reason = decision.reason.value if isinstance(decision, Denied) else None
    if caller is None:
        return Outcome(reason, decision.permission, None, frozenset())
    assert REVISION == caller.revision
    told = (caller.kind, caller.id, caller.name, caller.organization, caller.credential_id)
    instants = (caller.expires_at_ms, caller.retires_at_ms, caller.rotate_by_ms)
    return Outcome(reason, decision.permission, told + instants, frozenset(caller.warnings))


@settings(SETTINGS, max_examples=600)
@given(scene=scenes())
def test_a_decision_is_that_of_the_table(replica: Any, scene: Scene) -> None:
    """
    For any organizations, accounts, credentials, roles and question: the first row of the table that holds
    gives the reason, and a decision tells exactly what the table's step allows to tell.
    """
    assert agrees(verifier(replica, scene), scene)


def agrees(decides: Verifier, scene: Scene) -> bool:
    """Tell whether the verifier decides as the table, or refuses the question where the table does."""
    try:
        expected = decide(scene)
    except Unknown:
        with pytest.raises(REFUSED):
            decides.verify(scene.question)
        return True
    return expected == outcome(decides.verify(scene.question))


@pytest.mark.parametrize("name", ODDITIES)
def test_each_oddity_is_decided_as_the_table_says(replica: Any, name: str) -> None:
    """With one thing changed in a scene in which all is well: the edge of each step."""
    scene = ODDITIES[name](ORDERLY)

    assert agrees(verifier(replica, scene), scene)


@pytest.mark.parametrize("first", ODDITIES)
def test_two_oddities_are_decided_as_the_table_says(first: str) -> None:
    """Any two things at once, in both orders: of two steps that fail the earlier one gives the reason."""
    replica = MemoryReplica()
    scenes = {other: ODDITIES[other](ODDITIES[first](ORDERLY)) for other in ODDITIES}

    assert [] == [other for other, scene in scenes.items() if not agrees(verifier(replica, scene), scene)]


def test_the_table_is_in_the_order_of_the_reasons() -> None:
    """The rows go through the steps in order, and their reasons are those of the closed set, each once."""
    order = [reason.value for reason in Reason]
    rows = [reason for step, reason, _ in TABLE if (step, reason) != (6, "scheme_not_accepted")]

    assert sorted(step for step, _, _ in TABLE) == [step for step, _, _ in TABLE]
    assert list(dict.fromkeys(rows)) == [reason for reason in order if reason in rows]


STRANGERS = st.sampled_from(["wrong secret", "wrong kind", "ended", "of another key"])


@settings(SETTINGS, max_examples=300)
@given(scene=scenes(), how=STRANGERS)
def test_a_stranger_learns_nothing(replica: Any, scene: Scene, how: str) -> None:
    """
    Whatever state a credential, its account and its organization are in: who has its key id but not its
    secret gets, to the byte, the answer for a key id that does not exist.
    """
    key = scene.credentials[0]
    ended = replace(key, secrets=tuple(replace(secret, until=1) for secret in key.secrets))
    scene = replace(scene, credentials=(ended if how == "ended" else key, scene.credentials[1]))
    presented = {
        "wrong secret": token(KIDS[0], key.kind, 99),
        "wrong kind": token(KIDS[0], "boot", 0),
        "ended": token(KIDS[0], key.kind, 0),
        "of another key": _sealed(token(KIDS[0], key.kind, 0)[:-49] + token(KIDS[1], key.kind, 0)[-49:-6]),
    }[how]
    unknown = token(UNKNOWN_KID, key.kind, 0)

    assert _rendered(replica, scene, unknown) == _rendered(replica, scene, presented)


def _sealed(body: str) -> str:
    return body + checksum(body.encode())


def _rendered(replica: Any, scene: Scene, presented: str) -> tuple[object, ...]:
    question = msgspec.structs.replace(scene.question, token=presented)
    try:
        decision = verifier(replica, scene).verify(question)
    except REFUSED as error:
        return type(error), str(error)
    assert isinstance(decision, Denied)
    body = msgspec.json.encode(problem_for(decision, "req_1"))
    return decision, repr(decision), body, headers_for(decision)


def test_who_is_genuine_is_told(replica: Any) -> None:
    """The other side of it: a genuine token of a revoked key is told so (else the test above proves nothing)."""

    text = token(KIDS[0], "sa", 0)
    scene = Scene(
        organizations=(Organization("org_0", "acme0", True, ("bearer",), frozenset(), True, 0),),
        roles=(),
        accounts=(Account("account_0", "service_account", "enabled", frozenset(), ()),),
        credentials=(
            Credential(
                KIDS[0], "sa", "org_0", "account_0", "revoked", (Secret(text, ACTIVE, 0),), 0, 0, 0, 0
            ),
        ),
        complete=True,
        readable=True,
        clock=(1, 0, 0),
        question=Question(text),
        well_formed=True,
    )
    decision = verifier(replica, scene).verify(scene.question)

    assert isinstance(decision, Denied)
    assert (Reason.CREDENTIAL_REVOKED, "account_0") == (decision.reason, getattr(decision.caller, "id", None))
    alive = replace(scene, credentials=(replace(scene.credentials[0], state="active"),))
    assert isinstance(verifier(replica, alive).verify(alive.question), Allowed)
