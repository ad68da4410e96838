"""A real nginx with the configuration of ``examples/nginx``, on ports of the test's own."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.processes import end_with_parent, free_port, status_of, stop, wait_for
from tests.support.requirements import nginx_program

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "nginx"


@contextmanager
def start_nginx(
    folder: Path, *, node_port: int, application_port: int, caller: Path | None = None
) -> Iterator[str]:
    """Start nginx as the example says, with other ports; yields its base URL and stops it by its id.

    ``caller`` stands in the place of the example's ``retinue_caller.conf``.
    """
    program = nginx_program()
    if program is None:
        raise FileNotFoundError("nginx")
    port = free_port()
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(EXAMPLE / "retinue_protect.conf", folder)
    shutil.copy(caller or EXAMPLE / "retinue_caller.conf", folder / "retinue_caller.conf")
    text = (EXAMPLE / "nginx.conf").read_text()
    for documented, own in ((8480, port), (8471, node_port), (8472, application_port)):
        address = f" 127.0.0.1:{documented};"
        if text.count(address) != 1:
            raise AssertionError(f"the example names{address} not exactly once")
        text = text.replace(address, f" 127.0.0.1:{own};")
    (folder / "nginx.conf").write_text(text)
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [program, "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", "stderr"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            preexec_fn=end_with_parent(),
        )
    url = f"http://127.0.0.1:{port}"
    try:
        wait_for("nginx answers", lambda: status_of(f"{url}/") == 404 or process.poll() is not None)
        if process.poll() is not None:
            raise RuntimeError((folder / "log").read_text())
        yield url
    finally:
        stop(process)
