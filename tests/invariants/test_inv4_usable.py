"""INV4: when a credential is usable, and that a gate which opens again revives nothing."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from datetime import timedelta

from django.utils import timezone

from retinue.server.access import actions as access
from retinue.server.credentials import actions as credentials
from retinue.server.credentials.models import Credential
from retinue.server.directory.models import Organization, Principal
from retinue.server.directory.rules import AccountFields
from retinue.server.ledger import current
from retinue.server.ledger.transaction import SYSTEM, transaction
from retinue.token import Token
from tests.api.world import World
from tests.invariants.ground import ALLOWED, Ground, done, hasty

NEED = "report:read"
ACCOUNTS, KEYS = "/v1/service-accounts", "/v1/keys"
_TIMES = {"never": None, "past": timedelta(minutes=-1), "future": timedelta(minutes=10)}


@dataclass(frozen=True)
class State:
    """One combination of what decides whether a credential is usable."""

    organization: str
    account: str
    credential: str
    expires: str
    retires: str

    @property
    def is_usable(self) -> bool:
        """The rule of INV4, word for word; a predecessor that has retired is revoked."""
        return (
            self.organization == "enabled"
            and self.account == "enabled"
            and self.credential == "active"
            and self.expires != "past"
            and self.retires != "past"
        )


def _states() -> list[State]:
    parts = (
        ("enabled", "disabled"),
        ("enabled", "disabled", "deleted"),
        ("active", "suspended", "revoked", "deleted"),
        _TIMES,
        _TIMES,
    )
    return [State(*each) for each in itertools.product(*parts)]


def _make(worlds: dict[str, World], states: list[State]) -> dict[State, Token]:
    """Make an account with a key for each state, and write the state past every rule."""
    made: dict[State, tuple[str, str, Token]] = {}
    with transaction(SYSTEM, reason="test") as tx:
        for number, state in enumerate(states):
            world = worlds[state.organization]
            fields = AccountFields(name=f"a{number}", purpose="x", owners=(world.owner.id,))
            account = access.create_account(tx, world.organization.id, fields, permissions=(NEED,))
            issued = credentials.issue(tx, account, name="k")
            made[state] = account.id, issued.credential.id, issued.token
    now = timezone.now()
    with current.suspended():
        for state, (account_id, key_id, _) in made.items():
            times = {name: None if each is None else now + each for name, each in _TIMES.items()}
            Principal.objects.filter(id=account_id).update(state=state.account)
            Credential.objects.filter(id=key_id).update(
                state=state.credential, expires_at=times[state.expires], retires_at=times[state.retires]
            )
    return {state: token for state, (_, _, token) in made.items()}


def _set_organization(ident: str, state: str) -> None:
    with transaction(SYSTEM, reason="test") as tx:
        Organization.objects.filter(id=ident).update(state=state)
        tx.record("organization.created", ident, name=ident, organization=ident)


def test_inv4_a_credential_is_usable_by_the_rule_and_not_else(ground: Ground) -> None:
    """
    In each of 216 combinations of organization, account, credential, expiry and retirement, the node and the
    control plane allow exactly what the rule says; and a denial names the first that fails.
    """
    worlds = {"enabled": ground.world, "disabled": World.create()}
    tokens = _make(worlds, _states())
    _set_organization(worlds["disabled"].organization.id, "disabled")
    ground.follower.load()
    found = {state: ground.decide_now(token, NEED) for state, token in tokens.items()}

    assert 216 == len(found)
    assert {state for state in found if state.is_usable} == {
        state for state, answered in found.items() if answered == ALLOWED
    }
    for state, answered in found.items():
        if state.organization == "disabled":
            assert "organization_disabled" == answered, state
        elif state.account != "enabled":
            assert f"account_{state.account}" == answered, state
        elif not state.is_usable:
            assert answered.startswith("credential_"), state


def test_inv4_enabling_revives_nothing_that_ended_itself(ground: Ground) -> None:
    """
    Disabling stops all keys of an account, enabling gives back those that were not ended meanwhile; a key that
    was revoked before, or while the account was disabled, stays revoked.
    """
    account = ground.world.account(permissions=(NEED,))
    keys = {name: ground.world.key(account, name) for name in ("before", "meanwhile", "kept")}
    path = f"{ACCOUNTS}/{account.id}"
    done(ground.owner.post(f"{KEYS}/{keys['before'][0].id}/revoke"))
    rows = list(Credential.objects.filter(principal=account).order_by("id").values())
    done(ground.owner.post(f"{path}/disable"))
    after = list(Credential.objects.filter(principal=account).order_by("id").values())
    stopped = {name: ground.decide_now(token, NEED) for name, (_, token) in keys.items()}
    done(ground.owner.post(f"{KEYS}/{keys['meanwhile'][0].id}/revoke"))
    done(ground.owner.post(f"{path}/enable"))
    back = {name: ground.decide_now(token, NEED) for name, (_, token) in keys.items()}

    assert rows == after, "disabling writes nothing on the credentials"
    assert dict.fromkeys(keys, "account_disabled") == stopped
    assert {"before": "credential_revoked", "meanwhile": "credential_revoked", "kept": ALLOWED} == back


def test_inv4_a_restored_account_has_no_credential_back(ground: Ground) -> None:
    """
    An account that is deleted, restored and enabled has its grants, and none of its keys: they ended for good.
    """
    account = ground.world.account(permissions=(NEED,))
    key, token = ground.world.key(account)
    path = f"{ACCOUNTS}/{account.id}"
    done(ground.owner.delete(path))
    deleted = ground.decide_now(token, NEED)
    done(ground.owner.post(f"{path}/restore"))
    restored = ground.decide_now(token, NEED)
    done(ground.owner.post(f"{path}/enable"))
    new = done(ground.owner.post(f"{path}/keys", {"name": "new"}))["token"]

    assert ("account_deleted", "account_disabled") == (deleted, restored)
    assert "credential_revoked" == ground.decide_now(token, NEED)
    assert ALLOWED == ground.decide_now(new, NEED)
    assert "revoked" == Credential.objects.get(id=key.id).state


def test_inv4_a_disabled_organization_is_a_gate(ground: Ground) -> None:
    """
    Disabling an organization stops every credential of it, also at the control plane, and enabling brings back
    what had not ended: nothing is written on accounts or credentials.
    """
    account = ground.world.account(permissions=(NEED,))
    _, token = ground.world.key(account)
    operator = hasty(World.create(operator=True).owner)
    organization = ground.world.organization
    before = ground.decide_now(token, NEED)
    done(operator.post(f"/v1/organizations/{organization.id}/disable"))
    stopped = (ground.decide_now(token, NEED), ground.owner.get("/v1/me").code)
    done(operator.post(f"/v1/organizations/{organization.id}/enable"))

    assert ALLOWED == before
    assert ("organization_disabled", "organization_disabled") == stopped
    assert ALLOWED == ground.decide_now(token, NEED)
    assert 200 == ground.owner.get("/v1/me").status
