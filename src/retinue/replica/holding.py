"""Records of what is held: by roles and groups, on which resources, until when."""

from __future__ import annotations

import msgspec


class Scope(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Permissions that hold only within limits: on some resources, for a time, for users.

    ``reach`` is all, ids, own, team (of the principal's own teams), teams or where; ``values`` are the ids,
    or those of the teams; ``where`` are attributes of the resource with the values that each may have.
    ``is_bound`` reaches resources of teams only in the principal's own.
    """

    permissions: bytes
    reach: str = "all"
    values: tuple[str, ...] = ()
    where: tuple[tuple[str, tuple[str, ...]], ...] = ()
    until_ms: int = 0
    is_bound: bool = False
    users_only: bool = False


class Timed(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A holder that a principal has until an instant."""

    holder: str
    until_ms: int


class Holder(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A role, group, team or access policy: what each member may do. One record, however many there are.

    ``bound`` are permissions that reach resources of teams only in the principal's own teams.
    """

    id: str
    permissions: bytes = b""
    bound: bytes = b""
    scoped: tuple[Scope, ...] = ()


class Gives(msgspec.Struct, frozen=True, gc=False):
    """What some holders give together: the permissions without limits, and whether any gives others too."""

    permissions: bytes
    has_limits: bool


class Resource(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The teams that a resource belongs to. A resource of no team has no record."""

    teams: tuple[str, ...]
