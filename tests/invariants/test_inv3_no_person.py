"""INV3: the authority of a service account never depends on a person."""

from __future__ import annotations

import pytest

from retinue.server.access import actions
from retinue.server.access import queries as access
from retinue.server.directory.queries import Principal
from retinue.server.ledger.transaction import SYSTEM, transaction
from retinue.token import Token
from tests.api.world import Caller
from tests.invariants.ground import ALLOWED, Ground, done

NEED = ("report:read", "credential:read")


def _made_by_a_person(ground: Ground) -> tuple[Principal, Caller, str, list[Token]]:
    """An administrator creates an account, owns it, grants and issues; all of it is that person's doing."""
    user, caller = ground.world.user("Petra Person")
    _give(user.id)
    body = {
        "name": "etl",
        "purpose": "x",
        "owners": [user.id],
        "permissions": list(NEED),
        "justification": "x",
    }
    account = done(caller.post("/v1/service-accounts", body))["id"]
    tokens = [
        done(caller.post(f"/v1/service-accounts/{account}/keys", {"name": name}))["token"]
        for name in ("k1", "k2")
    ]
    return user, caller, account, tokens


def _give(user: str) -> None:
    with transaction(SYSTEM, reason="test") as tx:
        actions.assign_roles(tx, Principal.objects.get(id=user), ["administrator"], "test")


def _end(ground: Ground, user: Principal, how: str) -> None:
    """The person loses its roles, is disabled, or is deleted; by the API where it offers that."""
    with transaction(SYSTEM, reason="test") as tx:
        row = Principal.objects.get(id=user.id)
        if how == "loses its roles":
            actions.set_roles(tx, row, [])
            return
        row.state = how
        row.save()
        tx.record(f"account.{how}", row.id, name=row.handle, organization=row.organization_id)


@pytest.mark.parametrize("how", ["loses its roles", "disabled", "deleted"])
def test_inv3_an_account_outlives_who_made_it(ground: Ground, how: str) -> None:
    """
    Creator, owner, grantor and issuer in one person: when that person goes, the account may exactly what it
    might before, with every key that it had, and the person may nothing.
    """
    user, caller, account, tokens = _made_by_a_person(ground)
    before = access.effective(Principal.objects.get(id=account))
    _end(ground, user, how)

    assert [[ALLOWED] * 2] * 2 == [[ground.decide_now(token, name) for name in NEED] for token in tokens]
    assert before == access.effective(Principal.objects.get(id=account)) == set(NEED)
    assert ALLOWED != ground.decide_now(caller.token or "", "service_account:create")


def test_inv3_an_account_without_an_owner_is_shown(ground: Ground) -> None:
    """
    What the going of its owner does to an account is a mark, ``ownerless``: it works on.
    """
    user, _, account, tokens = _made_by_a_person(ground)
    path = f"/v1/service-accounts/{account}"
    before = done(ground.owner.get(path))["status"]
    _end(ground, user, "deleted")
    after = done(ground.owner.get(path))

    assert ("active", "ownerless", "enabled") == (before, after["status"], after["state"])
    assert ALLOWED == ground.decide_now(tokens[0], NEED[0])


def test_inv3_no_record_of_a_node_names_a_person(ground: Ground) -> None:
    """
    What a node knows of an account and its keys names nobody: there is nothing in it to depend on.
    """
    user, _, account, _ = _made_by_a_person(ground)
    ground.follow()
    rows = ground.follower.rows()
    about = {place: value for place, value in rows.items() if account.encode() in value}

    assert 3 == len(about), list(about)  # the account and its two keys
    assert [] == [place for place, value in about.items() if user.id.encode() in value]
