"""A file fits in the head, a function on the screen."""

from __future__ import annotations

import ast
from pathlib import Path

from tests.architecture.source import ROOT, python_files, tree

FILE_LINES = 300
FUNCTION_LINES = 40
#: What is longer, how long it may be, and why. An entry that is no longer needed fails the test.
FILE_EXCEPTIONS: dict[str, tuple[int, str]] = {
    "src/retinue/server/policies/keys.py": (480, "one table: an entry for each key of the document"),
    "src/retinue/proof.py": (420, "one file that others copy and run alone"),
    "src/retinue/usage.py": (460, "writer and reader of one file format, read side by side"),
    "src/retinue/replica/records.py": (305, "one table: the records of a replica"),
    "src/retinue/node/http.py": (360, "one connection and its states; neither half could be judged alone"),
    "tests/storage/test_feed_poll.py": (340, "one protocol, its rules in order"),
    "tests/storage/test_compile.py": (340, "one table of records, kind by kind"),
}
FUNCTION_EXCEPTIONS: dict[str, tuple[int, str]] = {
    "tests/node/world.py:_changes": (50, "the records of a whole small world, one after the other"),
}
FORBIDDEN_NAMES = {"utils", "util", "helpers", "helper", "manager", "managers", "common", "misc"}


def _file_lengths() -> dict[str, int]:
    return {str(path): len((ROOT / path).read_text().splitlines()) for path in python_files()}


def _length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """The lines of a function's body, without signature and docstring: those declare, they do not do."""
    first = node.body[0]
    documented = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    body = node.body[1:] if documented else node.body
    return (node.end_lineno or node.lineno) - body[0].lineno + 1 if body else 0


def _function_lengths() -> dict[str, int]:
    return {
        f"{path}:{node.name}": _length(node)
        for path in python_files()
        for node in ast.walk(tree(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }


def _over(lengths: dict[str, int], limit: int, exceptions: dict[str, tuple[int, str]]) -> dict[str, int]:
    return {name: lines for name, lines in lengths.items() if lines > exceptions.get(name, (limit, ""))[0]}


def test_files_fit_in_the_head() -> None:
    """
    No file is longer than the budget, or it is listed with a reason.
    """
    assert {} == _over(_file_lengths(), FILE_LINES, FILE_EXCEPTIONS)


def test_functions_fit_on_the_screen() -> None:
    """
    No function is longer than the budget, or it is listed with a reason.
    """
    assert {} == _over(_function_lengths(), FUNCTION_LINES, FUNCTION_EXCEPTIONS)


def test_exceptions_are_still_needed() -> None:
    """
    An exception that nothing uses any more is removed.
    """
    files, functions = _file_lengths(), _function_lengths()
    unused = [name for name in FILE_EXCEPTIONS if files.get(name, 0) <= FILE_LINES]
    unused += [name for name in FUNCTION_EXCEPTIONS if functions.get(name, 0) <= FUNCTION_LINES]

    assert [] == unused


def test_modules_are_named_for_what_they_hold() -> None:
    """
    No module is a drawer for anything.
    """
    assert [] == [
        str(path) for path in python_files() if FORBIDDEN_NAMES & set(Path(path).with_suffix("").parts)
    ]
