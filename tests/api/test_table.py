"""The table of operations: deny by default, for every line of it."""

from __future__ import annotations

from typing import Any

import pytest

from retinue.server.api import routes
from retinue.server.api.operations import (
    OPERATIONS,
    Call,
    UndeclaredOperation,
    declare,
    operation,
)
from tests.api.world import STRANGER, World


def test_operation_without_a_permission_does_not_start() -> None:
    """
    An operation that states no permission, or one that is not declared, stops the start.
    """

    def forgotten(call: Call) -> None:
        """Do something."""

    stated: dict[str, Any] = {
        "method": "GET", "path": "/x", "status": 200, "tag": "x", "answer": dict, "changes": False,
    }  # fmt: skip
    with pytest.raises(TypeError):
        operation("GET", "/x", response=dict, tag="x")  # type: ignore[call-arg]
    for needs in ((), ("report:read",), ("credential:steal",)):
        with pytest.raises(UndeclaredOperation):
            declare(forgotten, needs=needs, **stated)


def test_routes_are_the_table() -> None:
    """
    The router knows exactly the operations of the table.
    """
    routed = {
        (method, path if path.startswith("/") else f"/{path}")
        for path, view in routes.API.default_router.path_operations.items()
        for each in view.operations
        for method in each.methods
    }

    assert {(each.method, each.path) for each in OPERATIONS} == routed


def test_wrong_method_tells_the_right_ones(world: World) -> None:
    """
    A method that an address does not have is 405 with the ones that it has.
    """
    answer = world.owner.call("PUT", "/v1/service-accounts")

    assert (405, "method_not_allowed_here", {"GET", "POST"}) == (
        answer.status,
        answer.code,
        set(answer.headers["allow"].split(", ")),
    )


def test_unknown_address_is_a_problem() -> None:
    """
    An address that no operation has is 404 for everybody.
    """
    answer = STRANGER.get("/v1/rockets")

    assert (404, "not_found") == (answer.status, answer.code)


def test_organization_header_names_the_own_one_only(world: World) -> None:
    """
    ``Retinue-Organization`` may name the caller's own organization; any other does not exist.
    """
    own = [world.owner.get("/v1/me", {"Retinue-Organization": each}).status
           for each in (world.organization.id, world.organization.handle)]  # fmt: skip
    other = world.owner.get("/v1/me", {"Retinue-Organization": World.create().organization.handle})

    assert [200, 200] == own
    assert (404, "organization_not_found") == (other.status, other.code)
