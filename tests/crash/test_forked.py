"""The control plane's workers are forked: what the process before them has open is open in each of them."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from tests.support.installation import start_retinue
from tests.support.processes import children, wait_for
from tests.support.requirements import requires

pytestmark = requires("postgres")


def test_workers_share_no_connection_to_the_database(postgres_url: str, tmp_path: Path) -> None:
    """
    Only the process that serves is connected with PostgreSQL. Were its parent too, a worker that is killed
    would leave its open transaction behind, and the next one would commit it as its own.
    """
    port = urlsplit(postgres_url).port or 0
    with start_retinue(tmp_path / "home", RETINUE_DATABASE_URL=postgres_url) as running:
        assert running.process is not None
        (control,) = [pid for pid in children(running.process.pid) if _is_control(pid)]
        wait_for("a worker is connected", lambda: any(_connections(pid, port) for pid in children(control)))

        assert 0 == _connections(control, port)


def _is_control(pid: int) -> bool:
    return b"retinue.server" in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")


def _connections(pid: int, port: int) -> int:
    """Return how many connections to ``port`` a process has open."""
    rows = [line.split() for line in Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]]
    there = {f"socket:[{row[9]}]" for row in rows if int(row[2].rpartition(":")[2], 16) == port}
    opened = [str(each.readlink()) for each in Path(f"/proc/{pid}/fd").iterdir() if each.is_symlink()]
    return sum(name in there for name in opened)
