"""Full disks. A file system of its own for each machine where the kernel allows it, a limit of files elsewhere."""

from __future__ import annotations

import ctypes
import os
import resource
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Protocol

_CLONE_NEWNS = 0x00020000
_WIDE, _PAGE = "8g", 4096
_libc = ctypes.CDLL(None, use_errno=True)


class Disk(Protocol):
    """The disk of one machine."""

    def fill(self) -> None:
        """Leave no room."""

    def is_full(self) -> bool:
        """Tell, by looking from outside, whether there is no room."""

    def free(self) -> None:
        """Make room again."""


class Mounted:
    """A small file system in memory, seen by this thread and what it starts; it goes with them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(mode=0o700, exist_ok=True)
        _mount("-t", "tmpfs", "-o", f"size={_WIDE},mode=0700", "tmpfs", str(folder))

    def fill(self) -> None:
        """Take away what is not used yet; again, if something was freed or taken meanwhile."""
        for _ in range(100):
            now = os.statvfs(self._folder)
            used = (now.f_blocks - now.f_bfree) * now.f_frsize
            with suppress(subprocess.CalledProcessError):  # more is used by now
                _mount("-o", f"remount,size={max(used, _PAGE)}", str(self._folder))
            if self.is_full():
                return

    def is_full(self) -> bool:
        """Tell whether no block is free."""
        return os.statvfs(self._folder).f_bfree == 0

    def free(self) -> None:
        """Make it wide again."""
        _mount("-o", f"remount,size={_WIDE}", str(self._folder))


class Limited:
    """No process of the machine may write a file beyond its first page."""

    def __init__(self, pids: Callable[[], list[int]]) -> None:
        self._pids = pids
        self._hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]

    def fill(self) -> None:
        """Limit all its processes."""
        self._limit(_PAGE)

    def is_full(self) -> bool:
        """Tell whether all are limited."""
        pids = self._pids()
        return bool(pids) and all(resource.prlimit(pid, resource.RLIMIT_FSIZE)[0] == _PAGE for pid in pids)

    def free(self) -> None:
        """Lift it from all that are there now."""
        self._limit(self._hard)

    def _limit(self, most: int) -> None:
        for pid in self._pids():
            with suppress(ProcessLookupError):
                resource.prlimit(pid, resource.RLIMIT_FSIZE, (most, self._hard))


#: The namespaces of mounts that were made here.
_OWN: set[Path] = set()


def disk(folder: Path, pids: Callable[[], list[int]]) -> Disk:
    """Give a machine whose files are in ``folder``, which is empty, a disk. Call it on the thread that starts it."""
    if _has_own_mounts():
        with suppress(subprocess.CalledProcessError):
            return Mounted(folder)
    folder.mkdir(mode=0o700, exist_ok=True)
    return Limited(pids)


def _has_own_mounts() -> bool:
    """See to it that what this thread mounts is seen by nobody else."""
    if os.geteuid() != 0:
        return False
    mounts = Path("/proc/thread-self/ns/mnt")
    if mounts.readlink() in _OWN:
        return True
    if _libc.unshare(_CLONE_NEWNS) != 0:
        return False
    with suppress(subprocess.CalledProcessError):
        _mount("--make-rprivate", "/")
        _OWN.add(mounts.readlink())
        return True
    return False


def _mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True, capture_output=True)
