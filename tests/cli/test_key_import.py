"""``retinue key import``: from a file of digests, row by row."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Run


def write(tmp_path: Path, text: str) -> None:
    """The file that is imported."""
    (tmp_path / "keys.csv").write_text(text)


def test_each_row_is_sent_and_what_is_refused_is_told(tmp_path: Path, run: Run) -> None:
    """
    The rest is imported all the same: partly done is exit 8, and each refusal is named.
    """
    write(tmp_path, f"account,name,digest,last,expires\netl,a,{'0' * 64},1234,90d\netl,b,{'1' * 64},,\n")
    outcome = run(
        "key",
        "import",
        "keys.csv",
        "--scheme",
        "old",
        "--algorithm",
        "sha256",
        "--prefix",
        "sk_",
        "-o",
        "json",
    )

    assert 8 == outcome.code
    assert ["done", "refused"] == [each["result"] for each in json.loads(outcome.out)["items"]]
    assert "refused: etl/b: etl has a key named 'k1' already" in outcome.err
    assert "imported 1 of 2 keys, 1 refused" in outcome.err


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("account,name\netl,a\n", "no column digest"),
        ("account,name,digest,token\n", "unknown column token"),
        ("", "no column account"),
    ],
)
def test_a_file_of_other_columns_is_refused(tmp_path: Path, run: Run, text: str, words: str) -> None:
    """
    Before anything is sent; a column of tokens is no column.
    """
    write(tmp_path, text)
    outcome = run("key", "import", "keys.csv", "--scheme", "old")

    assert 2 == outcome.code
    assert words in outcome.err


def test_the_key_of_the_other_system_comes_from_a_file(tmp_path: Path, run: Run) -> None:
    """
    Never as an argument; one that cannot be read is named.
    """
    outcome = run("key", "import", "keys.csv", "--scheme", "old", "--key-file", "nowhere")

    assert 2 == outcome.code
    assert "--key-file nowhere" in outcome.err
