"""INV2: a change holds for the next decision on every node; a node that cannot prove to be fresh refuses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest

from retinue.replica.lease import boot_clock_ns
from retinue.server.credentials.actions import peppers
from retinue.server.ledger.transaction import Transaction
from retinue.token import Token
from retinue.verifier import Question, Verifier
from tests.invariants.ground import ALLOWED, Ground, done

NEED = "report:read"
ACCOUNTS, KEYS = "/v1/service-accounts", "/v1/keys"


@dataclass(frozen=True)
class Held:
    """An account with a key that may do ``NEED``, by a grant or by a role."""

    ground: Ground
    account: str
    key: str
    token: Token

    @classmethod
    def create(
        cls, ground: Ground, *, permissions: tuple[str, ...] = (NEED,), roles: tuple[str, ...] = ()
    ) -> Held:
        """Make both."""
        account = ground.world.account(permissions=permissions, roles=roles)
        key, token = ground.world.key(account)
        return cls(ground, f"{ACCOUNTS}/{account.id}", f"{KEYS}/{key.id}", token)

    def post(self, path: str, **body: object) -> None:
        """Make a change as the owner."""
        done(self.ground.owner.post(path, body))

    def patch(self, **body: object) -> None:
        """Change the account as the owner."""
        done(self.ground.owner.patch(self.account, body))

    def delete(self, path: str) -> None:
        """Delete something as the owner."""
        done(self.ground.owner.delete(path))

    def grant(self) -> str:
        """Return the address of the account's first grant."""
        items = done(self.ground.owner.get(f"{self.account}/grants"))["items"]
        return f"{self.account}/grants/{items[0]['id']}"


Change = Callable[[Held], None]

#: What takes access away, and the reason that the next decision gives.
REDUCING: dict[str, tuple[Change, str]] = {
    "disable the account": (lambda held: held.post(f"{held.account}/disable"), "account_disabled"),
    "delete the account": (lambda held: held.delete(held.account), "account_deleted"),
    "revoke the key": (lambda held: held.post(f"{held.key}/revoke"), "credential_revoked"),
    "rotate without overlap": (
        lambda held: held.post(f"{held.key}/rotate", overlap="0s"),
        "credential_revoked",
    ),
    "regenerate": (lambda held: held.post(f"{held.key}/regenerate"), "token_unknown"),
    "take the grant away": (lambda held: held.delete(held.grant()), "permission_missing"),
}
#: What gives access, from a state in which the decision is a denial.
GIVING: dict[str, tuple[Change, Change, str]] = {
    "enable the account": (
        lambda held: held.post(f"{held.account}/disable"),
        lambda held: held.post(f"{held.account}/enable"),
        "account_disabled",
    ),
    "grant": (
        lambda held: held.delete(held.grant()),
        lambda held: held.post(f"{held.account}/grants", permission=NEED),
        "permission_missing",
    ),
    "assign a role": (
        lambda held: held.delete(held.grant()),
        lambda held: held.patch(roles=["administrator"], justification="x"),
        "permission_missing",
    ),
}


@pytest.mark.parametrize("change", REDUCING)
def test_inv2_what_takes_away_holds_for_the_next_decision(ground: Ground, change: str) -> None:
    """
    Each change that takes access away is in the node's very next decision, and its receipt is complete.
    """
    held = Held.create(ground)
    before = ground.decide_now(held.token, NEED)
    act, reason = REDUCING[change]
    act(held)

    assert (ALLOWED, reason) == (before, ground.decide_now(held.token, NEED))


@pytest.mark.parametrize("change", GIVING)
def test_inv2_what_gives_holds_for_the_next_decision(ground: Ground, change: str) -> None:
    """
    Each change that gives access is in the node's very next decision.
    """
    held = Held.create(ground)
    take, give, reason = GIVING[change]
    take(held)
    before = ground.decide_now(held.token, NEED)
    give(held)

    assert (reason, ALLOWED) == (before, ground.decide_now(held.token, NEED))


def test_inv2_a_role_taken_away_is_gone(ground: Ground) -> None:
    """
    An account that loses its role may nothing any more, with the key that it had.
    """
    held = Held.create(ground, permissions=(), roles=("administrator",))
    before = ground.decide_now(held.token, NEED)
    held.patch(roles=["auditor"])

    assert (ALLOWED, "permission_missing") == (before, ground.decide_now(held.token, NEED))


