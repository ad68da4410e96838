"""Changes of credentials: a call of each, what the audit log says of it, and what is repeated of it."""

from __future__ import annotations

from collections.abc import Callable

from tests.api.organization_cases import Make, Told
from tests.api.policies import set_policy
from tests.api.world import JSON, World

MINE, INGEST = "/v1/me/tokens", "/v1/ingest-tokens"
ENDPOINTS: JSON = {"endpoints": ["/events"]}
NARROWED: JSON = {"restrictions": {"methods": ["POST"], **ENDPOINTS}}
Target = tuple[str, str, JSON | None]
#: What can be done to one credential: after what, how, the end of its path, the body, and what events say.
_LIFE: dict[str, tuple[str, str, str, JSON | None, list[tuple[str, str]]]] = {
    "rename": ("", "PATCH", "", {"name": "t2"}, [("renamed", "t2")]),
    "rotate": ("", "POST", "/rotate", {}, [("rotated", "t1"), ("issued", "t1")]),
    "finish": ("rotate", "POST", "/finish-rotation", {}, [("revoked", "t1")]),
    "regenerate": ("", "POST", "/regenerate", {}, [("regenerated", "t1")]),
    "expire": ("", "POST", "/expire", {}, [("expiry_shortened", "t1")]),
    "restrict": ("", "POST", "/restrict", NARROWED, [("restricted", "t1")]),
    "revoke": ("", "POST", "/revoke", {}, [("revoked", "t1")]),
    "restore": ("revoke", "POST", "/restore", {}, [("restored", "t1")]),
    "delete": ("revoke", "DELETE", "", None, [("deleted", "t1")]),
}


def _handle(world: World) -> str:
    assert world.owner.principal is not None
    return world.owner.principal.handle


def _own_token(world: World) -> tuple[str, str]:
    """A new token of the owner's own: its path, and what its names begin with in events."""
    issued = world.owner.post(MINE, {"name": "t1"})
    return f"{MINE}/{issued.json['key']['id']}", f"{_handle(world)}/"


def _ingest_token(world: World) -> tuple[str, str]:
    set_policy(world, ingest__enabled=True)
    issued = world.owner.post(INGEST, {"name": "t1", **ENDPOINTS})
    return f"{INGEST}/{issued.json['key']['id']}", ""


def _key(world: World) -> tuple[str, str]:
    return f"/v1/keys/{world.key(world.account(), 't1')[0].id}", "etl/"


def _path(world: World, act: str, new: Callable[[World], tuple[str, str]]) -> tuple[str, str]:
    """A new credential, ready for an act: the address of the act, and what names begin with."""
    path, prefix = new(world)
    before, _, tail, _, _ = _LIFE[act]
    if before:
        world.owner.post(f"{path}/{before}")
    return path + tail, prefix


def _life(noun: str, names: dict[str, str], new: Callable[[World], tuple[str, str]]) -> dict[str, Make]:
    """The case of each act on a credential; ``names`` are those of the operations."""

    def case(act: str) -> Make:
        def made(world: World) -> Told:
            path, prefix = _path(world, act, new)
            *_, body, says = _LIFE[act]
            return path, [(f"{noun}.{verb}", prefix + name) for verb, name in says], body, None

        return made

    return {name: case(act) for act, name in names.items()}


def _named(noun: str, finish: str) -> dict[str, str]:
    return {act: finish if act == "finish" else f"{act}_{noun}" for act in _LIFE}


def _token_of_user(world: World) -> Told:
    user, caller = world.user("Uma")
    ident = caller.get(MINE).json["items"][0]["id"]
    path = f"/v1/personal-access-tokens/{ident}/revoke"
    return path, [("pat.revoked", f"{user.handle}/test")], {}, None


def _compromised(world: World, scope: str) -> Told:
    says, body = [("key.revoked", "etl/t1")], {"confirm": 1}
    match scope:
        case "user":
            user, _ = world.user("Uma")
            return f"/v1/users/{user.id}/compromise", [("pat.revoked", f"{user.handle}/test")], body, None
        case "organization":
            return "/v1/organization/compromise", [("pat.revoked", f"{_handle(world)}/test")], body, None
    path, _ = _key(world)
    if scope == "account":
        path = f"/v1/service-accounts/{world.owner.get(path).json['account']['id']}"
    return f"{path}/compromise", says, body, None


