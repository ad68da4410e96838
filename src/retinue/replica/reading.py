"""How a replica is read: one consistent snapshot at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Protocol, runtime_checkable

from retinue.replica.holding import Gives
from retinue.replica.numbers import Words
from retinue.replica.records import (
    Credential,
    Holder,
    IdentityKey,
    ImportScheme,
    Meta,
    Node,
    Organization,
    Principal,
)


class Snapshot(Protocol):
    """One consistent view of a replica. All reads of a decision go through the same snapshot."""

    def meta(self) -> Meta:
        """Return the meta record (a blank one if nothing was ever applied)."""

    def credential(self, kid: str) -> Credential | None:
        """Return the credential with this public key id."""

    def lookup(self, key: str) -> str | None:
        """Return the key id of the credential that is found under this key (``records.Lookup``)."""

    def import_schemes(self) -> tuple[ImportScheme, ...]:
        """Return the import schemes of all organizations."""

    def schemes(self) -> tuple[str, ...]:
        """Return how tokens may be presented to some organization."""

    def principal(self, principal_id: str) -> Principal | None:
        """Return the user or service account with this id."""

    def holder(self, holder_id: str) -> Holder | None:
        """Return the role or group with this id."""

    def gives(self, holders: tuple[str, ...]) -> Gives | None:
        """Return what these holders give together; ``None`` where each has to be asked."""

    def organization(self, organization_id: str) -> Organization | None:
        """Return the organization with this id."""

    def organization_by_handle(self, handle: str) -> Organization | None:
        """Return the organization with this handle."""

    def permission_index(self, name: str) -> int | None:
        """Return the catalogue index of a declared permission."""

    def teams_of(self, key: str) -> tuple[str, ...]:
        """Return the teams of the resource with this key, ``organization/resource``."""

    def longest_lease_ms(self) -> int:
        """Return the longest lease of any organization, 0 if there is none."""

    def identity_keys(self) -> Iterator[IdentityKey]:
        """Yield the public identity keys of all nodes."""

    def node(self, credential_id: str) -> Node | None:
        """Return the node that a credential belongs to, by the credential's id."""


class Replica(Protocol):
    """Where a verifier reads. Implementations: LMDB (nodes, guards), memory (tests), the database."""

    def snapshot(self) -> AbstractContextManager[Snapshot]:
        """Open a new snapshot. No record is remembered from one snapshot to the next."""


class Transaction(Protocol):
    """What a state is read by. Whoever has opened it ends it."""

    def abort(self) -> None:
        """End it."""


class State(Protocol):
    """Stands for one committed state of a replica."""

    @property
    def meta(self) -> Meta:
        """The meta record in it."""

    @property
    def edition(self) -> bytes:
        """Names what the records of it are."""

    @property
    def words(self) -> Words:
        """Where to see whether it is still the present state."""

    @property
    def place(self) -> int:
        """Where to look there."""

    @property
    def word(self) -> int:
        """What stands there as long as it is."""

    def is_edition(self, edition: bytes) -> bool:
        """Tell whether its records are those of ``edition``, the name of some that were read before."""


@runtime_checkable
class States(Replica, Protocol):
    """A replica that tells its committed states apart."""

    def committed(self) -> tuple[Transaction, State]:
        """Open a new read transaction, and return it with the object that stands for the state that it reads.

        The object is the same as before only if nothing was committed in between.
        """

    def reading(self, transaction: Transaction, state: State) -> Snapshot:
        """Return the snapshot that a transaction is."""
