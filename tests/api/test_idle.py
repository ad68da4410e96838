"""``idle.action: disable``: what nobody uses is shut, and comes back when somebody says so."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

from retinue.server import housekeeping
from retinue.server.credentials.queries import Credential
from retinue.server.directory.queries import Principal
from retinue.server.ledger import queries as ledger
from retinue.server.ledger.queries import AuditEvent
from tests.api.lists import put_back
from tests.api.policies import set_environment, set_policy
from tests.api.test_key_rotation import use
from tests.api.world import Caller, World

OLD = timedelta(days=100)


def aged(world: World, name: str) -> tuple[str, str, Caller]:
    """An account and its key, both 100 days old: their ids, and the calls of the key."""
    account = world.account(name)
    key, token = world.key(account)
    then = datetime.now(UTC) - OLD
    put_back(Principal, account.id, created_at=then, updated_at=then)
    put_back(Credential, key.id, issued_at=then)
    return account.id, key.id, Caller(token, account)


def sweep() -> dict[str, int]:
    """What housekeeping does in its hour."""
    return housekeeping.sweep(datetime.now(UTC), threading.Event())


def states(world: World, account: str, key: str) -> tuple[str, str]:
    """The states of account and key."""
    one = world.owner.get(f"/v1/service-accounts/{account}").json["state"]
    return one, world.owner.get(f"/v1/keys/{key}").json["state"]


def test_idle_is_shut_with_its_cause(world: World) -> None:
    """
    An account and a key that were not used for longer than the policy allows are disabled and suspended, by Retinue
    itself, for that reason; a used one is not.
    """
    set_policy(world, idle__days=90, idle__action="disable")
    account, key, caller = aged(world, "idle")
    other, others, _ = aged(world, "busy")
    use(world, others, other)
    sweep()
    shown = world.owner.get(f"/v1/keys/{key}").json
    world.owner.post(f"/v1/service-accounts/{account}/enable")

    assert ("enabled", "suspended") == states(world, account, key)
    assert ("suspended", "idle") == (shown["state"], shown["reason"])
    assert "credential_suspended" == caller.get("/v1/me").code
    assert ("enabled", "active") == states(world, other, others)
    event = ledger.view(AuditEvent.objects.select_related("personal").get(type="key.suspended", subject=key))
    assert ("system", {"state": "active"}) == (event.actor_kind, event.before)


def test_restored_starts_its_time_anew(world: World) -> None:
    """
    Who restores a key and enables its account brings both back: the next sweep leaves them.
    """
    set_policy(world, idle__days=90, idle__action="disable")
    account, key, caller = aged(world, "idle")
    sweep()
    shut = states(world, account, key)
    world.owner.post(f"/v1/service-accounts/{account}/enable")
    restored = world.owner.post(f"/v1/keys/{key}/restore")
    sweep()

    assert (("disabled", "suspended"), 200) == (shut, restored.status)
    assert ("enabled", "active") == states(world, account, key)
    assert 200 == caller.get("/v1/me").status


def test_report_shuts_nothing(world: World) -> None:
    """
    With ``idle.action: report`` an idle account stays as it is.
    """
    account, key, _ = aged(world, "idle")
    sweep()

    assert ("enabled", "active") == states(world, account, key)


def test_environments_have_their_own_days(world: World) -> None:
    """
    Accounts that name an environment follow its days.
    """
    set_policy(world, idle__days=365, idle__action="disable")
    set_environment(world, "testing", idle__days=30)
    idle = {name: aged(world, name) for name in ("testing", "production")}
    for name, (account, _, _) in idle.items():
        put_back(Principal, account, environment=name)
    sweep()

    assert {"testing": ("disabled", "suspended"), "production": ("enabled", "active")} == {
        name: states(world, account, key) for name, (account, key, _) in idle.items()
    }
