"""Model fields that behave alike on every database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper

if TYPE_CHECKING:
    _CharField = models.CharField[str, str]
else:  # the type takes parameters for the type checker only
    _CharField = models.CharField


class IdField(_CharField):
    """Text that sorts by its bytes on every database, as the keys of a replica do.

    A snapshot goes through a table in key order and a node replaces exactly that range of keys, so the
    database and the replica must agree on the order; a locale's collation would not.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("max_length", 64)
        super().__init__(*args, **kwargs)

    def db_parameters(self, connection: BaseDatabaseWrapper) -> dict[str, Any]:
        parameters: dict[str, Any] = dict(super().db_parameters(connection))
        if connection.vendor == "postgresql":
            parameters["collation"] = "C"
        return parameters
