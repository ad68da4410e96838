"""INV8: every change writes exactly one audit event for each changed object, in the same transaction."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import DatabaseError, connection

from retinue.server.api.operations import Operation
from retinue.server.directory.queries import Principal
from retinue.server.ledger import rows
from retinue.server.ledger.guard import UNGUARDED, UnguardedWrite, guarded_tables
from retinue.server.ledger.models import AuditEvent
from retinue.server.ledger.transaction import SYSTEM, Transaction, UnrecordedWrite, transaction
from tests.api.test_events import CASES, CHANGES
from tests.api.world import World
from tests.invariants.ground import done

#: No guarded table changes by them: somebody took something away, the ledger itself goes on, or what they write
#: is excepted from the guard by name (what people sign in with, messages on their way).
ELSEWHERE = {"export_review", "skip_journals", "reset_sign_in", "test_webhook", "retry_delivery"}


def _tables() -> list[str]:
    return sorted(name for name in guarded_tables() if not name.startswith("ledger_"))


def _content() -> dict[str, list[Any]]:
    """Return every row of every guarded table but those of the ledger itself."""
    found = {}
    with connection.cursor() as cursor:
        for table in _tables():
            cursor.execute(f'SELECT * FROM "{table}"')  # noqa: S608
            found[table] = sorted(map(repr, cursor.fetchall()))
    return found


def _events() -> int:
    return AuditEvent.objects.exclude(type__in=["change.refused", "receipt.completed"]).count()


@pytest.mark.parametrize("each", CHANGES, ids=lambda each: each.name)
def test_inv8_a_change_whose_event_cannot_be_written_does_not_happen(
    world: World, monkeypatch: pytest.MonkeyPatch, each: Operation
) -> None:
    """
    Where the ledger cannot be written, no row of any table has changed, whichever operation it was; and the
    same call happens once the ledger is back.
    """
    case = CASES[each.name](world)
    caller = case.caller or world.owner
    before, events = _content(), _events()

    def fails(*_: object) -> None:
        raise DatabaseError("no ledger")

    with monkeypatch.context() as patch:
        patch.setattr(rows, "write", fails)
        refused = caller.call(each.method, case.path, case.body)
    unchanged = _content()
    answer = caller.call(each.method, case.path, case.body)

    assert refused.status >= 500
    assert before == unchanged
    assert each.status == answer.status, answer.text
    assert (before == _content()) == (each.name in ELSEWHERE)
    assert len(case.says) == _events() - events


def test_inv8_a_change_without_an_event_is_rolled_back(world: World) -> None:
    """
    An action that writes and says nothing is rolled back, and one that writes beside the door does not write.
    """
    account = world.account()
    with pytest.raises(UnrecordedWrite), transaction(SYSTEM, reason="test"):
        Principal.objects.filter(id=account.id).update(purpose="another")
    with pytest.raises(UnguardedWrite):
        Principal.objects.filter(id=account.id).update(purpose="another")

    assert "a test" == Principal.objects.get(id=account.id).purpose


def test_inv8_an_object_is_said_once(world: World) -> None:
    """
    Two events of one kind about one object in one transaction are a mistake that is rolled back.
    """
    account = world.account()
    events = _events()

    def say(tx: Transaction, times: int) -> None:
        for _ in range(times):
            tx.record(
                "account.disabled", account.id, name=account.handle, organization=account.organization_id
            )

    with pytest.raises(UnrecordedWrite), transaction(SYSTEM, reason="test") as tx:
        say(tx, times=2)

    assert events == _events()


def test_inv8_no_event_is_changed_or_deleted(world: World) -> None:
    """
    What was said stays: neither an update nor a deletion of events gets through, in a transaction or not.
    """
    events = AuditEvent.objects.count()
    for act in (lambda: AuditEvent.objects.all().delete(), lambda: AuditEvent.objects.update(actor="nobody")):
        with pytest.raises(UnguardedWrite), transaction(SYSTEM, reason="test"):
            act()

    assert events == AuditEvent.objects.count() > 0


def test_inv8_the_actor_is_who_acted_as_called_then(world: World) -> None:
    """
    An account that acts on another is the actor, with its credential, request and name of that moment; the one
    acted upon is the subject. Both may be called otherwise afterwards.
    """
    actor = world.caller("service_account:disable", "service_account:read")
    assert actor.principal is not None
    assert actor.token is not None
    target = world.account("target")
    answer = actor.post(f"/v1/service-accounts/{target.id}/disable", {"reason": "incident 7"})
    for ident in (actor.id, target.id):
        done(world.owner.patch(f"/v1/service-accounts/{ident}", {"name": "renamed", "handle": ident.lower()}))
    [event] = done(world.owner.get("/v1/audit-events?type=account.disabled"))["items"]

    assert (actor.id, "service_account", actor.principal.name) == (
        event["actor"]["id"],
        event["actor"]["kind"],
        event["actor"]["name"],
    )
    assert (f"key_{actor.token.kid}", answer.headers["retinue-request-id"], "incident 7") == (
        event["credential_id"],
        event["request_id"],
        event["reason"],
    )
    assert (target.id, "target") == (event["subject"]["id"], event["subject"]["name"])
    assert ("enabled", "disabled") == (event["before"]["state"], event["after"]["state"])


def test_inv8_every_table_is_behind_the_door(world: World) -> None:
    """
    Each table is guarded or stands in the list of exceptions with a reason; none of the exceptions holds
    accounts, credentials or access.
    """
    guarded = guarded_tables()

    kept = {"directory_principal", "directory_organization", "credentials_credential", "access_grant"}
    assert kept | {"ledger_auditevent", "ledger_change"} <= guarded
    assert guarded.isdisjoint(UNGUARDED)
    assert all(UNGUARDED.values())
