"""Queries of the ORM whose SQL is put together once.

For a row that is looked up by its id, the ORM spends some ten times as long on writing the statement as the
database spends on answering it. Each call of the API looks up a dozen such rows. What comes out is the same:
rows of models, with what ``select_related`` names, or tuples.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from django.db import connection
from django.db.models import QuerySet
from django.db.models.query import ModelIterable, get_related_populators

Row = TypeVar("Row")
#: Stands for the value with this number while a statement is written; no value is like it.
_MARK = "\0value {0}"
#: With more values than this a statement is written each time.
_MOST_VALUES = 8


@dataclass(frozen=True, slots=True)
class _Statement(Generic[Row]):
    sql: str
    #: What is sent; a number stands for the value in that place.
    given: tuple[Any, ...]
    #: Where, and how, a column is made a Python value.
    converters: Any
    compiler: Any
    make: Callable[[Sequence[Any]], Row]


class Prepared(Generic[Row]):
    """``build`` is called once for each database and number of values, with strings that stand for values.

    It may use them only where a text is compared with another, and must return the same query for any.
    """

    def __init__(self, build: Callable[..., QuerySet[Any, Row]]) -> None:
        self._build = build
        self._statements: dict[tuple[str, int], _Statement[Row]] = {}

    def all(self, *values: str) -> list[Row]:
        """Return the rows for these values."""
        place = connection.vendor, len(values)
        statement = self._statements.get(place)
        if statement is None:
            statement = self._statements[place] = _written(self._build, len(values))
        given = [values[each.number] if isinstance(each, _Value) else each for each in statement.given]
        with connection.cursor() as cursor:
            cursor.execute(statement.sql, given)
            rows = cursor.fetchall()
        if statement.converters:
            rows = statement.compiler.apply_converters(rows, statement.converters)
        return [statement.make(row) for row in rows]

    def any_of(self, values: Iterable[str]) -> list[Row]:
        """Return the rows for any of these values, of which there may be none or many."""
        wanted = sorted(set(values))
        if len(wanted) > _MOST_VALUES:
            return list(self._build(*wanted))
        return self.all(*wanted) if wanted else []

    def first(self, *values: str) -> Row | None:
        """Return the first of the rows; ``build`` says that there is one at most, or in which order."""
        found = self.all(*values)
        return found[0] if found else None


@dataclass(frozen=True, slots=True)
class _Value:
    number: int


def _written(build: Callable[..., QuerySet[Any, Row]], count: int) -> _Statement[Row]:
    marks = {_MARK.format(number): _Value(number) for number in range(count)}
    queryset = build(*marks)
    compiler = queryset.query.get_compiler(using=queryset.db)
    sql, given = compiler.as_sql()
    placed = tuple(marks.get(each, each) if isinstance(each, str) else each for each in given)
    if any(isinstance(each, str) and "\0" in each for each in placed):
        raise ValueError("a prepared query compares values as they are")
    converters = compiler.get_converters([each[0] for each in compiler.select[: compiler.col_count]])
    is_of_models = issubclass(queryset._iterable_class, ModelIterable)
    make = _model(compiler, queryset.db) if is_of_models else tuple
    return _Statement(sql, placed, converters, compiler, make)


def _model(compiler: Any, db: str) -> Callable[[Sequence[Any]], Any]:
    """Return what makes a model of a row, as ``ModelIterable`` does."""
    info = compiler.klass_info
    model, fields = info["model"], info["select_fields"]
    columns = slice(fields[0], fields[-1] + 1)
    names = [each[0].target.attname for each in compiler.select[columns]]
    populators: list[Any] = get_related_populators(info, compiler.select, db)  # type: ignore[call-arg]

    def make(row: Sequence[Any]) -> Any:
        made = model.from_db(db, names, row[columns])
        for populator in populators:
            populator.populate(row, made)
        return made

    return make
