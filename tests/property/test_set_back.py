"""A follower whose control plane is set back to a backup within an epoch, while it loads or catches up."""

from __future__ import annotations

import pytest

from retinue.replica.records import Kind
from tests.property.control import Control
from tests.property.hosts import Host, commit
from tests.unit.replicas import content


def test_a_history_that_is_set_back_in_the_middle_of_a_snapshot_is_loaded_anew() -> None:
    """
    A backup comes back, in the same epoch, while pages are loaded: the second page holds what the control plane
    does not know any more. The replica is not complete until all of it is that of the backup; and it becomes so
    though nothing more is ever committed.
    """
    control = Control(limit=2)
    commit(control, {(Kind.HOLDER, name): 1 for name in ("a", "b", "c")})
    control.compact()
    backup, revision, log = dict(control.rows), control.revision, list(control.log)
    host = Host(control)
    host.step()  # it learns that it needs a snapshot, and loads the first page
    commit(control, {(Kind.HOLDER, "c"): 2})
    commit(control, {(Kind.HOLDER, "d"): 1})
    while content(host.store)[1].snapshot_after:
        host.step()
    mixed = content(host.store)[0]
    control.rows, control.revision, control.log = backup, revision, log
    found = []
    for _ in range(8):
        host.step()
        found.append(content(host.store))

    assert backup != mixed
    assert all(backup == held for held, meta in found if meta.complete)
    assert (backup, True) == (found[-1][0], found[-1][1].complete)
    host.remove()


@pytest.mark.parametrize("by", ["page", "answer"])
def test_a_history_that_was_set_back_and_went_on_is_found_by_its_mark(by: str) -> None:
    """
    Records of a later revision came with a page, or with an answer that did not lead there; then a backup comes
    back in the same epoch, and its head passes that number. The node names the mark of what it has seen: the
    epoch is raised, and in the end it holds what stands there, with nothing of what was lost.
    """
    control = Control(limit=2)
    commit(control, {(Kind.HOLDER, name): 1 for name in ("a", "b", "c")})
    host = Host(control)
    if by == "page":
        control.compact()
    host.step()  # it learns that it needs a snapshot, and loads the first page; or it has a part of revision 1
    if by == "answer":
        while not content(host.store)[1].complete:
            host.step()
        for name in ("a", "b"):
            commit(control, {(Kind.HOLDER, name): 2})
    backup = dict(control.rows), control.revision
    for name in ("a", "c", "d"):
        commit(control, {(Kind.HOLDER, name): 3})
    host.step()
    while content(host.store)[1].snapshot_after:
        host.step()
    newest = content(host.store)[1].newest_head
    control.set_back(*backup)
    for number in range(3):
        commit(control, {(Kind.HOLDER, "e"): number})
    for _ in range(9):
        host.step()
    held, meta = content(host.store)

    assert control.revision >= newest > backup[1]
    assert (control.rows, True, 2) == (held, meta.complete, control.epoch)
    host.remove()
