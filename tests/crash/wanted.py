"""What a client believes of its objects, and the changes that it wants."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.crash.history import JSON, Pass, Ref, State


@dataclass
class Key:
    """A key as its client knows it."""

    id: str
    account: Account
    name: str
    token: Pass
    #: A successor was issued: the key can only be revoked any more.
    is_retiring: bool = False

    def state(self, **changed: Any) -> State:
        """Return what the key must be, with some fields changed."""
        return {"name": self.name, "state": "active", "account": self.account.id, **changed}


@dataclass
class Account:
    """An account as its client knows it."""

    id: str
    name: str
    description: str = ""
    is_enabled: bool = True
    keys: list[Key] = field(default_factory=list)
    grants: dict[str, str] = field(default_factory=dict)

    def state(self, **changed: Any) -> State:
        """Return what the account must be, with some fields changed."""
        state = "enabled" if self.is_enabled else "disabled"
        return {"name": self.name, "description": self.description, "state": state, **changed}


@dataclass
class Wanted:
    """A change to make. ``states`` tells the objects from the answer, or, of an empty one, from what was asked."""

    event: str
    method: str
    path: str
    body: JSON | None
    states: Callable[[JSON], Mapping[Ref, State]]
    subject: Callable[[JSON], str]
    mark: str = ""
    #: It may be repeated without an ``Idempotency-Key`` too: a second time changes nothing.
    is_repeatable: bool = False
    #: The tokens that the change ends.
    ends: tuple[Pass, ...] = ()