def _converted(world: World) -> Told:
    path, prefix = _own_token(world)
    says = [("account.created", "made"), ("key.issued", "made/t1"), ("pat.rotated", f"{prefix}t1")]
    body = {"name": "made", "purpose": "x", "owners": [world.owner.id]}
    return f"/v1/personal-access-tokens/{path.rpartition('/')[2]}/convert", says, body, None


def _new_ingest_token(world: World) -> Told:
    set_policy(world, ingest__enabled=True)
    return INGEST, [("ingest_token.issued", "t1")], {"name": "t1", **ENDPOINTS}, None


def _running(world: World, act: str) -> Target:
    """An act on a key whose rotation has an hour to run."""
    path, _ = _key(world)
    world.owner.post(f"{path}/rotate", {"overlap": "1h"})
    return "POST", f"{path}/{act}-rotation", {"by": "1h"} if act == "extend" else {}


def _of_running(act: str, *says: str) -> Make:
    def made(world: World) -> Told:
        _, path, body = _running(world, act)
        return path, [(event, "etl/t1") for event in says], body, None

    return made


#: Those acts on keys that keys have since they have a life.
_OF_KEYS = {"finish": "finish_rotation", "expire": "expire_key", "restrict": "restrict_key",
            "restore": "restore_key"}  # fmt: skip
CASES: dict[str, Make] = {
    **_life("key", _OF_KEYS, _key),
    **_life("pat", _named("my_token", "finish_my_rotation"), _own_token),
    **_life("ingest_token", _named("ingest_token", "finish_ingest_rotation"), _ingest_token),
    "extend_rotation": _of_running("extend", "key.overlap_extended"),
    "undo_rotation": _of_running("undo", "key.revoked", "key.rotation_undone"),
    "issue_my_token": lambda world: (MINE, [("pat.issued", f"{_handle(world)}/t1")], {"name": "t1"}, None),
    "issue_ingest_token": _new_ingest_token,
    "revoke_personal_token": _token_of_user,
    "convert_token": _converted,
    "compromise_key": lambda world: _compromised(world, "key"),
    "compromise_account": lambda world: _compromised(world, "account"),
    "compromise_user": lambda world: _compromised(world, "user"),
    "compromise_organization": lambda world: _compromised(world, "organization"),
}


def _repeated(act: str, new: Callable[[World], tuple[str, str]]) -> Callable[[World], Target]:
    def target(world: World) -> Target:
        _, method, _, body, _ = _LIFE[act]
        return method, _path(world, act, new)[0], body

    return target


def _told(name: str) -> Callable[[World], Target]:
    def target(world: World) -> Target:
        path, _, body, _ = CASES[name](world)
        return "POST", path, body

    return target


def _mine(act: str) -> Callable[[World], Target]:
    return lambda _: ("POST", f"{MINE}/{{mine}}/{act}", _LIFE[act][3])


#: Targets of operations with a permission. ``{mine}`` is a token of the caller's own, ``{ended}`` a revoked one.
REPEATED: dict[str, Callable[[World], Target]] = {
    **{name: _repeated(act, _key) for act, name in _OF_KEYS.items()},
    **{
        name: _repeated(act, _ingest_token)
        for act, name in _named("ingest_token", "finish_ingest_rotation").items()
    },
    "extend_rotation": lambda world: _running(world, "extend"),
    "undo_rotation": lambda world: _running(world, "undo"),
    **{f"{act}_my_token": _mine(act) for act in ("rotate", "regenerate", "expire", "restrict")},
    "restore_my_token": lambda world: ("POST", f"{MINE}/{{ended}}/restore", {}),
    **{
        name: _told(name)
        for name in CASES
        if name in ("issue_my_token", "issue_ingest_token", "revoke_personal_token", "convert_token", "compromise_key",
                    "compromise_account", "compromise_user")
    },
}  # fmt: skip
