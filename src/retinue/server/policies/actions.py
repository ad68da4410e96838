"""What can be done to a policy: begin with a preset, and replace the document by another version."""

from __future__ import annotations

from collections.abc import Callable

from retinue.replica.records import ANY, Kind
from retinue.server.errors import Refused
from retinue.server.ids import new_id
from retinue.server.ledger.transaction import Transaction
from retinue.server.policies import queries, rules
from retinue.server.policies.models import Standing, Version
from retinue.server.policies.presentations import presentations
from retinue.server.policies.rules import Compiled, Document

#: Under this name a transaction keeps the lease that was in force before it changed a policy, in seconds.
LEASE_BEFORE = "lease_before"
#: Looks at a change before it is committed, with the head locked; raises :class:`Refused` to stop it.
Look = Callable[[str, Compiled, Compiled], None]
_looks: list[Look] = []


def before_change(look: Look) -> None:
    """Ask ``look(organization, before, after)`` about each change, when no other one can come between."""
    if look not in _looks:
        _looks.append(look)


#: Does what follows from a change in other tables, in its transaction.
Act = Callable[[Transaction, str, Compiled, Compiled], None]
_acts: list[Act] = []


def with_change(act: Act) -> None:
    """Call ``act(tx, organization, before, after)`` inside each change, while it may still write."""
    if act not in _acts:
        _acts.append(act)


def start(tx: Transaction, organization_id: str, preset: str) -> Version:
    """Give a new organization its first version. Its creation says so: there is no event of its own."""
    document = Document(preset=preset)
    rules.compiled(document)
    return _write(tx, organization_id, 1, document, ())


def change(
    tx: Transaction,
    organization_id: str,
    make: Callable[[Document], Document],
    *,
    expected: int | None = None,
) -> Version:
    """Put the document that ``make`` makes of the present one in force; says nothing where nothing changes.

    ``expected`` is the number of the version that the caller has seen. Refuses a document that breaks a rule,
    and one that was made from another version than the present one.
    """
    present = queries.standing_row(organization_id, lock=True)
    number = 0 if present is None else present.number
    check_expected(number, expected)
    before = queries.version("" if present is None else present.id)
    after = rules.compiled(make(before.document))
    if present is not None and after.document == before.document:
        return present
    made = _write(tx, organization_id, number + 1, after.document, rules.changed(before, after))
    tx.kept["policy", organization_id] = made.id
    tx.kept[LEASE_BEFORE, organization_id] = str(before.policy.freshness_lease_seconds)
    tx.record(
        "policy.changed",
        organization_id,
        name=f"version {made.number}",
        organization=organization_id,
        before={"version": number, **before.document.stated()},
        after={"version": made.number, **after.document.stated()},
    )
    tx.touch(Kind.ORGANIZATION, organization_id)
    if presentations(before.policy) != presentations(after.policy):
        tx.touch(Kind.SCHEMES, ANY)
    for act in _acts:
        act(tx, organization_id, before, after)
    tx.at_revision(lambda revision: _look(organization_id, before, after))
    return made


def check_expected(number: int, expected: int | None) -> None:
    """Refuse a change that was made from another version than the present one."""
    if expected is not None and expected != number:
        raise Refused(
            "state_conflict",
            f"the policy is at version {number}, not {expected}: read it again",
            field="version",
        )


def _look(organization_id: str, before: Compiled, after: Compiled) -> None:
    for look in _looks:
        look(organization_id, before, after)


def _write(
    tx: Transaction, organization_id: str, number: int, document: Document, changed: tuple[str, ...]
) -> Version:
    made = Version.objects.create(
        id=new_id("pol"),
        organization=organization_id,
        number=number,
        document=document.stated(),
        changed=list(changed),
        reason=tx.reason[:1024],
        created_at=tx.now,
        created_by=tx.actor.id,
    )
    lease = queries.version(made.id).policy.freshness_lease_seconds
    stands = {"version": made, "lease_seconds": lease}
    Standing.objects.update_or_create(organization=organization_id, defaults=stands)
    return made