def _by_group(ground: Ground) -> tuple[Token, dict[str, str]]:
    """An account that may ``NEED`` by a role, which a group holds, which an access policy names."""
    account = ground.world.account()
    _, token = ground.world.key(account)
    role = done(ground.owner.post("/v1/roles", {"name": "reader", "permissions": [NEED]}))
    group = done(ground.owner.post("/v1/groups", {"name": "readers", "members": [account.id]}))
    body = {"name": "readers", "subjects": [group["id"]], "roles": [role["handle"]], "justification": "x"}
    policy = done(ground.owner.post("/v1/access-policies", body))
    return token, {"account": account.id, "role": role["id"], "group": group["id"], "policy": policy["id"]}


#: Changes far away from the account, each of which ends what it holds: method, address, body.
FAR: dict[str, tuple[str, str, dict[str, object] | None]] = {
    "edit the role": ("PATCH", "/v1/roles/{role}", {"permissions": ["report:export"], "justification": "x"}),
    "delete the role": ("DELETE", "/v1/roles/{role}?holders=lose", None),
    "leave the group": ("POST", "/v1/groups/{group}/remove", {"members": ["{account}"]}),
    "delete the group": ("DELETE", "/v1/groups/{group}", None),
    "switch the policy off": ("PATCH", "/v1/access-policies/{policy}", {"enabled": False}),
    "name nobody": ("PATCH", "/v1/access-policies/{policy}", {"subjects": []}),
    "delete the policy": ("DELETE", "/v1/access-policies/{policy}", None),
    "sources of the organization": (
        "PATCH",
        "/v1/policy",
        {"set": {"grants.sources": ["direct", "role", "team", "policy"]}, "accept": 9},
    ),
}


@pytest.mark.parametrize("change", FAR)
def test_inv2_a_change_far_away_holds_for_the_next_decision(ground: Ground, change: str) -> None:
    """
    A role, a group, an access policy or the organization's policy changes, and nothing about the account itself:
    its next decision follows all the same.
    """
    token, ids = _by_group(ground)
    before = ground.decide_now(token, NEED)
    method, path, body = FAR[change]
    sent = (
        None
        if body is None
        else {name: [ids["account"]] if value == ["{account}"] else value for name, value in body.items()}
    )
    done(ground.owner.call(method, path.format(**ids), sent))

    assert (ALLOWED, "permission_missing") == (before, ground.decide_now(token, NEED))


def test_inv2_is_tried_in_earnest(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Negative control: where a change forgets to tell the nodes, the node goes on allowing, and this is seen.
    """
    held = Held.create(ground)
    ground.follow()
    with monkeypatch.context() as patch:
        patch.setattr(Transaction, "touch", lambda *_: None)
        held.post(f"{held.key}/revoke")

    with pytest.raises(AssertionError):
        ground.decide_now(held.token, NEED)
    assert ALLOWED == ground.decide(held.token, NEED)


def test_inv2_a_node_past_its_lease_refuses_everybody(ground: Ground) -> None:
    """
    A node that was not brought up to the head within its lease decides nothing, however the key stands;
    one instant earlier it still decides.
    """
    held = Held.create(ground)
    ground.follow()
    meta = ground.follower.meta
    lease_ms = 10_000
    found = []
    for late_ns in (-1_000_000, 0, 1_000_000_000):
        at_ns = meta.fresh_from_ns + lease_ms * 1_000_000 + late_ns
        wall_ms = meta.fresh_wall_ms + lease_ms + late_ns // 1_000_000
        verifier = Verifier(
            ground.follower.replica,
            peppers(),
            clock_ms=lambda wall_ms=wall_ms: wall_ms,  # type: ignore[misc]
            boot_clock_ns=lambda at_ns=at_ns: at_ns,  # type: ignore[misc]
        )
        decision = verifier.verify(Question(held.token.reveal(), (NEED,)))
        found.append(getattr(decision, "reason", ALLOWED))

    assert [ALLOWED, "replica_stale", "replica_stale"] == found


def test_inv2_a_copy_or_an_unfinished_replica_refuses(ground: Ground) -> None:
    """
    A replica from another boot of the machine, one that is not complete, and one without a lease decide nothing.
    """
    held = Held.create(ground)
    ground.follow()
    whole = ground.follower.meta
    broken: list[dict[str, Any]] = [{"boot_id": "another"}, {"complete": False}, {"fresh_from_ns": 0}]
    found = [ground.decide(held.token, NEED)]
    for each in broken:
        ground.follower.replica.apply([], msgspec.structs.replace(whole, **each))
        found.append(ground.decide(held.token, NEED))

    assert boot_clock_ns() >= whole.fresh_from_ns
    assert [ALLOWED, "replica_stale", "replica_stale", "replica_stale"] == found
