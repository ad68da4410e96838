"""Makes the catalogue of permissions hold what the host declares."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence, Set
from typing import Any

from retinue.replica.records import Kind
from retinue.server.access import touching
from retinue.server.access.catalogue import INSTALLATION, MANAGEMENT, Declaration, covered
from retinue.server.access.models import Grant, Permission, Role
from retinue.server.access.roles import ROLES
from retinue.server.directory import queries as people
from retinue.server.directory.queries import Principal
from retinue.server.ledger.transaction import Transaction
from retinue.server.policies.queries import in_force_everywhere, version

FILE, IMPORT = "file", "import"


def declare(
    tx: Transaction, declarations: Sequence[Declaration], *, by: str = FILE, is_all: bool = True
) -> None:
    """Make the catalogue hold the management permissions and these of the host.

    ``is_all`` withdraws what was declared ``by`` the same way and is not among them.

    A permission that is no longer declared is withdrawn: it leaves every set at once, and its index is
    never given to another. Who holds a pattern or a role that covers a new one gets it.
    """
    wanted = {name: Declaration(name) for name in MANAGEMENT}
    wanted |= {declared.name: declared for declared in declarations}
    present = {row.name: row for row in Permission.objects.select_for_update(no_key=True)}
    installation = people.installation()
    home = "" if installation is None else installation.id
    free = max((row.index for row in present.values()), default=-1) + 1
    moved: set[str] = set()
    for name, declared in wanted.items():
        row = present.get(name)
        before = {} if row is None else _described(row)
        if before == _described(declared):
            continue
        by_row = FILE if name in MANAGEMENT else by
        if row is None:
            row = Permission(name=name, index=free, is_management=name in MANAGEMENT)
            free += 1
        row.declared_by = by_row
        if not before.get("declared"):
            moved.add(name)
        _describe(tx, home, row, before, _described(declared))
    for name, row in present.items():
        if is_all and name not in wanted and not row.is_withdrawn and row.declared_by == by:
            moved.add(name)
            before = _described(row)
            _describe(tx, home, row, before, {**before, "declared": False})
    if moved:
        _touch_sets(tx, moved)


def is_imported(name: str) -> bool:
    """Tell whether an import declares a permission."""
    return Permission.objects.filter(name=name, declared_by=IMPORT, is_withdrawn=False).exists()


def withdraw(tx: Transaction, name: str) -> None:
    """Withdraw one permission that is declared."""
    row = Permission.objects.select_for_update(no_key=True).get(name=name, is_withdrawn=False)
    installation = people.installation()
    before = _described(row)
    home = "" if installation is None else installation.id
    _describe(tx, home, row, before, {**before, "declared": False})
    _touch_sets(tx, {name})


def _described(what: Permission | Declaration) -> dict[str, Any]:
    """Return what an event says about a permission."""
    declared = isinstance(what, Declaration) or not what.is_withdrawn
    return {
        "declared": declared,
        "label": what.label,
        "description": what.description,
        "sensitivity": what.sensitivity,
    }


def _describe(
    tx: Transaction, home: str, row: Permission, before: dict[str, Any], after: dict[str, Any]
) -> None:
    row.is_withdrawn = not after["declared"]
    row.label, row.description, row.sensitivity = after["label"], after["description"], after["sensitivity"]
    row.save(force_insert=not before)
    if before.get("declared") == after["declared"]:
        event = "permission.described"
    else:
        event = "permission.declared" if after["declared"] else "permission.withdrawn"
    tx.record(event, row.name, name=row.name, organization=home, before=before, after=after)
    tx.touch(Kind.PERMISSION, row.name)


def _touch_sets(tx: Transaction, moved: Set[str]) -> None:
    """Compile anew what covers one of the permissions that came or went, and nothing else."""
    roles: dict[str, list[str]] = defaultdict(list)
    rows = Role.objects.filter(deleted_at__isnull=True)
    for organization, ident, like, own in rows.values_list("organization_id", "id", "like", "patterns"):
        native = ROLES.get(like)
        patterns = [*own, *(native.patterns if native else ())]
        if any(covered(each, moved, like == "owner") for each in patterns):
            roles[organization].append(ident)
    touching.holders(tx, roles)
    granted = Grant.objects.values_list("permission", flat=True).distinct()
    covering = [pattern for pattern in granted if covered(pattern, moved)]
    held = Grant.objects.filter(permission__in=covering).values_list("organization_id", "subject")
    for organization, subject in held.distinct():
        touching.subject(tx, organization, subject)
    if INSTALLATION.intersection(moved):
        for ident in Principal.objects.filter(is_operator=True).values_list("id", flat=True):
            tx.touch(Kind.PRINCIPAL, ident)
    in_force = in_force_everywhere()
    for ident in people.Organization.objects.values_list("id", flat=True):
        policy = in_force.get(ident, version(None)).policy
        if not moved.isdisjoint(policy.forbidden_for_service.permissions):
            tx.touch(Kind.ORGANIZATION, ident)
