"""What fields mean that say nothing of themselves, for the OpenAPI document: ``words.toml``."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib import resources
from typing import Any

#: A model of an answer that carries a receipt is called so; its fields are those of the model without.
_WITH_RECEIPT = "AndReceipt"
#: Stands for what is no field of an object: a part of an address, of its path or its query.
PARAMETER = "?"


@cache
def read() -> dict[str, dict[str, str]]:
    """Return the meaning of each field by the name of its object; of any object, under the empty name."""
    text = resources.files(__package__).joinpath("words.toml").read_text(encoding="utf-8")
    document = tomllib.loads(text)
    return {"": document["words"], **document["objects"]}


def meaning(owner: str, field: str) -> str | None:
    """Return what ``field`` of the object ``owner`` means, or ``None`` if nobody has said it."""
    table = read()
    return table.get(owner.removesuffix(_WITH_RECEIPT), {}).get(field, table[""].get(field))


def describe(schemas: dict[str, Any]) -> None:
    """Give each member of ``schemas`` that has no description the one that is written here."""
    for owner, schema in schemas.items():
        for field, member in schema.get("properties", {}).items():
            said = meaning(owner, field)
            if said is not None:
                member.setdefault("description", said)
