"""The hot path does not grow unseen: its instructions are counted, and more of them need a reason."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bench import instructions
from bench.hot import MEASURES
from tests.support.requirements import requires

BUILD = instructions.build()
FIGURES = {"decision": 1000.0, "http": 2000.0, "reference": 100.0}


@requires("valgrind")
def test_nothing_has_grown_without_a_reason() -> None:
    """
    Counted now, and held against the last entry of this build, or against the source that was recorded last.
    """
    worse, against = instructions.check(instructions.count())

    assert [] == worse, f"held against {against}; if it has to be: make instructions REASON='...'"


def test_each_entry_has_a_reason() -> None:
    """
    And all measures that there were then; the last one has those of now. What is more than before is explained
    by a sentence.
    """
    entries = instructions.entries()
    assert set(MEASURES) == set(entries[-1]["figures"])
    for each in entries:
        assert {"decision", "reference"} <= set(each["figures"]) <= set(MEASURES)
        assert len(each["reason"].split()) >= 3, each
        assert each["date"]
        assert each["build"]


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file with one entry of this build."""
    path = tmp_path / "instructions.json"
    monkeypatch.setattr(instructions, "FILE", path)
    instructions.record(FIGURES, "A first count.")
    return path


def with_build(file: Path, build: str) -> None:
    """Let the entries be those of another build."""
    document = json.loads(file.read_text())
    for each in document["entries"]:
        each["build"] = build
    file.write_text(json.dumps(document))


@pytest.mark.parametrize(("decision", "worse"), [(1000.0, 0), (1029.0, 0), (1031.0, 1), (500.0, 0)])
def test_three_in_a_hundred(file: Path, decision: float, worse: int) -> None:
    """
    Is the limit, measure by measure; less is never an error.
    """
    found, against = instructions.check(FIGURES | {"decision": decision})

    assert worse == len(found)
    assert BUILD in against


def test_a_recorded_reason_makes_room(file: Path) -> None:
    """
    The last entry counts.
    """
    more = FIGURES | {"decision": 1200.0}
    assert 1 == len(instructions.check(more)[0])
    instructions.record(more, "It does more now.")

    assert [] == instructions.check(more)[0]
    assert ["A first count.", "It does more now."] == [each["reason"] for each in instructions.entries()]


@pytest.mark.parametrize("why", ["another build", "the same words, another interpreter"])
def test_of_another_build_both_sources_are_counted(
    why: str, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    The present figures are held against those of the source that was recorded last, on the same machine.
    """
    now: dict[str, Any] = dict(FIGURES)
    if why == "another build":
        with_build(file, "another")
    else:
        now["reference"] = 110.0
    monkeypatch.setattr(instructions, "_last_recorded", lambda: "c" * 40)
    monkeypatch.setattr(instructions, "_source", lambda commit, folder: folder)
    monkeypatch.setattr(instructions, "count", lambda source: {"decision": 900.0, "http": 2000.0})

    found, against = instructions.check(now)
    assert ["decision: 1,000 instructions, 900 before (+11.1%)"] == found
    assert "the source of cccccccccccc" in against


def test_without_a_history_the_ratio_counts(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    To plain Python on the same build; more is allowed then.
    """
    with_build(file, "another")
    monkeypatch.setattr(instructions, "_last_recorded", lambda: None)
    slower = {name: 2 * number for name, number in FIGURES.items()}

    assert [] == instructions.check(slower)[0]
    assert 1 == len(instructions.check(slower | {"decision": 2400.0})[0])


def test_what_is_counted_is_read_from_the_output() -> None:
    """
    Many turns less few, by the process that each measure had.
    """
    told = "\n".join(f"{n} {name}={turns}" for n, (name, turns) in enumerate(
        (name, turns) for name in MEASURES for turns in (instructions.FEW, instructions.MANY)
    ))  # fmt: skip
    counted = "\n".join(f"=={n}== Collected : {1000 + 7 * n}" for n in range(2 * len(MEASURES)))

    per_turn = 7 / (instructions.MANY - instructions.FEW)
    assert dict.fromkeys(MEASURES, per_turn) == instructions._figures(told, counted)
