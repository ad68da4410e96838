"""Changes in any order, each made over the API and in the reference; then every answer must be the same."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tests.machine.planes import Plane
from tests.machine.reference import ASKED, LIMIT, PATTERNS, ROLES, Account, Key, Organization, is_forbidden

ACCOUNTS, KEYS = "/v1/service-accounts", "/v1/keys"
WHICH = st.integers(0, 63)
SOME_ROLES = st.sets(st.sampled_from(sorted(ROLES)), max_size=2)
SOME_PATTERNS = st.sets(st.sampled_from(sorted(PATTERNS)), max_size=2)
NAMES = st.sampled_from(["k1", "k2", "k3"])


class Machine(RuleBasedStateMachine):
    """Accounts, roles, grants and keys; ``make_plane`` is where it runs."""

    make_plane: ClassVar[Callable[[], Plane]]

    def __init__(self) -> None:
        super().__init__()
        self.plane = type(self).make_plane()
        self.model = Organization()

    def teardown(self) -> None:
        """End this run."""
        self.plane.close()

    @property
    def accounts(self) -> list[Account]:
        """The accounts of the reference."""
        return self.model.accounts

    def made(self, expected: int, method: str, path: str, body: object = None) -> Any:
        """Make a call that must be answered with this status, at once or with a receipt still pending."""
        status, answer = self.plane.call(method, path, body)
        assert status == expected or (status == 202 and expected in (200, 201)), answer
        return answer

    def refused(self, code: str, method: str, path: str, body: object = None) -> None:
        """Make a call that must be refused for this reason."""
        status, answer = self.plane.call(method, path, body)
        assert (True, code) == (status >= 400, answer.get("code")), answer

    def account(self, which: int) -> Account:
        """Return one of the accounts; each drawn number means one."""
        return self.accounts[which % len(self.accounts)]

    def key(self, which: int) -> tuple[Account, Key]:
        """Return one of all keys, with its account."""
        held = [(account, key) for account in self.accounts for key in account.keys]
        return held[which % len(held)]

    def has_keys(self) -> bool:
        """Whether there is a key at all."""
        return any(account.keys for account in self.accounts)

    @rule(roles=SOME_ROLES, patterns=SOME_PATTERNS)
    def create(self, roles: set[str], patterns: set[str]) -> None:
        """Create an account with roles and grants."""
        body = {"name": f"m-{secrets.token_hex(6)}", "purpose": "x", "owners": [self.plane.owner],
                "roles": sorted(roles), "permissions": sorted(patterns), "justification": "x"}  # fmt: skip
        if is_forbidden(roles):
            return self.refused("forbidden_for_service", "POST", ACCOUNTS, body)
        ident = self.made(201, "POST", ACCOUNTS, body)["id"]
        grants = self.made(200, "GET", f"{ACCOUNTS}/{ident}/grants")["items"]
        held = {each["id"]: each["permission"] for each in grants}
        assert sorted(held.values()) == sorted(patterns)
        self.accounts.append(Account(ident, roles=set(roles), grants=held))
        return None

    @precondition(lambda self: self.accounts)
    @rule(which=WHICH, act=st.sampled_from(["enable", "disable"]))
    def turn(self, which: int, act: str) -> None:
        """Disable or enable; of what is deleted neither."""
        account = self.account(which)
        path = f"{ACCOUNTS}/{account.id}/{act}"
        if account.state == "deleted":
            return self.refused("state_conflict", "POST", path, {})
        self.made(200, "POST", path, {})
        account.state = f"{act}d"
        return None

    @precondition(lambda self: self.accounts)
    @rule(which=WHICH)
    def delete(self, which: int) -> None:
        """Delete an account; its keys end for good."""
        account = self.account(which)
        self.made(200, "DELETE", f"{ACCOUNTS}/{account.id}")
        account.end()

    @precondition(lambda self: self.accounts)
    @rule(which=WHICH)
    def restore(self, which: int) -> None:
        """Restore what is deleted: disabled, with its grants."""
        account = self.account(which)
        path = f"{ACCOUNTS}/{account.id}/restore"
        if account.state != "deleted":
            return self.refused("state_conflict", "POST", path, {})
        self.made(200, "POST", path, {})
        account.state = "disabled"
        return None

    @precondition(lambda self: self.accounts)
    @rule(which=WHICH, roles=SOME_ROLES)
    def set_roles(self, which: int, roles: set[str]) -> None:
        """Replace the roles."""
        account = self.account(which)
        body = {"roles": sorted(roles), "justification": "x"}
        if account.state == "deleted":
            return self.refused("state_conflict", "PATCH", f"{ACCOUNTS}/{account.id}", body)
        if is_forbidden(roles - account.roles):
            return self.refused("forbidden_for_service", "PATCH", f"{ACCOUNTS}/{account.id}", body)
        self.made(200, "PATCH", f"{ACCOUNTS}/{account.id}", body)
        account.roles = set(roles)
        return None

    @precondition(lambda self: self.accounts)
    @rule(which=WHICH, pattern=st.sampled_from(sorted(PATTERNS)))
    def grant(self, which: int, pattern: str) -> None:
        """Grant directly, once."""
        account = self.account(which)
        path, body = f"{ACCOUNTS}/{account.id}/grants", {"permission": pattern, "justification": "x"}
        if account.state == "deleted":
            return self.refused("state_conflict", "POST", path, body)
        if pattern in account.grants.values():
            return self.refused("duplicate_name", "POST", path, body)
        account.grants[self.made(201, "POST", path, body)["id"]] = pattern
        return None

    @precondition(lambda self: any(account.grants for account in self.accounts))
    @rule(which=WHICH)
    def take_away(self, which: int) -> None:
        """Take a grant away."""
        held = [(account, ident) for account in self.accounts for ident in account.grants]
        account, ident = held[which % len(held)]
        self.made(200, "DELETE", f"{ACCOUNTS}/{account.id}/grants/{ident}")
        del account.grants[ident]

    @precondition(lambda self: self.accounts)
    @rule(which=WHICH, name=NAMES)
    def issue(self, which: int, name: str) -> None:
        """Issue a key, within limit and names."""
        account = self.account(which)
        path, body = f"{ACCOUNTS}/{account.id}/keys", {"name": name}
        if account.state == "deleted":
            return self.refused("state_conflict", "POST", path, body)
        if len(account.usable) >= LIMIT:
            return self.refused("too_many_keys", "POST", path, body)
        if account.takes_name(name):
            return self.refused("duplicate_name", "POST", path, body)
        answer = self.made(201, "POST", path, body)
        account.keys.append(Key(answer["key"]["id"], name, answer["token"]))
        return None

    @precondition(lambda self: self.has_keys())
    @rule(which=WHICH)
    def revoke(self, which: int) -> None:
        """Revoke a key; one that has ended stays as it is."""
        _, key = self.key(which)
        self.made(200, "POST", f"{KEYS}/{key.id}/revoke", {})
        key.state = "revoked" if key.state == "active" else key.state

    @precondition(lambda self: self.has_keys())
    @rule(which=WHICH)
    def delete_key(self, which: int) -> None:
        """Delete a key that has ended."""
        _, key = self.key(which)
        if key.is_usable:
            return self.refused("state_conflict", "DELETE", f"{KEYS}/{key.id}")
        self.made(200, "DELETE", f"{KEYS}/{key.id}")
        key.state = "deleted"
        return None

    @precondition(lambda self: self.has_keys())
    @rule(which=WHICH)
    def regenerate(self, which: int) -> None:
        """Another secret under the same id; the old one is unknown at once."""
        _, key = self.key(which)
        path = f"{KEYS}/{key.id}/regenerate"
        if not key.is_usable or key.retiring:
            return self.refused("state_conflict", "POST", path, {})
        key.past.append(key.token)
        key.token = self.made(200, "POST", path, {})["token"]
        return None

    @precondition(lambda self: self.has_keys())
    @rule(which=WHICH, overlap=st.sampled_from(["0s", "1h"]))
    def rotate(self, which: int, overlap: str) -> None:
        """A successor; the old key is revoked at once, or accepted beside it for an hour."""
        account, key = self.key(which)
        path, body = f"{KEYS}/{key.id}/rotate", {"overlap": overlap}
        if not key.is_usable or key.retiring:
            return self.refused("state_conflict", "POST", path, body)
        if overlap != "0s" and len(account.usable) >= LIMIT:
            return self.refused("too_many_keys", "POST", path, body)
        answer = self.made(201, "POST", path, body)
        account.keys.append(Key(answer["key"]["id"], key.name, answer["token"]))
        key.retiring, key.state = True, "active" if overlap != "0s" else "revoked"
        return None

    @invariant()
    def every_answer_is_the_same(self) -> None:
        """The node answers each question about each token as the reference does."""
        asked = [
            (account, key, token)
            for account in reversed(self.accounts)
            for key in reversed(account.keys)
            for token in (key.token, *key.past)
        ][: self.plane.most]
        for account, key, token in asked:
            for need in ASKED:
                expected = self.model.decide(account, key, token, need)
                assert expected == self.plane.decide(token, need), (account, key.id, need)
