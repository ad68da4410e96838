"""Which follower works on a replica, and whom it succeeds.

A follower that starts again on the same file, in the same boot, goes on for the one before: the control
plane is told whom it retires, and a running lease stays. That must be the same file. A copy of the folder,
made while the machine runs, is another replica: its follower retires nobody, and no lease goes with it.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from retinue.replica.lease import boot_id

FILE = "incarnation"
#: Device and inode: what tells a file from its copy.
Place = tuple[int, int]


def lock(folder: Path) -> int | None:
    """Lock the replica for this process; ``None`` if another follower is at work on it.

    The kernel unlocks it when the process ends, however it does.
    """
    descriptor = os.open(folder / "follower.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def place(folder: Path) -> Place | None:
    """Return which file the replica in ``folder`` is; ``None`` if there is none."""
    try:
        status = (folder / "data.mdb").stat()
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino


def predecessor(folder: Path) -> str | None:
    """Return the incarnation that worked on this very file in this boot; ``None`` if that is not known."""
    try:
        incarnation, boot, device, inode = (folder / FILE).read_text().split()
        same = boot == boot_id() and (int(device), int(inode)) == place(folder)
    except (FileNotFoundError, ValueError):
        return None
    return incarnation if same else None


def succeed(folder: Path, incarnation: str) -> None:
    """Note that ``incarnation`` works on the replica in ``folder`` from now on."""
    device, inode = place(folder) or (0, 0)
    draft = folder / f"{FILE}.new"
    draft.write_text(f"{incarnation} {boot_id()} {device} {inode}\n")
    draft.replace(folder / FILE)
