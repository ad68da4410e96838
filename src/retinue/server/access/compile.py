"""Compiles permissions, roles and principals into what nodes know of them: bit masks over the catalogue."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from retinue import permission
from retinue.replica import records
from retinue.server.access.catalogue import INSTALLATION, expand
from retinue.server.access.models import Permission
from retinue.server.access.queries import held
from retinue.server.access.roles import ROLES
from retinue.server.ledger.feed import Selection, narrow, pick, select

_PRINCIPALS = """
SELECT id, kind, organization_id, handle, name, state, is_operator, environment
FROM directory_principal WHERE true
"""


def permissions(selection: Selection) -> dict[str, bytes]:
    """Return permission records by name. A withdrawn permission has none: asking for it is an error."""
    rows = narrow(Permission.objects.filter(is_withdrawn=False), "name", selection)
    return {
        name: records.encode(records.Permission(name, index))
        for name, index in rows.values_list("name", "index")
    }


def holders(selection: Selection, indexes: Mapping[str, int]) -> dict[str, bytes]:
    """Return the records of roles by holder id. ``indexes`` is the catalogue of permissions."""
    roles = {role.holder_id: role for role in ROLES.values()}
    return {
        key: records.encode(
            records.Holder(key, permission.mask(indexes[name] for name in roles[key].names(indexes)))
        )
        for key in pick(roles, selection)
    }


def principals(selection: Selection, indexes: Mapping[str, int]) -> dict[str, bytes]:
    """Return principal records by id, in two queries however many. ``indexes`` is the catalogue.

    A principal's own mask holds its direct grants and, for an operator, the permissions of the
    installation. What a service account may never have is left in: the organization's record bans it.
    """
    rows = select(_PRINCIPALS, "id", selection)
    grants, roles = held([row[0] for row in rows])
    masks = _Masks(indexes)
    return {row[0]: records.encode(_principal(row, grants, roles, masks)) for row in rows}


def _principal(
    row: tuple[Any, ...], grants: dict[str, list[str]], roles: dict[str, list[str]], masks: _Masks
) -> records.Principal:
    ident, kind, organization, handle, name, state, is_operator, environment = row
    return records.Principal(
        id=ident,
        kind=kind,
        organization=organization,
        handle=handle,
        name=name,
        state=state,
        permissions=masks.of(grants.get(ident, ()), is_operator),
        holders=tuple(ROLES[role].holder_id for role in sorted(roles.get(ident, ())) if role in ROLES),
        environment=environment,
    )


class _Masks:
    """Bit masks of sets of patterns; each pattern is expanded against the catalogue once."""

    def __init__(self, indexes: Mapping[str, int]) -> None:
        self._indexes = indexes
        self._bits: dict[str, int] = {}
        self._masks: dict[tuple[frozenset[str], bool], bytes] = {}

    def of(self, patterns: Iterable[str], is_operator: bool) -> bytes:
        wanted = frozenset(patterns), is_operator
        if wanted not in self._masks:
            self._masks[wanted] = permission.union(
                value.to_bytes((value.bit_length() + 7) // 8, "little") for value in self._values(*wanted)
            )
        return self._masks[wanted]

    def _values(self, patterns: frozenset[str], is_operator: bool) -> Iterable[int]:
        yield from (self._expand(pattern) for pattern in patterns)
        if is_operator:
            yield from (self._expand(name) for name in INSTALLATION)

    def _expand(self, pattern: str) -> int:
        if pattern not in self._bits:
            names = expand([pattern], self._indexes)
            self._bits[pattern] = sum(1 << self._indexes[name] for name in names)
        return self._bits[pattern]
