"""How access ends that an account has from elsewhere: by a role, a group, a team, an access policy.

Each way makes all of it, one account with one key, and takes it away.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from tests.cluster.client import PERMISSION, WHY, Account, Client
from tests.cluster.ways import passes

End = Callable[[Client], None]
#: An import withdraws what others have imported: one at a time.
_importing = threading.Lock()


def _role(client: Client) -> Any:
    return client.post("/v1/roles", name=client.next(), permissions=[PERMISSION])


def _by_role(client: Client) -> tuple[Account, Any]:
    role = _role(client)
    return client.account(roles=[role["handle"]], **WHY), role


def _update_account(client: Client) -> None:
    account, _ = _by_role(client)
    client.end("update_service_account", "PATCH", account.path, {"roles": []}, passes(account))


def _unassign(client: Client) -> None:
    role, account = _role(client), client.account()
    made = client.post("/v1/assignments", subject=account.id, role=role["handle"], **WHY)
    client.end("unassign_role", "DELETE", f"/v1/assignments/{made['id']}", None, passes(account))


def _update_role(client: Client) -> None:
    account, role = _by_role(client)
    body = {"permissions": ["report:export"], **WHY}
    client.end("update_role", "PATCH", f"/v1/roles/{role['id']}", body, passes(account))


def _delete_role(client: Client) -> None:
    account, role = _by_role(client)
    client.end("delete_role", "DELETE", f"/v1/roles/{role['id']}?holders=lose", None, passes(account))


def _by_group(client: Client, kind: str, **rule: object) -> tuple[Account, str]:
    """Make a group or team that holds the permission, by ``rule`` or by hand, and an account in it."""
    group = client.post(f"/v1/{kind}s", name=client.next(), permissions=[PERMISSION], **WHY, **rule)
    account = client.account(**({} if rule else {f"{kind}s": [group["id"]]}))
    return account, f"/v1/{kind}s/{group['id']}"


def _update_group(kind: str) -> End:
    def end(client: Client) -> None:
        mark = client.next()
        rule = [{"field": "name", "values": [mark]}]
        group = {"rule": "condition", "conditions": rule, "permissions": [PERMISSION], **WHY}
        made = client.post(f"/v1/{kind}s", name=client.next(), **group)
        account = client.account(name=mark)
        nobody = {"conditions": [{"field": "name", "values": ["nobody"]}], **WHY}
        client.end(f"update_{kind}", "PATCH", f"/v1/{kind}s/{made['id']}", nobody, passes(account))

    return end


def _delete_group(kind: str) -> End:
    def end(client: Client) -> None:
        account, path = _by_group(client, kind)
        client.end(f"delete_{kind}", "DELETE", path, None, passes(account))

    return end


def _remove_from(kind: str) -> End:
    def end(client: Client) -> None:
        account, path = _by_group(client, kind)
        client.end(
            f"remove_from_{kind}", "POST", f"{path}/remove", {"members": [account.id]}, passes(account)
        )

    return end


def _change_resources(client: Client) -> None:
    """A grant on what belongs to the account's team, and the resource leaves the team."""
    resource = client.next()
    team = client.post("/v1/teams", name=client.next())
    account = client.account(teams=[team["id"]])
    grant = {"permission": PERMISSION, "resource": "team", **WHY}
    client.post(f"{account.path}/grants", **grant)
    path = f"/v1/teams/{team['id']}/resources"
    client.post(path, add=[resource])
    issued = client.post(f"{account.path}/keys", name=client.next())
    held = client.held(issued["token"], resource=resource)
    client.end("change_resources_of_team", "POST", path, {"remove": [resource]}, [held])


def _by_policy(client: Client) -> tuple[Account, str]:
    account = client.account()
    body = {"subjects": [account.id], "permissions": [PERMISSION], **WHY}
    made = client.post("/v1/access-policies", name=client.next(), **body)
    return account, f"/v1/access-policies/{made['id']}"


def _update_policy(client: Client) -> None:
    account, path = _by_policy(client)
    body = client.chance.choice([{"enabled": False}, {"subjects": []}])
    client.end("update_access_policy", "PATCH", path, body, passes(account))


def _delete_policy(client: Client) -> None:
    account, path = _by_policy(client)
    client.end("delete_access_policy", "DELETE", path, None, passes(account))


def _apply_review(client: Client) -> None:
    account = client.account(permissions=[PERMISSION], **WHY)
    review = client.post("/v1/reviews", name=client.next(), template="scope", accounts=[account.id])
    path = f"/v1/reviews/{review['id']}"
    (item,) = client.get(f"{path}/items")["items"]
    # "reduce" keeps what was used, and clients do use it.
    decision = client.chance.choice(["disable", "delete"])
    client.post(f"{path}/items/{item['id']}/decide", decision=decision, note="a test")
    client.end("apply_review", "POST", f"{path}/apply", {}, passes(account))


def _apply_configuration(client: Client) -> None:
    account, role = _by_role(client)
    document = {"roles": [{"handle": role["handle"], "permissions": ["report:export"]}]}
    planned = client.post("/v1/configuration/plan", document=document, **WHY)
    body = {"document": document, "digest": planned["digest"], **WHY}
    client.end("apply_configuration", "POST", "/v1/configuration/apply", body, passes(account))


def _import_permissions(client: Client) -> None:
    """A permission that the host declared is withdrawn; one import at a time, for it withdraws all others."""
    with _importing:
        name = f"imported.{client.next().replace('/', '-')}:read"
        client.post("/v1/permissions/import", permissions=[{"name": name}])
        account = client.account(permissions=[name], **WHY)
        issued = client.post(f"{account.path}/keys", name=client.next())
        held = client.held(issued["token"], need=[name])
        body = {"permissions": [], "withdraw_others": True}
        client.end("import_permissions", "POST", "/v1/permissions/import", body, [held])


ENDING_ACCESS: dict[str, End] = {
    "update_service_account": _update_account,
    "unassign_role": _unassign,
    "update_role": _update_role,
    "delete_role": _delete_role,
    "update_group": _update_group("group"),
    "delete_group": _delete_group("group"),
    "remove_from_group": _remove_from("group"),
    "update_team": _update_group("team"),
    "delete_team": _delete_group("team"),
    "remove_from_team": _remove_from("team"),
    "change_resources_of_team": _change_resources,
    "update_access_policy": _update_policy,
    "delete_access_policy": _delete_policy,
    "apply_review": _apply_review,
    "apply_configuration": _apply_configuration,
    "import_permissions": _import_permissions,
}
