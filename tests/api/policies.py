"""Puts a policy in force in a test's organization."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from retinue.server.ledger.transaction import SYSTEM, transaction
from retinue.server.policies import actions
from retinue.server.policies.rules import Document
from tests.api.world import World


def set_policy(world: World, **keys: Any) -> None:
    """State keys of the policy, with ``__`` for the dot: ``set_policy(world, revoke__restore_hours=0)``."""
    stated = _dotted(keys)
    _change(world, lambda document: replace(document, overrides={**document.overrides, **stated}))


def set_environment(world: World, label: str, **keys: Any) -> None:
    """State keys of the policy for the accounts that name an environment."""
    stated = {label: _dotted(keys)}
    _change(world, lambda document: replace(document, environments={**document.environments, **stated}))


def _dotted(keys: dict[str, Any]) -> dict[str, Any]:
    return {name.replace("__", "."): value for name, value in keys.items()}


def _change(world: World, make: Callable[[Document], Document]) -> None:
    with transaction(SYSTEM, reason="test") as tx:
        actions.change(tx, world.organization.id, make)
