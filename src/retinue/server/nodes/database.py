"""The control plane's own replica: records compiled from the database at the moment of the question.

So the control plane decides about its callers with the very same verifier as every node.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from typing import cast

from retinue.replica import records
from retinue.replica.records import Kind, Meta
from retinue.server.access import queries
from retinue.server.credentials import compile as credentials
from retinue.server.ledger.models import Head
from retinue.server.nodes.compile import compiled
from retinue.token import Kind as TokenKind


class DatabaseSnapshot:
    """Reads of one question. Each record is compiled at most once."""

    @cached_property
    def _catalogue(self) -> Mapping[str, int]:
        return queries.catalogue()

    @cached_property
    def _meta(self) -> Meta:
        head = Head.objects.get(id=1)
        return Meta(head.epoch, head.revision, complete=True)

    def meta(self) -> Meta:
        return self._meta

    def credential(self, kid: str) -> records.Credential | None:
        kinds = (*credentials.REPLICATED, TokenKind.NODE.value)
        return cast("records.Credential | None", credentials.compiled([kid], kinds).get(kid))

    def principal(self, principal_id: str) -> records.Principal | None:
        return cast("records.Principal | None", self._one(Kind.PRINCIPAL, principal_id))

    def holder(self, holder_id: str) -> records.Holder | None:
        return cast("records.Holder | None", self._one(Kind.HOLDER, holder_id))

    def organization(self, organization_id: str) -> records.Organization | None:
        return cast("records.Organization | None", self._one(Kind.ORGANIZATION, organization_id))

    def organization_by_handle(self, handle: str) -> records.Organization | None:
        found = cast("records.OrganizationHandle | None", self._one(Kind.ORGANIZATION_HANDLE, handle))
        return None if found is None else self.organization(found.organization)

    def permission_index(self, name: str) -> int | None:
        return self._catalogue.get(name)

    def identity_keys(self) -> Iterator[records.IdentityKey]:
        from retinue.server.nodes.queries import identity_keys

        return iter(identity_keys())

    def _one(self, kind: Kind, key: str) -> records.Record | None:
        return compiled(kind, [key], self._catalogue).get(key)


class DatabaseReplica:
    """Implements :class:`retinue.replica.records.Replica` over the database."""

    @contextmanager
    def snapshot(self) -> Iterator[DatabaseSnapshot]:
        """Open the reads of one question."""
        yield DatabaseSnapshot()
