"""Queries whose SQL is put together once give what the ORM gives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.db.models import QuerySet
from django.forms.models import model_to_dict
from django.test.utils import CaptureQueriesContext

from retinue.server.credentials.queries import Credential
from retinue.server.directory.queries import Principal
from retinue.server.prepared import Prepared
from tests.storage.estate import Estate


def _told(rows: list[Any]) -> list[dict[str, Any]]:
    return [model_to_dict(row) | {"restrictions": row.restrictions} for row in rows]


def test_a_row_is_what_the_orm_gives(estate: Estate) -> None:
    """
    Instants, documents, digests and what is joined: each field as in a row of the ORM, by one statement; for
    the second value as for the first, whose statement it was.
    """
    account = estate.account()
    keys = [estate.key(account)[0] for _ in range(2)]
    prepared = Prepared(
        lambda ident: Credential.objects.filter(id=ident).select_related("principal", "organization")
    )
    for key in keys:
        with CaptureQueriesContext(connection) as asked:
            found = prepared.first(key.id)
            assert found is not None
            names = (found.principal and found.principal.handle, found.organization.handle)
        row = Credential.objects.get(id=key.id)

        assert _told([row]) == _told([found])
        assert (row.issued_at, bytes(row.digest)) == (found.issued_at, bytes(found.digest))
        assert (account.handle, estate.organization.handle) == names
        assert 1 == len(asked)


@pytest.mark.parametrize("count", [0, 1, 2, 8, 9])
def test_any_of_some_values(count: int, estate: Estate) -> None:
    """
    None, few or many values, one of them twice: the rows of those that exist.
    """
    ids = [estate.account().id for _ in range(count)]
    written: list[int] = []

    def build(*values: str) -> QuerySet[Principal]:
        written.append(len(values))
        return Principal.objects.filter(id__in=values)

    prepared = Prepared(build)
    for _ in range(2):
        found = prepared.any_of([*ids, *ids[:1]])
        assert sorted(ids) == sorted(each.id for each in found)

    assert {0: [], 9: [9, 9]}.get(count, [count]) == written


def test_tuples(estate: Estate) -> None:
    """
    Columns of several tables, as ``values_list`` gives them; nothing for a value that does not exist.
    """
    key, _ = estate.key(estate.account())
    columns = ("issued_at", "expires_at", "principal__state", "restrictions")
    prepared = Prepared(lambda ident: Credential.objects.filter(id=ident).values_list(*columns))

    assert Credential.objects.filter(id=key.id).values_list(*columns).first() == prepared.first(key.id)
    assert prepared.first("key_0000000000000000") is None


@pytest.mark.parametrize(
    "build",
    [
        lambda text: Credential.objects.filter(name__contains=text),
        lambda text: Credential.objects.filter(name=text + "x"),
    ],
)
def test_a_value_that_is_changed_on_its_way_is_refused(
    build: Callable[[str], QuerySet[Any]], estate: Estate
) -> None:
    """
    A part of a text, or a text that something is added to, would be compared as it was for the first value.
    """
    with pytest.raises(ValueError, match="as they are"):
        Prepared(build).all("a")
