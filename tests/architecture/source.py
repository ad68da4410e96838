"""The repository as data for the architecture tests: tracked files, modules, syntax trees."""

from __future__ import annotations

import ast
import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "retinue"
CODE_FOLDERS = ("src", "tests", "examples", "bench", "formal")
_TEXT = {
    "",
    ".cfg",
    ".conf",
    ".css",
    ".html",
    ".js",
    ".json",
    ".md",
    ".py",
    ".sh",
    ".toml",
    ".txt",
    ".yaml",
    ".yml",
}


@cache
def tracked_files() -> tuple[Path, ...]:
    """Return the files that git tracks or would track, relative to the root; all files without git."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode == 0:
        names = listed.stdout.splitlines()
        return tuple(sorted(Path(name) for name in set(names) if (ROOT / name).is_file()))
    return tuple(
        sorted(each.relative_to(ROOT) for folder in CODE_FOLDERS for each in (ROOT / folder).rglob("*.py"))
    )


@cache
def text_files() -> tuple[Path, ...]:
    """Return the tracked files that people write: no lock files, no pictures."""
    return tuple(each for each in tracked_files() if each.suffix in _TEXT and each.parts[0] != "requirements")


@cache
def python_files(*folders: str) -> tuple[Path, ...]:
    """Return the tracked Python files below ``folders``, without generated migrations."""
    return tuple(
        each
        for each in tracked_files()
        if each.suffix == ".py"
        and each.parts[0] in (folders or CODE_FOLDERS)
        and "migrations" not in each.parts
    )


@cache
def tree(path: Path) -> ast.Module:
    """Return the syntax tree of a tracked file."""
    return ast.parse((ROOT / path).read_text(), filename=str(path))


@cache
def module_name(path: Path) -> str:
    """Return the dotted name of a module of the package, given its path below the root."""
    parts = list(path.with_suffix("").parts[1:])
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path) -> set[str]:
    """Return the dotted names that a file imports, wherever; ``from a import b`` gives ``a.b``."""
    found: set[str] = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return found
