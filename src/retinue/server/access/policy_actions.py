"""Access policies: rules that become grants. Who matches has what they give, as long as it matches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from retinue.server.access import conditions, subjects, touching
from retinue.server.access.approving import check_approver
from retinue.server.access.handing import Handing
from retinue.server.access.models import AccessPolicy
from retinue.server.access.role_actions import check_description
from retinue.server.directory import rules as names
from retinue.server.directory.rules import fold
from retinue.server.errors import NotFound, Refused
from retinue.server.ids import new_id
from retinue.server.ledger.transaction import Transaction

SUBJECTS_MAX = 1_000
#: What may be changed of an access policy; its roles and grants are handed to it like to anybody.
FIELDS = (
    "name", "description", "match", "conditions", "subjects", "add_subjects", "remove_subjects",
    "enabled", "locked",
)  # fmt: skip
_WHO = frozenset({"match", "conditions", "subjects", "is_enabled"})


def find(organization: str, ident: str) -> AccessPolicy:
    """Return an access policy of an organization by id. Raises :class:`NotFound`."""
    found = AccessPolicy.objects.filter(
        organization_id=organization, id=ident, deleted_at__isnull=True
    ).first()
    if found is None:
        raise NotFound("access policy", ident)
    return found


def create(
    tx: Transaction,
    organization: str,
    *,
    name: str,
    description: str = "",
    match: str = "all",
    stated: Sequence[Any] = (),
    named: Sequence[str] = (),
    enabled: bool = True,
) -> AccessPolicy:
    """Create an access policy. It gives nothing until roles or permissions are granted to it."""
    Handing.begin(tx, organization)
    row = AccessPolicy(
        id=new_id("acp"),
        organization_id=organization,
        is_enabled=enabled,
        created_at=tx.now,
        created_by=tx.actor.id,
        updated_at=tx.now,
    )
    fill(
        row,
        {"name": name, "description": description, "match": match, "conditions": stated, "subjects": named},
    )
    _check_free(row)
    row.save(force_insert=True)
    tx.record(
        "access_policy.created", row.id, name=row.name, organization=organization, after=stated_policy(row)
    )
    touching.holder(tx, organization, [row.id])
    touching.moved_principals(tx, None, subjects.rule_of_policy(row) if enabled else None)
    return row


def update(
    tx: Transaction, row: AccessPolicy, changes: dict[str, Any], justification: str = ""
) -> AccessPolicy:
    """Change an access policy. Nobody gains by it what the actor may not hand out.

    What is elevated waits, the whole policy with it, until a second person approves.
    """
    handing = Handing.begin(tx, row.organization_id, justification)
    row = find(row.organization_id, row.id)
    if row.is_locked and changes != {"locked": False}:
        raise Refused("locked", f"{row.name} is locked; unlock it first", field="locked")
    before, was = stated_policy(row), subjects.rule_of_policy(row)
    in_force = _in_force(row)
    groups = touching.taken_in_groups(row.organization_id, [row.id])
    fill(row, changes)
    _check_free(row)
    after = stated_policy(row)
    changed = [name for name in after if after[name] != before[name]]
    if not changed:
        return row
    row.updated_at = tx.now
    row.save()
    if _WHO & set(changed) and row.is_enabled:
        _ask_anew(handing, row)
    tx.record(
        "access_policy.updated",
        row.id,
        name=row.name,
        organization=row.organization_id,
        before={name: before[name] for name in changed},
        after={name: after[name] for name in changed} | {"pending_by": row.pending_by},
    )
    touching.holder(tx, row.organization_id, [row.id, *groups])
    touching.moved_principals(
        tx, was if in_force else None, subjects.rule_of_policy(row) if _in_force(row) else None
    )
    return row


def _ask_anew(handing: Handing, row: AccessPolicy) -> None:
    """Decide about a policy that takes in others, or is enabled: refuse it, or let it wait.

    What waits already is asked about once more, by who asked: what somebody else adds to it would be approved
    by the one of the two who did not ask for that.
    """
    if row.pending_by not in ("", handing.tx.actor.id):
        raise Refused(
            "state_conflict",
            f"{row.name} waits for a second person: approve it, disable it or delete it first",
            field="policy_id",
        )
    # Only what is in force gives anything, so that it is looked at as if it were.
    row.pending_by = ""
    row.save()
    terms = handing.terms(
        handing.parts_of(row.id), to_service=handing.reaches_service(row.id), field="conditions"
    )
    if terms.is_pending:
        row.pending_by = handing.tx.actor.id
        row.save()


def approve(tx: Transaction, row: AccessPolicy, justification: str = "") -> AccessPolicy:
    """Put a policy in force that waits for a second person. Refuses who changed it."""
    handing = Handing.begin(tx, row.organization_id, justification or "approval")
    row = find(row.organization_id, row.id)
    check_approver(tx, bool(row.pending_by), row.pending_by, "")
    before, row.pending_by = {"pending_by": row.pending_by}, ""
    row.save()
    handing.terms(handing.parts_of(row.id), to_service=handing.reaches_service(row.id), field="policy_id")
    tx.record(
        "access_policy.approved",
        row.id,
        name=row.name,
        organization=row.organization_id,
        before=before,
        after={"pending_by": "", "approved_by": tx.actor.id},
    )
    touching.holder(tx, row.organization_id, [row.id])
    touching.moved_principals(tx, None, subjects.rule_of_policy(row) if row.is_enabled else None)
    return row


def delete(tx: Transaction, row: AccessPolicy) -> AccessPolicy:
    """Delete an access policy: whom it matched has nothing by it any more."""
    Handing.begin(tx, row.organization_id)
    row = find(row.organization_id, row.id)
    if row.is_locked:
        raise Refused("locked", f"{row.name} is locked; unlock it first", field="policy_id")
    before, was = stated_policy(row), subjects.rule_of_policy(row)
    groups = touching.taken_in_groups(row.organization_id, [row.id])
    in_force = _in_force(row)
    row.deleted_at = row.updated_at = tx.now
    row.save()
    tx.record("access_policy.deleted", row.id, name=row.name, organization=row.organization_id, before=before)
    touching.holder(tx, row.organization_id, [row.id, *groups])
    touching.moved_principals(tx, was if in_force else None, None)
    return row


def fill(row: AccessPolicy, changes: dict[str, Any]) -> None:
    """Set fields as a caller states them. Refuses what is none, or names what is not there."""
    if "name" in changes:
        row.name = names.check_name(changes["name"])
        row.name_folded = fold(row.name)
    if "description" in changes:
        row.description = check_description(changes["description"])
    if "match" in changes:
        if changes["match"] not in ("all", "any"):
            raise Refused("invalid_value", "all or any", field="match")
        row.match = changes["match"]
    if "conditions" in changes:
        row.conditions = conditions.parse(changes["conditions"])
    if "subjects" in changes:
        row.subjects = _subjects(row.organization_id, changes["subjects"])
    _move_subjects(row, changes)
    if "enabled" in changes:
        row.is_enabled = changes["enabled"]
    if "locked" in changes:
        row.is_locked = changes["locked"]


def _move_subjects(row: AccessPolicy, changes: dict[str, Any]) -> None:
    """Name others besides, and some not any more, whatever the list is by now."""
    more, less = changes.get("add_subjects") or (), changes.get("remove_subjects") or ()
    if (more or less) and "subjects" in changes:
        raise Refused("invalid_value", "the whole list, or what is added and removed", field="subjects")
    # What is named may be gone by now: it is taken out by its id.
    gone = {each for each in less if each in row.subjects}
    gone |= set(
        _subjects(row.organization_id, [each for each in less if each not in gone], "remove_subjects")
    )
    kept = [each for each in row.subjects if each not in gone]
    if more:
        kept += [each for each in _subjects(row.organization_id, more, "add_subjects") if each not in kept]
    if len(kept) > SUBJECTS_MAX:
        raise Refused("invalid_value", f"at most {SUBJECTS_MAX}; use a group", field="add_subjects")
    row.subjects = kept


def _subjects(organization: str, named: Sequence[str], field: str = "subjects") -> list[str]:
    if len(named) > SUBJECTS_MAX:
        raise Refused("invalid_value", f"at most {SUBJECTS_MAX}; use a group", field=field)
    found = []
    for place, text in enumerate(dict.fromkeys(named)):
        subject = subjects.find(organization, text, f"{field}.{place}")
        if subject.kind not in conditions.KINDS:
            raise Refused("invalid_value", "a principal, group or team", field=f"{field}.{place}")
        found.append(subject.id)
    return found


def stated_policy(row: AccessPolicy) -> dict[str, Any]:
    """Return what an event says about an access policy."""
    return {
        "name": row.name,
        "description": row.description,
        "match": row.match,
        "conditions": row.conditions,
        "subjects": row.subjects,
        "is_enabled": row.is_enabled,
        "is_locked": row.is_locked,
    }


def _in_force(row: AccessPolicy) -> bool:
    return row.is_enabled and not row.pending_by


def _check_free(row: AccessPolicy) -> None:
    taken = AccessPolicy.objects.filter(
        organization_id=row.organization_id, name_folded=row.name_folded, deleted_at__isnull=True
    ).exclude(id=row.id)
    if taken.exists():
        raise Refused("duplicate_name", f"there is an access policy {row.name!r} already", field="name")
