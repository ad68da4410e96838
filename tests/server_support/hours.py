"""Counts the request log by hours anew, for tests that write records past the product."""

from __future__ import annotations

from importlib import import_module

EMPTY = ("DELETE FROM traffic_credentialhour", "DELETE FROM traffic_organizationhour")


def statements(vendor: str) -> list[str]:
    """Return what empties the rollup, and fills it from the records as its migration does."""
    made = import_module("retinue.server.traffic.migrations.0007_hours")
    return [*EMPTY, *made.fillings(vendor)]


def recount() -> None:
    """Fill the rollup of the database that Django has open."""
    from django.db import connection, transaction

    with transaction.atomic(), connection.cursor() as cursor:
        for statement in statements(connection.vendor):
            cursor.execute(statement)
