"""Calls of every operation of saved views, for the tests that go through all operations."""

from __future__ import annotations

import secrets
from typing import Any

from tests.api.world import Caller, World

LIST = "/v1/saved-views"
METHODS = {"get_saved_view": "GET", "update_saved_view": "PATCH", "delete_saved_view": "DELETE"}
CHANGES = {"create_saved_view": "created", "update_saved_view": "updated", "delete_saved_view": "deleted"}
NEW, GONE = {"saved_view.created"}, {"saved_view.deleted"}
ALL = ("list_saved_views", "create_saved_view", *METHODS)


def new(name: str, **more: Any) -> dict[str, Any]:
    """A view to save."""
    return {"list": "service-accounts", "name": name, "filters": {"status": "idle"}, **more}


def saved(caller: Caller, name: str, **more: Any) -> str:
    """Return the address of a new view of the caller."""
    made = caller.post(LIST, new(name, **more))
    assert made.status == 201, made.text
    return f"{LIST}/{made.json['id']}"


def target(caller: Caller, operation: str, name: str) -> tuple[str, str, dict[str, Any] | None]:
    """Return method, address and body of a call that finds what it is about."""
    if operation == "list_saved_views":
        return "GET", LIST, None
    if operation == "create_saved_view":
        return "POST", LIST, new(name)
    path = saved(caller, name)
    return METHODS[operation], path, {"sort": "-name"} if operation == "update_saved_view" else None


def specimen(operation: str) -> Any:
    """Return what makes the address and body of a call."""

    def make(_world: World, caller: Caller) -> tuple[str, dict[str, Any] | None]:
        _, path, body = target(caller, operation, f"view-{secrets.token_hex(6)}")
        return path, body

    return make


SPECIMENS = {name: specimen(name) for name in ALL}
