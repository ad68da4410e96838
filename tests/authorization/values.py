"""Any value in any field: bodies and queries of an operation that differ from a valid one in one place."""

from __future__ import annotations

import os
import types
import typing
import zlib
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar
from urllib.parse import quote

from pydantic import BaseModel

from retinue.server.api import routes  # noqa: F401  (fills the table)
from retinue.server.api.operations import OPERATIONS, Operation
from tests.authorization import truth
from tests.authorization.test_matrix import ENDS_THE_CAST
from tests.authorization.truth import NODE, PUBLIC

T = TypeVar("T")
#: One of each kind of trouble: types, sizes, characters, numbers, instants, spellings of other things.
NASTY: tuple[Any, ...] = (
    None, True, 7, -1, 1.5, 2**53, -(2**53), 1e308, "", " ", "*", "*:*", "0", "x" * 300, "x" * 8_000,
    "a\u202eb", "a\u2028b", "\U0010ffff", "e\u0301" * 100, "null", "never", "999999999d", "0s", "-1d",
    "9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59", "2999-01-01", "NaN", "1e999", "::/0",
    "10.0.0.1/8", "fe80::1%eth0", "/../x", "/%2e%2e/x", "(a+)+$", "{{7*7}}", "' OR 1=1 --", "%", "_",
    [], [None], [[]], [{}], ["x"], ["x", "x"], ["x"] * 1_001, {}, {"x": 1}, {"x": {"y": []}}, [[[[]]]],
)  # fmt: skip
#: All calls are made, instead of one of so many.
IS_WHOLE = os.environ.get("RETINUE_TEST_VALUES") == "all"
EACH = [
    each
    for each in OPERATIONS
    if each.name not in ENDS_THE_CAST and truth.NEEDS.get(each.name) not in (NODE, PUBLIC, None)
]


def sampled(name: str, one_of: int, calls: Iterable[T]) -> Iterator[T]:
    """Yield one of so many calls of an operation, the same ones at each run; ``RETINUE_TEST_VALUES=all`` all."""
    first = zlib.crc32(name.encode())
    for number, call in enumerate(calls, first):
        if IS_WHOLE or number % one_of == 0:
            yield call


def bodies(each: Operation, valid: dict[str, Any] | None, values: Iterable[Any]) -> Iterator[dict[str, Any]]:
    """Yield bodies of an operation that have one of ``values`` in one field."""
    if isinstance(each.body, type) and issubclass(each.body, BaseModel):
        yield from _variants(each.body, valid or {}, tuple(values), 0)


def paths(each: Operation, valid: str, values: Iterable[Any]) -> Iterator[str]:
    """Yield addresses of an operation with one of ``values``, those that are text, for one parameter."""
    texts = [value for value in values if isinstance(value, str)]
    address, _, _ = valid.partition("?")
    for name in each.query.model_fields if each.query is not None else ():
        yield from (f"{address}?{name}={quote(value, safe='')}" for value in texts)
    parts = address.split("/")  # "", "v1", ...
    for place, name in enumerate(f"/v1{each.path}".split("/")):
        if name.startswith("{"):
            for value in texts:
                yield "/".join([*parts[:place], quote(value, safe=""), *parts[place + 1 :]])


def _variants(
    model: type[BaseModel], valid: dict[str, Any], values: tuple[Any, ...], depth: int
) -> Iterator[dict[str, Any]]:
    for name, field in model.model_fields.items():
        for value in values:
            yield {**valid, name: value}
            if _is_list(field.annotation):
                yield {**valid, name: [value]}
        for inner, is_list in _models(field.annotation) if depth < 3 else ():
            for each in _variants(inner, _filled(inner), values, depth + 1):
                yield {**valid, name: [each] if is_list else each}


def _is_list(hint: Any) -> bool:
    return typing.get_origin(hint) is list or any(_is_list(each) for each in typing.get_args(hint))


def _models(hint: Any) -> Iterator[tuple[type[BaseModel], bool]]:
    """Yield the models in the type of a field, and whether they stand in a list."""
    if isinstance(hint, type) and issubclass(hint, BaseModel):
        yield hint, False
    is_list = typing.get_origin(hint) is list
    if is_list or typing.get_origin(hint) in (typing.Union, types.UnionType, typing.Annotated):
        for each in typing.get_args(hint):
            for model, within in _models(each):
                yield model, is_list or within


def _filled(model: type[BaseModel]) -> dict[str, Any]:
    """Return what a model requires, with texts and empty lists."""
    required = {name: field for name, field in model.model_fields.items() if field.is_required()}
    return {name: [] if _is_list(field.annotation) else "x" for name, field in required.items()}
