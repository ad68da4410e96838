"""Measures what access costs: a decision against permissions, groups, principals; a change of a group.

``python -m bench.access``, from the root of the repository. Everything is a ratio in one run. A change of a
group is two transactions, measured with the records and bytes that each node must fetch for them.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from retinue import authority, permission
from retinue.replica.records import (
    Change,
    Holder,
    Kind,
    Meta,
    Organization,
    Permission,
    Principal,
    Record,
    encode,
)
from retinue.replica.store import Store
from tests.server_support import django_setup

REPEATS, CALLS = 15, 2_000
#: Replicas stay open, and their folders, until the end of the run.
_KEPT: list[object] = []
HOME = Organization("org", "acme", "Acme", "enabled", ("bearer",))


def main() -> int:
    """Run all parts and print the curves."""
    print(f"{'one permission check, nanoseconds':52} {'median':>8} {'ratio':>7}")
    _curve("permissions in the account's own mask", (10, 100, 1_000), _by_permissions)
    _curve("permissions in a role that it holds", (10, 100, 1_000), _by_role)
    _curve("groups, the last of which gives it", (1, 10, 100), _by_groups)
    _curve("principals in the replica", (1_000, 100_000), _by_principals)
    _propagation()
    return 0


def _propagation() -> None:
    """Grant a permission to a group of so many members, and take it away; each in a database of its own."""
    django_setup.setup()
    print(f"\n{'a grant to a group, and its end':40} {'ms':>7} {'records':>8} {'bytes':>7}")
    for members in (1_000, 100_000):
        with (
            tempfile.TemporaryDirectory(prefix=".bench-", dir=Path.cwd()) as name,
            django_setup.database(f"sqlite:///{name}/retinue.db"),
        ):
            took, changed, size = _change_of_group(members)
        print(f"{f'  {members:,} members':40} {took:7.1f} {changed:8} {size:7}", flush=True)


def _change_of_group(members: int) -> tuple[float, int, int]:
    from retinue.server.access import actions, grant_actions, group_actions
    from retinue.server.access.models import Group
    from retinue.server.access.subjects import Subject
    from retinue.server.directory import actions as directory
    from retinue.server.ledger import feed
    from retinue.server.ledger.transaction import SYSTEM, reading, transaction
    from retinue.server.nodes.compile import Compiler

    with transaction(SYSTEM, reason="bench") as tx:
        home = directory.create_organization(tx, handle="bench", name="bench")
        actions.set_up_organization(tx, home)
        group = group_actions.create(tx, home.id, Group.GROUP, name="all of them")
    _fill(home, group, members, tx.now)
    before = feed.position().revision
    began = time.perf_counter()
    subject = Subject(group.id, "group", group.name)
    with transaction(SYSTEM, reason="bench") as tx:
        made = actions.grant(tx, subject, "report:read", organization=home.id)
    with transaction(SYSTEM, reason="bench") as tx:
        grant_actions.delete_grant(tx, home.id, made)
    took = (time.perf_counter() - began) * 1e3
    with reading():
        touched = feed.changes(feed.Touched(before + 1, "", ""), 1_000_000)
        values = Compiler().compile(each.place for each in touched)
    return took, len(touched), sum(len(value or b"") for value in values.values())


def _fill(home: Any, group: Any, members: int, now: datetime) -> None:
    """Put members into the group past the write door: a hundred thousand of them would take minutes."""
    from retinue.server.access.models import Membership
    from retinue.server.directory.models import Principal
    from retinue.server.ledger.guard import suspended_for_schema_changes

    with suspended_for_schema_changes():
        Principal.objects.bulk_create(
            (
                Principal(id=f"sa_{number}", organization=home, kind="service_account", handle=f"a{number}",
                          name="a", created_at=now, updated_at=now)
                for number in range(members)
            ),
            batch_size=2_000,
        )  # fmt: skip
        Membership.objects.bulk_create(
            (
                Membership(id=f"mem_{number}", group=group, principal_id=f"sa_{number}", granted_by="x",
                           granted_at=now)
                for number in range(members)
            ),
            batch_size=2_000,
        )  # fmt: skip


def _curve(what: str, sizes: tuple[int, ...], make: Callable[[int], Callable[[], object]]) -> None:
    first = 0.0
    for size in sizes:
        median = _time(make(size))
        first = first or median
        print(f"  {f'{size:,} {what}':50} {median:8.0f} {median / first:7.2f}")


def _time(act: Callable[[], object]) -> float:
    rounds = []
    for _ in range(REPEATS):
        began = time.perf_counter_ns()
        for _ in range(CALLS):
            act()
        rounds.append((time.perf_counter_ns() - began) / CALLS)
    return statistics.median(rounds)


def _check(principal: Principal, rows: dict[tuple[Kind, str], Record], name: str) -> Callable[[], object]:
    folder = tempfile.TemporaryDirectory(prefix="retinue-bench-")
    store = Store(Path(folder.name), writable=True, map_bytes=1 << 30)
    store.apply([Change(1, kind, key, encode(row)) for (kind, key), row in rows.items()], Meta())
    snapshot = store.snapshot()
    assert authority.refusal(snapshot, HOME, principal, name, 0) is None

    def act() -> object:
        return authority.refusal(snapshot, HOME, principal, name, 0)

    _KEPT.append((folder, store, snapshot))
    return act


def _catalogue(count: int) -> dict[tuple[Kind, str], Record]:
    return {
        (Kind.PERMISSION, f"r{index}:read"): Permission(f"r{index}:read", index) for index in range(count)
    }


def _account(**given: object) -> Principal:
    return Principal("sa_1", "service_account", "org", "bot", "Bot", "enabled", **given)  # type: ignore[arg-type]


def _by_permissions(count: int) -> Callable[[], object]:
    mask = permission.mask(range(count))
    return _check(_account(permissions=mask), _catalogue(count), f"r{count - 1}:read")


def _by_role(count: int) -> Callable[[], object]:
    rows = _catalogue(count) | {(Kind.HOLDER, "rol_1"): Holder("rol_1", permission.mask(range(count)))}
    return _check(_account(holders=("rol_1",)), rows, f"r{count - 1}:read")


def _by_groups(count: int) -> Callable[[], object]:
    rows = _catalogue(100)
    names = tuple(f"grp_{number}" for number in range(count))
    for name in names:
        rows[Kind.HOLDER, name] = Holder(name, permission.mask([99]) if name == names[-1] else b"\1")
    return _check(_account(holders=names), rows, "r99:read")


def _by_principals(count: int) -> Callable[[], object]:
    rows = _catalogue(100)
    for number in range(count):
        who = Principal(f"sa_{number}", "service_account", "org", f"b{number}", "Bot", "enabled")
        rows[Kind.PRINCIPAL, who.id] = who
    return _check(_account(permissions=permission.mask([99])), rows, "r99:read")


if __name__ == "__main__":
    sys.exit(main())
