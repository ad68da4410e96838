"""An organization's access as a document: what the API answers, as types, and its operations."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET, Struct, UnsetType

from retinue.client.models import Receipt
from retinue.client.operations import Operation


class PlannedField(Struct, kw_only=True):
    """One field of a step."""

    field: str
    before: Any = None
    after: Any = None


class PlannedStep(Struct, kw_only=True):
    """One change of a plan."""

    act: str
    section: str
    key: str
    fields: list[PlannedField] = msgspec.field(default_factory=list)


class Obstacle(Struct, kw_only=True):
    """Why a plan could not be applied now."""

    code: str
    detail: str
    field: str | None = None
    required: list[str] = msgspec.field(default_factory=list)


class Plan(Struct, kw_only=True):
    """What a document would change."""

    steps: list[PlannedStep]
    digest: str
    needs: list[str] = msgspec.field(default_factory=list)
    broken_total: int = 0
    refused: Obstacle | None = None


class Applied(Struct, kw_only=True):
    """What a document has changed."""

    steps: list[PlannedStep]
    digest: str
    receipt: Receipt | UnsetType = UNSET


_PATH = "/v1/configuration"
EXPORT: Operation[dict[str, Any]] = Operation("GET", _PATH, "policy:read", dict[str, Any])
PLAN: Operation[Plan] = Operation("POST", f"{_PATH}/plan", "policy:read", Plan)
APPLY: Operation[Applied] = Operation("POST", f"{_PATH}/apply", "policy:read", Applied)
