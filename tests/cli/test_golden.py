"""Golden files: what every command prints, in each of the two forms, and every help text.

``RETINUE_UPDATE_GOLDEN=1`` writes them anew; the change is then seen in review.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from tests.cli.commands import COMMANDS, TREE
from tests.cli.conftest import Run

GOLDEN = Path(__file__).parent / "golden"


# Read when the module is loaded: the fixture of the commands clears the variables of the product.
_UPDATE = bool(os.environ.get("RETINUE_UPDATE_GOLDEN"))


def expected(name: str, actual: str) -> str:
    """Return the golden text of ``name``, which is ``actual`` when golden files are written anew."""
    path = GOLDEN / name
    if _UPDATE:
        path.write_text(actual)
    return path.read_text()


@pytest.mark.parametrize("name", COMMANDS)
def test_json_is_a_contract(name: str, run: Run) -> None:
    """`-o json` prints one JSON document, the same as in the release before."""
    outcome = run(*COMMANDS[name], "-o", "json")

    assert (0, expected(f"{name}.json", outcome.out)) == (outcome.code, outcome.out)
    assert isinstance(json.loads(outcome.out), dict)


@pytest.mark.parametrize("name", COMMANDS)
def test_table_and_talk(name: str, run: Run) -> None:
    """`-o table` prints the table for people, and the talk stands beside it, not in it."""
    outcome = run(*COMMANDS[name], "-o", "table")
    text = f"{outcome.out}--- talk\n{outcome.err}"

    assert (0, expected(f"{name}.table", text)) == (outcome.code, text)


@pytest.mark.parametrize("words", TREE, ids=lambda words: "-".join(words) or "retinue")
def test_help(words: tuple[str, ...], run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each command explains itself, in words that change only on purpose."""
    from retinue.cli.app import app

    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    # A command keeps the console that it printed to first, and with it the width of that day.
    monkeypatch.setattr(app, "_console", Console(width=100))

    outcome = run(*words, "--help")

    name = "-".join(words) or "retinue"
    assert (0, expected(f"help-{name}.txt", outcome.out)) == (outcome.code, outcome.out)


def test_program_of_its_own() -> None:
    """As a program of its own it prints the same as in the process of the tests."""
    environment = {"PATH": os.environ["PATH"], "COLUMNS": "100", "LC_ALL": "C.UTF-8"}
    argv = [sys.executable, "-m", "retinue.cli", "--help"]

    process = subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=180)

    assert (0, (GOLDEN / "help-retinue.txt").read_text()) == (process.returncode, process.stdout)


@pytest.mark.parametrize("topic", ["environment", "exit-codes", "formats", "auth", "config"])
def test_topics(topic: str, run: Run) -> None:
    """The help topics say what is the same in every command."""
    outcome = run("help", topic)

    assert (0, expected(f"topic-{topic}.txt", outcome.out)) == (outcome.code, outcome.out)
