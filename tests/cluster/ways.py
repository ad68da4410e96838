"""How keys end: each way is one reducing operation of the API, called so that a pass is refused from then on.

``KEYS`` end one key, ``ACCOUNTS`` all keys of an account at once. The other ways are in ``ways_access`` and
``ways_people``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.cluster.client import KEYS as PATH
from tests.cluster.client import PERMISSION, Account, Client, Key

BULK = "/v1/bulk"
#: Ends a key; returns the one that has taken its place, if any.
EndKey = Callable[[Client, Key], Key | None]
EndAccount = Callable[[Client, Account], None]
NARROWED = {"restrictions": {"methods": ["POST"]}}


def passes(account: Account) -> list[Any]:
    """Return the passes of all keys of an account."""
    return [key.held for key in account.keys]


def act(operation: str, verb: str, **body: object) -> EndKey:
    """Return the way that is a POST to an address below that of the credential."""

    def end(client: Client, key: Key) -> None:
        client.end(operation, "POST", f"{key.path}/{verb}", body, [key.held])

    return end


def delete(operation: str) -> EndKey:
    """Return the way that deletes a credential in use; the policy of the run allows it."""

    def end(client: Client, key: Key) -> None:
        client.end(operation, "DELETE", key.path, None, [key.held])

    return end


def replace(operation: str, verb: str, **body: object) -> EndKey:
    """Return the way that puts another token in the place of one, which ends at once."""

    def end(client: Client, key: Key) -> Key:
        named = body | ({"name": client.next()} if verb == "rotate" else {})
        made = client.end(operation, "POST", f"{key.path}/{verb}", named, [key.held])
        return Key(
            f"{key.path.rpartition('/')[0]}/{made['key']['id']}", client.held(made["token"], **key.held.asked)
        )

    return end


def finish(operation: str) -> EndKey:
    """Return the way that ends a rotation by hand, before the old token ends by itself."""

    def end(client: Client, key: Key) -> Key:
        made = client.post(f"{key.path}/rotate", overlap="1h", name=client.next())
        successor = Key(
            f"{key.path.rpartition('/')[0]}/{made['key']['id']}", client.held(made["token"], **key.held.asked)
        )
        client.end(operation, "POST", f"{successor.path}/finish-rotation", {}, [key.held])
        return successor

    return end


def undo(client: Client, key: Key) -> Key:
    """Take a rotation back: the new token ends, and the old one is what is held."""
    # Longer than a clock that is set forward goes in between: a rotation that is over stays so.
    made = client.post(f"{key.path}/rotate", overlap="12h", name=client.next())
    new = client.held(made["token"], **key.held.asked)
    client.end("undo_rotation", "POST", f"{key.path}/undo-rotation", {}, [new])
    return key


def many(operation: str, verb: str, **more: Any) -> EndKey:
    """Return the way that ends a list of keys, here of one."""

    def end(client: Client, key: Key) -> None:
        client.end(operation, "POST", f"{BULK}/keys/{verb}", {"keys": [key.id], **more}, [key.held])

    return end


def life(noun: str, finishing: str) -> dict[str, EndKey]:
    """Return what may end a credential of any kind; ``noun`` is its name in the operations."""
    return {
        f"rotate_{noun}": replace(f"rotate_{noun}", "rotate", overlap="0s"),
        finishing: finish(finishing),
        f"regenerate_{noun}": replace(f"regenerate_{noun}", "regenerate"),
        f"expire_{noun}": act(f"expire_{noun}", "expire", expires="now"),
        f"restrict_{noun}": act(f"restrict_{noun}", "restrict", **NARROWED),
        f"revoke_{noun}": act(f"revoke_{noun}", "revoke"),
        f"delete_{noun}": delete(f"delete_{noun}"),
    }


ENDING_KEYS: dict[str, EndKey] = {
    **life("key", "finish_rotation"),
    "undo_rotation": undo,
    "compromise_key": act("compromise_key", "compromise", confirm=1),
    "revoke_keys": many("revoke_keys", "revoke"),
    "expire_keys": many("expire_keys", "expire", expires="now"),
    "restrict_keys": many("restrict_keys", "restrict", **NARROWED["restrictions"]),
    "rotate_keys": many("rotate_keys", "rotate", overlap="0s"),
    "delete_keys": many("delete_keys", "delete"),
}


def _grant(client: Client, account: Account) -> str:
    (found,) = client.get(f"{account.path}/grants")["items"]
    return str(found["id"])


def _delete_grant(client: Client, account: Account) -> None:
    path = f"{account.path}/grants/{_grant(client, account)}"
    client.end("delete_grant", "DELETE", path, None, passes(account))


def _change_grants(client: Client, account: Account) -> None:
    path, body = f"{account.path}/grants", {"take": [PERMISSION]}
    client.end("change_grants", "PATCH", path, body, passes(account))


def _take_grant_back(client: Client, account: Account) -> None:
    path = f"/v1/grants/{_grant(client, account)}"
    client.end("take_grant_back", "DELETE", path, None, passes(account))


def _take_from_many(client: Client, account: Account) -> None:
    path, body = f"{BULK}/service-accounts/take-back", {"accounts": [account.id], "permission": PERMISSION}
    client.end("take_from_service_accounts", "POST", path, body, passes(account))


def _compromise(client: Client, account: Account) -> None:
    path = f"{account.path}/compromise"
    count = client.get(path)["credentials"]
    client.end("compromise_account", "POST", path, {"confirm": count}, passes(account))


def _many_accounts(operation: str, verb: str) -> EndAccount:
    def end(client: Client, account: Account) -> None:
        path = f"{BULK}/service-accounts/{verb}"
        client.end(operation, "POST", path, {"accounts": [account.id]}, passes(account))

    return end


ENDING_ACCOUNTS: dict[str, EndAccount] = {
    "disable_service_account": lambda client, account: client.end(
        "disable_service_account", "POST", f"{account.path}/disable", {}, passes(account)
    ),
    "delete_service_account": lambda client, account: client.end(
        "delete_service_account", "DELETE", account.path, None, passes(account)
    ),
    "compromise_account": _compromise,
    "disable_service_accounts": _many_accounts("disable_service_accounts", "disable"),
    "delete_service_accounts": _many_accounts("delete_service_accounts", "delete"),
    "delete_grant": _delete_grant,
    "change_grants": _change_grants,
    "take_grant_back": _take_grant_back,
    "take_from_service_accounts": _take_from_many,
}  # fmt: skip


def account(client: Client, count: int) -> Account:
    """Make an account that holds the permission by a grant of its own, with so many keys."""
    made = client.account(permissions=[PERMISSION], justification="a test")
    for _ in range(count - 1):
        issued = client.post(f"{made.path}/keys", name=client.next())
        made.keys.append(Key(f"{PATH}/{issued['key']['id']}", client.held(issued["token"])))
    return made
