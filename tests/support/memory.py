"""Where databases of tests live: in memory, where the machine has room for that.

What they are asked to write through to the disk is then written at once: most of the time of these suites went
there. What is asked is the same, and a process that is killed leaves the same behind. Only a power cut would not.
What stays of a process that was killed is removed by the next one that makes a folder.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from functools import cache
from pathlib import Path

_MEMORY = Path("/dev/shm")  # noqa: S108  (of a random name below, for this user alone)
#: All databases of one run are smaller.
_ROOM = 4 * 1024**3
#: Each folder names the process that made it.
_MADE = re.compile(r"retinue-[a-z-]+-p(\d+)-\w+")


@cache
def _above() -> str | None:
    fits = (
        os.path.ismount(_MEMORY) and os.access(_MEMORY, os.W_OK) and shutil.disk_usage(_MEMORY).free > _ROOM
    )
    return str(_MEMORY) if fits else None


def folder(prefix: str) -> Path:
    """Make a new folder, in memory if there is room. The caller removes it."""
    above = _above()
    if above is not None:
        sweep(Path(above))
    return Path(tempfile.mkdtemp(prefix=f"{prefix}p{os.getpid()}-", dir=above))


def sweep(above: Path) -> None:
    """Remove the folders below ``above`` that processes have made which are gone."""
    for each in above.iterdir():
        made = _MADE.fullmatch(each.name)
        if made is not None and not Path(f"/proc/{made[1]}").exists():
            shutil.rmtree(each, ignore_errors=True)
