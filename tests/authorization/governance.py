"""Calls of access reviews and of the configuration document; each gets the id of an account that it may use."""

from __future__ import annotations

import secrets
from collections.abc import Callable

from tests.api.world import JSON, World

Told = tuple[str, JSON | None]
_KEEP: JSON = {"decision": "keep", "note": "needed"}


def _scope(account: str) -> JSON:
    return {"name": f"r-{secrets.token_hex(4)}", "template": "scope", "accounts": [account]}


def _review(world: World, account: str) -> str:
    """Return the address of a review of one account."""
    return f"/v1/reviews/{world.owner.post('/v1/reviews', _scope(account)).json['id']}"


def _item(world: World, account: str) -> str:
    review = _review(world, account)
    return f"{review}/items/{world.owner.get(f'{review}/items').json['items'][0]['id']}"


def _decided(world: World, account: str) -> str:
    item = _item(world, account)
    world.owner.post(f"{item}/decide", _KEEP)
    return item.partition("/items/")[0]


def _nothing(world: World) -> JSON:
    """A document that changes nothing: whoever may read all may apply that."""
    plan = world.owner.post("/v1/configuration/plan", {"document": {}}).json
    return {"document": {}, "digest": plan["digest"]}


CALLS: dict[str, Callable[[World, str], Told]] = {
    "export_configuration": lambda world, account: ("/v1/configuration", None),
    "plan_configuration": lambda world, account: ("/v1/configuration/plan", {"document": {}}),
    "apply_configuration": lambda world, account: ("/v1/configuration/apply", _nothing(world)),
    "list_reviews": lambda world, account: ("/v1/reviews", None),
    "open_review": lambda world, account: ("/v1/reviews", _scope(account)),
    "get_review": lambda world, account: (_review(world, account), None),
    "list_review_items": lambda world, account: (f"{_review(world, account)}/items", None),
    "get_review_item": lambda world, account: (_item(world, account), None),
    "decide_review_item": lambda world, account: (f"{_item(world, account)}/decide", _KEEP),
    "apply_review": lambda world, account: (f"{_decided(world, account)}/apply", {}),
    "cancel_review": lambda world, account: (f"{_review(world, account)}/cancel", {}),
    "export_review": lambda world, account: (f"{_review(world, account)}/export", {}),
}
