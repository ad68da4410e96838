"""Epochs: what the API answers, as types, and its operations; see ``models``."""

from __future__ import annotations

from typing import Any

from msgspec import Struct, field

from retinue.client.models import Page
from retinue.client.operations import Operation


class Journal(Struct, kw_only=True):
    """What became of the journal of one node."""

    node: str
    id: str = ""
    state: str
    unknown: int = 0
    at: str | None = None


class Outcomes(Struct, kw_only=True):
    """How many lost changes came to which end."""

    waiting: int = 0
    nothing: int = 0
    replayed: int = 0
    closed: int = 0
    unknown: int = 0
    open: int = 0


class Epoch(Struct, kw_only=True):
    """A history of revisions, and how far its recovery is."""

    epoch: int
    state: str
    cause: str = ""
    detail: dict[str, Any] = {}
    began_at: str | None = None
    opened_at: str | None = None
    seconds_left: float = 0.0
    journals: list[Journal] = []
    lost: Outcomes = field(default_factory=Outcomes)


class Lost(Struct, kw_only=True):
    """A change that a node knew and the database had lost."""

    kind: str
    key: str
    subject: str = ""
    organization: str = ""
    epoch: int = 0
    revision: int = 0
    at: str | None = None
    node: str = ""
    reduces: bool = False
    outcome: str = ""
    done: list[str] = []


_EPOCHS, _EPOCH = "/v1/epochs", "/v1/epochs/{epoch}"
LIST_EPOCHS: Operation[Page[Epoch]] = Operation("GET", _EPOCHS, "epoch:read", Page[Epoch])
BEGIN_EPOCH: Operation[Epoch] = Operation("POST", _EPOCHS, "epoch:create", Epoch, True, in_earnest=True)
GET_EPOCH: Operation[Epoch] = Operation("GET", _EPOCH, "epoch:read", Epoch)
SKIP_JOURNALS: Operation[Epoch] = Operation("POST", f"{_EPOCH}/skip", "epoch:update", Epoch, in_earnest=True)
LIST_LOST: Operation[Page[Lost]] = Operation("GET", f"{_EPOCH}/lost", "epoch:read", Page[Lost])
