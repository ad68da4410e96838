"""What anybody may read: the description of this API."""

from __future__ import annotations

from functools import cache
from typing import Any

from retinue.server.api import document, schemas
from retinue.server.api.operations import OPERATIONS, Access, Call, operation


@cache
def _document() -> schemas.JSON:
    return document.build(OPERATIONS)


@operation("GET", "/openapi.json", permission=Access.PUBLIC, response=dict[str, Any], tag="reference")
def get_openapi(call: Call) -> schemas.JSON:
    """Describe this API (OpenAPI 3.1)."""
    return _document()
