"""Databases of tests in memory: what a run that was killed left there goes with the next one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.support import memory

MAKE = """
import os, signal, sys, tempfile
from pathlib import Path
from tests.support import memory
memory._above = lambda: sys.argv[1]
made = memory.folder("retinue-database-")
(made / "db.sqlite3").write_text("rows")
print(made, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_process_left_is_swept(tmp_path: Path) -> None:
    """
    The folder of a process that was killed goes; that of one that lives, and whatever has another name, stays.
    """
    killed = subprocess.run([sys.executable, "-c", MAKE, str(tmp_path)], capture_output=True, text=True)
    left = Path(killed.stdout.strip())
    mine = tmp_path / f"retinue-pg-p{os.getpid()}-abc"
    other = tmp_path / "retinue-pg-of-somebody"
    mine.mkdir()
    other.mkdir()
    assert (left / "db.sqlite3").exists(), killed.stderr

    memory.sweep(tmp_path)

    assert {mine, other} == set(tmp_path.iterdir())
