"""What is asked about a token, and the questions that are mistakes of who asks."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from retinue.token import Kind

#: Kinds that act for a principal and may be presented to a protected API.
CALLER_KINDS = frozenset({Kind.API_KEY.value, Kind.PERSONAL.value})
#: Beside them an API may accept ingest tokens, on the endpoints that these are bound to.
API_KINDS = CALLER_KINDS | {Kind.INGEST.value}


class Question(msgspec.Struct, frozen=True):
    """What is asked about a token.

    ``token`` is the presented secret; ``scheme`` how it was presented, ``None`` if the asker does not say.
    ``need`` are the permissions that
    are all needed; empty skips the permission step. ``organization`` (id or handle) is the organization
    that is protected: tokens of others are unknown there. ``kinds`` are the kinds of credentials that the
    endpoint accepts; ``counts`` says whether the call is one of those that limits are about. ``route``, the
    template of ``path``, and ``client``, what the program calls itself, are for the request log alone.
    """

    token: str | None
    need: tuple[str, ...] = ()
    organization: str | None = None
    resource: str | None = None
    address: str | None = None
    method: str | None = None
    path: str | None = None
    scheme: str | None = "bearer"
    kinds: frozenset[str] = CALLER_KINDS
    counts: bool = True
    attributes: Mapping[str, str] | None = None
    route: str | None = None
    client: str | None = None


class UnknownPermission(Exception):
    """The question names a permission that is not declared: an error of the caller, not a decision."""

    def __init__(self, name: str) -> None:
        super().__init__(f"unknown permission {name!r}")
        self.name = name


class UnknownOrganization(Exception):
    """The question names an organization that does not exist: an error of the caller, not a decision."""

    def __init__(self, name: str) -> None:
        super().__init__(f"unknown organization {name!r}")
        self.name = name
