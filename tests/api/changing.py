"""Random changes of an organization, of every kind that findings depend on."""

from __future__ import annotations

import random
import secrets
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from django.utils import timezone

from retinue.server.access.catalogue import Declaration
from retinue.server.access.catalogue_actions import IMPORT, declare, withdraw
from retinue.server.directory.queries import Principal
from retinue.server.ledger.transaction import SYSTEM, transaction
from tests.api.policies import set_environment, set_policy
from tests.api.world import World
from tests.api.wrongs import days, put


class Changes:
    """Random changes of an organization, by the API and by time."""

    def __init__(self, world: World, seed: int) -> None:
        self.world, self.random = world, random.Random(seed)  # noqa: S311
        self.accounts: list[str] = []
        self.keys: list[str] = []
        self.users = [world.user(f"User {n}")[0] for n in range(3)]
        self.group = world.owner.post("/v1/groups", {"name": "g"}).json["id"]

    def narrow(self) -> str:
        """Change something about one principal; return what."""
        steps: list[Callable[[], object]] = [self.create, self.state, self.describe, self.revoke, self.grant]
        steps += [self.issue, self.rotate, self.accept, self.member, self.issue, self.ingest]
        step = self.random.choice(steps if self.keys else [self.create])
        step()
        return step.__name__

    def wide(self) -> str:
        """Change something about everybody; return what."""
        step = self.random.choice([self.policy, self.environment, self.role, self.group_role])
        step()
        return step.__name__

    def _post(self, path: str, body: Mapping[str, object], *also: int) -> Any:
        """Call; whatever the state of things may refuse is refused, and nothing else."""
        answer = self.world.owner.post(f"/v1/{path}", body)
        assert answer.status in (200, 201, 409, *also), answer.text
        return answer.json

    def create(self) -> None:
        made = self.world.account(f"a-{secrets.token_hex(4)}", permissions=("report:read",))
        put(Principal, made.id, created_at=days(self.random.choice((1, 100))))
        self.accounts.append(made.id)
        self.issue()

    def _account(self) -> str:
        return self.random.choice(self.accounts)

    def state(self) -> None:
        verb = self.random.choice(("disable", "enable"))
        self._post(f"service-accounts/{self._account()}/{verb}", {"reason": "x"})

    def describe(self) -> None:
        given = {
            "purpose": self.random.choice(("a test", "another")),
            "documentation": self.random.choice(("", "https://docs.example")),
            "environment": self.random.choice(("", "staging")),
            "owners": [self.random.choice(self.users).id],
        }
        assert 200 == self.world.owner.patch(f"/v1/service-accounts/{self._account()}", given).status

    def issue(self) -> None:
        body = {"name": secrets.token_hex(4), "expires": self.random.choice(("never", "7d", "300d"))}
        made = self._post(f"service-accounts/{self._account()}/keys", body, 400)  # the policy may refuse it
        if "key" in made:
            self.keys.append(made["key"]["id"])

    def ingest(self) -> None:
        self._post("ingest-tokens", {"name": secrets.token_hex(4), "endpoints": ["/x"]}, 400)

    def rotate(self) -> None:
        key = self._post(f"keys/{self.random.choice(self.keys)}/rotate", {"overlap": "24h"}, 400).get("key")
        self.keys += [key["id"]] if key else []

    def revoke(self) -> None:
        self._post(f"keys/{self.random.choice(self.keys)}/revoke", {})

    def grant(self) -> None:
        path = f"service-accounts/{self._account()}/grants"
        self._post(path, {"permission": "grant:create", "justification": "x"})

    def member(self) -> None:
        self._post(f"groups/{self.group}/add", {"members": [self._account()], "justification": "x"})

    def accept(self) -> None:
        found = self.world.owner.get("/v1/findings?limit=200").json["items"]
        if found:
            until = (timezone.now() + timedelta(days=9)).isoformat()
            path = f"/v1/findings/{self.random.choice(found)['id']}/accept"
            assert 200 == self.world.owner.post(path, {"reason": "x", "until": until}).status

    def leave(self) -> None:
        """An owner goes: with it the tokens and, of accounts without another one, the owner."""
        assert 200 == self.world.owner.delete(f"/v1/users/{self.users.pop().id}").status

    def policy(self) -> None:
        given = {"expiry.required": self.random.random() < 0.5, "accounts.name_pattern": "b-.*"}
        set_policy(self.world, **{name.replace(".", "__"): value for name, value in given.items()})

    def environment(self) -> None:
        set_environment(self.world, "staging", expiry__max_days=self.random.choice((5, 400)))

    def role(self) -> None:
        body = {"name": secrets.token_hex(4), "permissions": ["report:read"]}
        role = self._post("roles", body)
        self._post("assignments", {"subject": self._account(), "role": role["handle"], "justification": "x"})
        path = f"/v1/roles/{role['id']}"
        assert (
            200
            == self.world.owner.patch(path, {"permissions": ["grant:create"], "justification": "x"}).status
        )

    def declare(self) -> None:
        name = f"thing{secrets.token_hex(4)}:read"
        with transaction(SYSTEM, reason="test") as tx:
            declare(tx, [Declaration(name)], by=IMPORT, is_all=False)
        with transaction(SYSTEM, reason="test") as tx:
            withdraw(tx, name)

    def group_role(self) -> None:
        self._post("assignments", {"subject": self.group, "role": "access-manager", "justification": "x"})
