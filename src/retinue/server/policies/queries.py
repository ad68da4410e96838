"""Reads of policies. What is in force is read each time; what a version says never changes and is kept."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from functools import lru_cache

from django.db import connection
from django.db.models import QuerySet

from retinue.server.errors import NotFound, Refused
from retinue.server.ledger import current
from retinue.server.ledger.transaction import Transaction
from retinue.server.policies import remembering, rules, stored
from retinue.server.policies.models import Standing, Version
from retinue.server.policies.policy import NATIVE, Policy
from retinue.server.policies.rules import Compiled, Document
from retinue.server.prepared import Prepared

__all__ = [
    "Version",
    "in_force",
    "in_force_everywhere",
    "in_force_in",
    "policy_of",
    "version",
    "version_row",
    "versions",
]

_log = logging.getLogger("retinue.policies")
#: An organization without a document of its own has the native preset.
NONE = ""
_STANDING = "SELECT version_id FROM policies_standing WHERE organization = %s"
_LEASE = "SELECT lease_seconds FROM policies_standing WHERE organization = %s"
_LEASES = """
SELECT (SELECT MIN(lease_seconds) FROM policies_standing), (SELECT MAX(lease_seconds) FROM policies_standing)
"""
_VERSIONS = Prepared(
    lambda *ids: Standing.objects.filter(organization__in=ids).values_list("organization", "version_id")
)
_NATIVE = rules.compiled(Document())


def in_force(organization_id: str) -> Compiled:
    """Return what is in force in an organization now.

    What a ledger transaction has read holds until its commit: on PostgreSQL, where another process may change
    the policy meanwhile, the commit is refused then. SQLite lets one writer in.
    """
    opened = current.get()
    if not isinstance(opened, Transaction):
        return version(_standing(organization_id))
    place = ("policy", organization_id)
    if place not in opened.kept:
        opened.kept[place] = _standing(organization_id)
        if connection.vendor == "postgresql":
            opened.at_revision(lambda revision: _check_standing(opened, organization_id))
    return version(opened.kept[place])


def policy_of(organization_id: str, environment: str = "") -> Policy:
    """Return what is in force in an organization, for accounts that name ``environment``: one read."""
    return in_force(organization_id).of(environment)


def in_force_everywhere() -> dict[str, Compiled]:
    """Return what is in force in each organization that has a document of its own, in one query.

    Every other organization has the native preset. In a change it holds until the commit, as with
    :func:`in_force`.
    """
    found = _every_standing()
    opened = current.get()
    if isinstance(opened, Transaction) and connection.vendor == "postgresql":
        opened.at_revision(lambda revision: _check_every_standing(found))
    return {organization: version(ident) for organization, ident in found.items()}


def in_force_in(organization_ids: Iterable[str]) -> dict[str, Compiled]:
    """Return what is in force in each of some organizations now, in one query; for reads, not for changes."""
    found = remembering.by_id("standing", organization_ids, _standings)
    return {organization: version(ident) for organization, ident in found.items()}


def learn(standing: Mapping[str, str | None]) -> None:
    """Remember for the rest of a read which version is in force, as it was read beside each organization."""
    remembering.learn("standing", {organization: found or NONE for organization, found in standing.items()})


def _standings(organization_ids: list[str]) -> dict[str, str]:
    return dict.fromkeys(organization_ids, NONE) | dict(_VERSIONS.any_of(organization_ids))


def _every_standing() -> dict[str, str]:
    return dict(Standing.objects.values_list("organization", "version_id"))


def _check_every_standing(found: Mapping[str, str]) -> None:
    """The head is locked, as in :func:`_check_standing`."""
    if found != _every_standing():
        raise Refused("state_conflict", "an organization's policy changed meanwhile; repeat the call")


def _check_standing(tx: Transaction, organization_id: str) -> None:
    """The head is locked: whoever changes a policy has committed, or comes after this transaction."""
    if tx.kept["policy", organization_id] != _standing(organization_id):
        raise Refused("state_conflict", "the organization's policy changed meanwhile; repeat the call")


def _standing(organization_id: str) -> str:
    return remembering.once(("standing", organization_id), lambda: _read_standing(organization_id))


def _read_standing(organization_id: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute(_STANDING, [organization_id])
        row = cursor.fetchone()
    return NONE if row is None else str(row[0])


def version(version_id: str | None) -> Compiled:
    """Return what a version comes to, by its id; the native preset for none."""
    return _NATIVE if not version_id else _version(version_id)


# An id is random and its row never changes, so a process may keep it; also one that was rolled back.
@lru_cache(maxsize=4096)
def _version(version_id: str) -> Compiled:
    document = Document(**Version.objects.values_list("document", flat=True).get(id=version_id))
    compiled, dropped = stored.kept(document)
    for said in dropped:
        _log.error("policy %s: %s; the preset holds instead", version_id, said)
    return compiled


def lease_of(organization_id: str) -> int:
    """Return ``freshness.lease_seconds`` of an organization, as it stands now."""
    with connection.cursor() as cursor:
        cursor.execute(_LEASE, [organization_id])
        row = cursor.fetchone()
    return NATIVE.freshness_lease_seconds if row is None else int(row[0])


def lease_range() -> tuple[int, int]:
    """Return the shortest and the longest ``freshness.lease_seconds`` of all organizations."""
    with connection.cursor() as cursor:
        cursor.execute(_LEASES)
        shortest, longest = cursor.fetchone()
    native = NATIVE.freshness_lease_seconds
    return (native, native) if shortest is None else (shortest, longest)


def limited_retention() -> dict[str, int]:
    """Return for how many days those organizations keep events that do not keep them for ever."""
    found = _every_standing().items()
    kept = {organization: version(ident).policy.audit_log.retention_days for organization, ident in found}
    return {organization: days for organization, days in kept.items() if days is not None}


def standing_row(organization_id: str, *, lock: bool = False) -> Version | None:
    """Return the version that is in force; ``lock`` holds what stands until the commit."""
    rows = Standing.objects.filter(organization=organization_id)
    if lock:
        rows = rows.select_for_update(no_key=True)
    found = rows.first()
    return None if found is None else found.version


def standing_rows(organization_ids: Iterable[str]) -> dict[str, Version]:
    """Return the version in force of each organization, in one query."""
    rows = Standing.objects.filter(organization__in=list(organization_ids)).select_related("version")
    return {row.organization: row.version for row in rows}


def versions(organization_id: str) -> QuerySet[Version]:
    """Return the versions of an organization's document."""
    return Version.objects.filter(organization=organization_id)


def version_row(organization_id: str, number: str) -> Version:
    """Return one version by its number, as an address has it. Raises :class:`NotFound`."""
    found = None
    if number.isascii() and number.isdecimal() and len(number) <= 9:
        found = versions(organization_id).filter(number=int(number)).first()
    if found is None:
        raise NotFound("policy version", number)
    return found
