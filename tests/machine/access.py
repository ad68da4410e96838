"""The machine with roles of the organization, groups and access policies beside what accounts hold themselves."""

from __future__ import annotations

import secrets

from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from tests.machine.machine import ACCOUNTS, SOME_PATTERNS, WHICH, Machine
from tests.machine.reference import ASKED, Account, Giver

WHY = "the machine"


class AccessMachine(Machine):
    """Every way in which a permission reaches an account; one change reaches all whom it concerns."""

    def one(self, givers: list[Giver], which: int) -> Giver:
        """Return one of the roles, groups or policies; each drawn number means one."""
        return givers[which % len(givers)]

    @initialize(first=SOME_PATTERNS, second=SOME_PATTERNS)
    def begin(self, first: set[str], second: set[str]) -> None:
        """Begin with two accounts and their keys, a role, a group and a policy, so that every step is about something."""
        for place in range(2):
            self.create(roles=set(), patterns=set())
            self.issue(place, "k1")
        self.create_role(first)
        self.create_group(second, role=0)
        self.join_or_leave(0, 0)
        self.create_policy(1, of_group=False, patterns={"report:export", *first})

    @rule(patterns=SOME_PATTERNS)
    def create_role(self, patterns: set[str]) -> None:
        """Make a role."""
        handle = f"r-{secrets.token_hex(4)}"
        body = {"name": handle, "handle": handle, "permissions": sorted(patterns)}
        self.model.roles.append(Giver(self.made(201, "POST", "/v1/roles", body)["id"], handle, set(patterns)))

    @precondition(lambda self: self.model.roles)
    @rule(which=WHICH, patterns=SOME_PATTERNS)
    def change_role(self, which: int, patterns: set[str]) -> None:
        """Replace what a role gives, whoever holds it."""
        role = self.one(self.model.roles, which)
        body = {"permissions": sorted(patterns), "justification": WHY}
        self.made(200, "PATCH", f"/v1/roles/{role.id}", body)
        role.patterns = set(patterns)

    @precondition(lambda self: self.model.roles)
    @rule(which=WHICH)
    def delete_role(self, which: int) -> None:
        """Delete a role; who held it has nothing by it."""
        role = self.one(self.model.roles, which)
        self.made(200, "DELETE", f"/v1/roles/{role.id}?holders=lose")
        self.model.roles.remove(role)
        held = [each.roles for each in self.accounts]
        for roles in (*held, *(each.roles for each in (*self.model.groups, *self.model.policies))):
            roles.discard(role.handle)

    @precondition(lambda self: self.model.roles and self.accounts)
    @rule(which=WHICH, role=WHICH)
    def give_role(self, which: int, role: int) -> None:
        """Give a role of the organization to an account."""
        account, given = self.account(which), self.one(self.model.roles, role)
        body = {"subject": account.id, "role": given.handle, "justification": WHY}
        if account.state == "deleted":
            return self.refused("state_conflict", "POST", "/v1/assignments", body)
        if given.handle in account.roles:
            return self.refused("duplicate_name", "POST", "/v1/assignments", body)
        self.made(201, "POST", "/v1/assignments", body)
        account.roles.add(given.handle)
        return None

    @rule(patterns=SOME_PATTERNS, role=st.none() | WHICH)
    def create_group(self, patterns: set[str], role: int | None) -> None:
        """Make a group with grants, and perhaps a role."""
        roles = {self.one(self.model.roles, role).handle} if role is not None and self.model.roles else set()
        body = {"name": f"g-{secrets.token_hex(4)}", "permissions": sorted(patterns), "roles": sorted(roles),
                "justification": WHY}  # fmt: skip
        made = self.made(201, "POST", "/v1/groups", body)
        self.model.groups.append(Giver(made["id"], patterns=set(patterns), roles=set(roles)))

    @precondition(lambda self: self.model.groups and self.accounts)
    @rule(which=WHICH, group=WHICH)
    def join_or_leave(self, which: int, group: int) -> None:
        """Put an account into a group, or take it out."""
        account, found = self.account(which), self.one(self.model.groups, group)
        path, body = f"/v1/groups/{found.id}", {"members": [account.id]}
        if account.id in found.members:
            self.made(200, "POST", f"{path}/remove", body)
            found.members.discard(account.id)
            return None
        if account.state == "deleted":
            return self.refused("state_conflict", "POST", f"{path}/add", body)
        self.made(200, "POST", f"{path}/add", body | {"justification": WHY})
        found.members.add(account.id)
        return None

    @precondition(lambda self: self.model.groups)
    @rule(which=WHICH)
    def delete_group(self, which: int) -> None:
        """Delete a group; its members have nothing by it, nor by a policy that named it."""
        group = self.one(self.model.groups, which)
        self.made(200, "DELETE", f"/v1/groups/{group.id}")
        self.model.groups.remove(group)

    @precondition(lambda self: self.model.groups or self.accounts)
    @rule(which=WHICH, of_group=st.booleans(), patterns=SOME_PATTERNS)
    def create_policy(self, which: int, of_group: bool, patterns: set[str]) -> None:
        """Make an access policy that names an account or a group."""
        alive = [account.id for account in self.accounts if account.state != "deleted"]
        ids = [group.id for group in self.model.groups] if of_group else alive
        if not ids:
            return
        named = ids[which % len(ids)]
        body = {"name": f"p-{secrets.token_hex(4)}", "subjects": [named], "permissions": sorted(patterns),
                "justification": WHY}  # fmt: skip
        made = self.made(201, "POST", "/v1/access-policies", body)
        self.model.policies.append(Giver(made["id"], patterns=set(patterns), members={named}))

    @precondition(lambda self: self.model.policies)
    @rule(which=WHICH, act=st.sampled_from(["turn", "delete"]))
    def end_policy(self, which: int, act: str) -> None:
        """Turn a policy off or on, or delete it."""
        policy = self.one(self.model.policies, which)
        path = f"/v1/access-policies/{policy.id}"
        if act == "delete":
            self.made(200, "DELETE", path)
            self.model.policies.remove(policy)
            return
        self.made(200, "PATCH", path, {"enabled": not policy.is_enabled, "justification": WHY})
        policy.is_enabled = not policy.is_enabled

    def holdings(self, account: Account) -> set[str]:
        """What the API lists as held."""
        items = self.made(200, "GET", f"{ACCOUNTS}/{account.id}/permissions")["items"]
        return {each["permission"] for each in items}

    @precondition(lambda self: self.accounts)
    @rule(which=WHICH)
    def list_what_is_held(self, which: int) -> None:
        """What the API says that an account holds is what the reference says."""
        account = self.account(which)
        assert self.model.permissions(account) & set(ASKED) == self.holdings(account) & set(ASKED)
