"""Who may import whom. The contracts stand in pyproject.toml; what they cannot say stands here."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tests.architecture.source import ROOT, imports, module_name, python_files

LIGHT = ("token", "pepper", "permission", "decision", "replica", "verifier", "usage", "problem")
LIGHT_MAY_USE = {"msgspec": "the wire format of records", "lmdb": "the replica"}
SUPERVISOR_MAY_USE: dict[str, str] = {}


def test_import_contracts_are_kept() -> None:
    """
    The import contracts of the house hold.
    """
    program = Path(sysconfig.get_path("scripts")) / "lint-imports"
    done = subprocess.run([str(program)], cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]


def _foreign(path: Path) -> set[str]:
    roots = {name.partition(".")[0] for name in imports(path)}
    return roots - set(sys.stdlib_module_names) - {"retinue", "__future__"}


def _package_part(path: Path) -> str:
    name = module_name(path)
    return name.split(".")[1] if "." in name else ""


@pytest.mark.parametrize("part", LIGHT)
def test_light_part_uses_the_standard_library_msgspec_and_lmdb_only(part: str) -> None:
    """
    What a host loads in its own process depends on nothing but msgspec and lmdb.
    """
    files = [path for path in python_files("src") if _package_part(path) == part]

    assert files
    assert {path: _foreign(path) - LIGHT_MAY_USE.keys() for path in files} == {path: set() for path in files}


def test_supervisor_uses_the_standard_library_only() -> None:
    """
    The supervisor outlives everything that it starts, so it depends on nothing that could break it.
    """
    assert _foreign(Path("src/retinue/supervisor.py")) == SUPERVISOR_MAY_USE.keys()


def _app(path: Path) -> str:
    return path.parts[3]


def test_models_are_imported_by_their_own_app_only() -> None:
    """
    Other apps reach rows through an app's actions and queries, never through its models.
    """
    broken = []
    for path in python_files("src"):
        if path.parts[2:3] != ("server",):
            continue
        for name in imports(path):
            parts = name.split(".")
            if parts[:2] == ["retinue", "server"] and "models" in parts[3:4] and parts[2] != _app(path):
                broken.append(f"{path} imports {name}")

    assert broken == []
