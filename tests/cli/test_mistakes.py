"""What a mistyped command line is told: the closest match, and the help that explains the command."""

from __future__ import annotations

import pytest

from retinue.cli.exits import Exit
from tests.cli.conftest import Run


@pytest.mark.parametrize(
    ("line", "suggested", "explained"),
    [
        ("acount list", '"account"', "retinue --help"),
        ("key isue etl", '"issue"', "retinue key --help"),
        ("account list --stat enabled", "--state", "retinue account list --help"),
        ("account list --output jsn", '"json"', "retinue account list --help"),
        ("sa create", "NAME requires an argument", "retinue sa create --help"),
        ("verify --fle token", "--file", "retinue verify --help"),
        ("serve --prot 1", "--port", "retinue serve --help"),
        ("init --organisation acme", "--organization", "retinue init --help"),
    ],
)
def test_mistyped_word(line: str, suggested: str, explained: str, run: Run) -> None:
    """A mistyped word is answered with the one that was meant, and with the help of that very command."""
    outcome = run(*line.split())

    assert (Exit.USAGE, "") == (outcome.code, outcome.out)
    assert suggested in outcome.err
    assert f"  try: {explained}\n" in outcome.err
