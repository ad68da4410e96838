"""Django for tests: one throwaway ``RETINUE_HOME``, and a database of either kind, migrated once.

Import this module before anything of ``retinue.server`` that needs settings. Each test makes its own
organization, so tests share a database and never see each other's objects.
"""

from __future__ import annotations

import atexit
import importlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

VARIABLE = "RETINUE_TEST_DATABASE"
KINDS = ("sqlite", "postgresql")
ORGANIZATION = "installation"
PERMISSIONS = """\
permissions:
  - name: report:read
  - name: report:write
  - name: report:export
"""


def kinds() -> tuple[str, ...]:
    """Return the kinds of databases to test on: both, or the one that ``RETINUE_TEST_DATABASE`` names."""
    wanted = os.environ.get(VARIABLE)
    if wanted is not None and wanted not in KINDS:
        raise ValueError(f"{VARIABLE}: one of {', '.join(KINDS)}, not {wanted!r}")
    return KINDS if wanted is None else (wanted,)


@cache
def setup() -> Path:
    """Make ``RETINUE_HOME`` and set Django up. Returns the folder; it is removed when the run ends."""
    home = Path(tempfile.mkdtemp(prefix="retinue-test-"))
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    for name in [name for name in os.environ if name.startswith("RETINUE_") and "TEST" not in name]:
        del os.environ[name]
    os.environ["RETINUE_HOME"] = str(home)
    os.environ["DJANGO_SETTINGS_MODULE"] = "retinue.server.settings"
    from retinue.server.home import prepare

    prepare(home, home / "pepper", home / "ledger-key")
    (home / "permissions.yaml").write_text(PERMISSIONS)
    import django

    django.setup()
    # As where it is served: a call's own time is for its work, not for loading the program.
    importlib.import_module("retinue.server.urls")
    return home


@contextmanager
def database(url: str) -> Iterator[None]:
    """Make the database at ``url`` Django's own, migrated, with the installation's organization in it."""
    setup()
    from django.db import connections

    from retinue.server.installation import Installation

    chosen = Installation.from_environment({**os.environ, "RETINUE_DATABASE_URL": url}).database
    settings = connections.settings
    before = settings["default"]
    _close()
    settings["default"] = connections.configure_settings({"default": chosen})["default"]
    try:
        _fill()
        yield
    finally:
        _close()
        settings["default"] = before


def _close() -> None:
    """End this thread's connection, and the pool that it came from."""
    from django.db import connections

    if not hasattr(connections["default"], "close_pool"):
        connections["default"].close()
    else:
        connections["default"].close()
        connections["default"].close_pool()
    del connections["default"]


def _fill() -> None:
    from retinue.server import catalogue, schema
    from retinue.server.access import actions as access
    from retinue.server.directory import actions as directory
    from retinue.server.ledger.transaction import SYSTEM, transaction

    schema.migrate()
    with transaction(SYSTEM, reason="test") as tx:
        made = directory.create_organization(tx, handle=ORGANIZATION, name=ORGANIZATION, is_installation=True)
        access.declare(tx, catalogue.declared())
        access.set_up_organization(tx, made)
