"""How tokens of people and ingest tokens end, and all that an organization has.

Nobody can be given a token over the API but oneself, so people and whole organizations are made before the
run (:mod:`tests.cluster.people`): they are guests, each of which is there once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.cluster.client import PERMISSION, Account, Client, Key
from tests.cluster.history import Pass
from tests.cluster.ways import EndKey, act, life

MINE, INGEST = "/v1/me/tokens", "/v1/ingest-tokens"
PLACE = "/events"


@dataclass(frozen=True)
class Guest:
    """An organization with its owner and users, who hold the permission: id and token of each."""

    organization: str
    handle: str
    owner: str
    token: str
    users: tuple[tuple[str, str], ...]


ENDING_MINE: dict[str, EndKey] = {
    **life("my_token", "finish_my_rotation"),
    "revoke_personal_token": lambda client, key: client.end(
        "revoke_personal_token", "POST", f"/v1/personal-access-tokens/{key.id}/revoke", {}, [key.held]
    ),
    "convert_token": lambda client, key: client.end(
        "convert_token",
        "POST",
        f"/v1/personal-access-tokens/{key.id}/convert",
        {"name": client.next(), "purpose": "a test", "permissions": [], "overlap": "0s"},
        [key.held],
    ),
}


def mine(client: Client) -> Key:
    """Issue a token of one's own."""
    made = client.post(MINE, name=client.next())
    return Key(f"{MINE}/{made['key']['id']}", client.held(made["token"]))


ENDING_INGEST: dict[str, EndKey] = life("ingest_token", "finish_ingest_rotation") | {
    "restrict_ingest_token": act(
        "restrict_ingest_token", "restrict", restrictions={"endpoints": [PLACE], "methods": ["POST"]}
    )
}


def ingest(client: Client) -> Key:
    """Issue an ingest token."""
    made = client.post(INGEST, name=client.next(), endpoints=[PLACE])
    held = client.held(made["token"], need=[], method="PUT", path=PLACE)
    return Key(f"{INGEST}/{made['key']['id']}", held)


EndUser = Callable[[Client, str, Pass], Any]
#: By the owner, of another user of the organization.
ENDING_USERS: dict[str, EndUser] = {
    "update_user": lambda owner, user, held: owner.end(
        "update_user", "PATCH", f"/v1/users/{user}", {"roles": []}, [held]
    ),
    "disable_user": lambda owner, user, held: owner.end(
        "disable_user", "POST", f"/v1/users/{user}/disable", {}, [held]
    ),
    "delete_user": lambda owner, user, held: owner.end(
        "delete_user", "DELETE", f"/v1/users/{user}", None, [held]
    ),
    "compromise_user": lambda owner, user, held: owner.end(
        "compromise_user", "POST", f"/v1/users/{user}/compromise", {"confirm": 1}, [held]
    ),
}


@dataclass(frozen=True)
class Whole:
    """A guest's organization at its end: the administrator of the installation, its owner, and who has a pass."""

    operator: Client
    owner: Client
    guest: Guest
    account: Account
    owners_pass: Pass

    @property
    def passes(self) -> list[Pass]:
        """All that ends with the organization."""
        return [*(key.held for key in self.account.keys), self.owners_pass]


def _change_policy(whole: Whole) -> None:
    change = {"set": {"forbidden_for_service.permissions": [PERMISSION]}, "accept": 100}
    keys = [key.held for key in whole.account.keys]
    whole.owner.end("change_policy", "PATCH", "/v1/policy", change, keys)
    change = {"set": {"pat.enabled": False}, "accept": 100}
    whole.owner.end("change_policy", "PATCH", "/v1/policy", change, [whole.owners_pass])


def _compromise(whole: Whole) -> None:
    count = whole.owner.get("/v1/organization/compromise")["credentials"]
    path, body = "/v1/organization/compromise", {"confirm": count}
    whole.owner.end("compromise_organization", "POST", path, body, whole.passes)


EndWhole = Callable[[Whole], Any]
ENDING_ORGANIZATIONS: dict[str, EndWhole] = {
    "change_policy": _change_policy,
    "compromise_organization": _compromise,
    "delete_own_organization": lambda whole: whole.owner.end(
        "delete_own_organization",
        "DELETE",
        f"/v1/organization?confirm={whole.guest.handle}",
        None,
        whole.passes,
    ),
    "disable_organization": lambda whole: whole.operator.end(
        "disable_organization", "POST", f"/v1/organizations/{whole.guest.organization}/disable", {}, whole.passes
    ),
}  # fmt: skip


def whole(operator: Client, owner: Client, guest: Guest) -> Whole:
    """Make an account in a guest's organization."""
    account = owner.account(owners=[guest.owner], permissions=[PERMISSION], justification="a test")
    return Whole(operator, owner, guest, account, owner.held(guest.token))
