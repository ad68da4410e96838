"""Every block of the documents is run by a test, and its commands exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support import snippets
from tests.support.snippets import ALONE, DOCS, ROOT, RUN

PAGES = sorted([*DOCS.rglob("*.md"), ROOT / "README.md", ROOT / "ARCHITECTURE.md", ROOT / "formal/README.md"])
NOT_RUN = re.compile(r"<!-- not run: (.+); tested by \S+ -->")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_snippet_is_run(page: Path) -> None:
    """
    Each block is run: with its page, or by the test that the comment above it names. Only a picture is not, and says so.
    """
    is_run = page.is_relative_to(DOCS) and str(page.relative_to(DOCS)) in (*RUN, *ALONE)
    unmarked = [
        block.place
        for block in snippets.blocks(page)
        if not block.is_picture
        and not (_exists(block.tested_by) if block.tested_by else is_run and _is_run(block))
    ]

    assert [] == unmarked


def test_what_is_not_run_says_why() -> None:
    """
    These blocks alone are not run, because nobody can here: they say so, and which test holds what can be held.
    """
    found = [
        (str(page.relative_to(ROOT)), why) for page in PAGES for why in NOT_RUN.findall(page.read_text())
    ]

    assert [
        ("docs/how-to/install.md", "needs systemd as the first process"),
        ("docs/how-to/install.md", "needs an engine for containers"),
        ("formal/README.md", "installs packages and takes minutes"),
        ("formal/README.md", "the search takes minutes"),
    ] == found


def _is_run(block: snippets.Block) -> bool:
    return bool(block.title) or block.language in ("sh", "console", "python", "text")


def _exists(test: str) -> bool:
    file, _, name = test.partition("::")
    path = ROOT / file
    return (
        path.is_file()
        and re.search(rf"^(async )?def {re.escape(name)}\(", path.read_text(), re.M) is not None
    )


def _commands() -> list[tuple[str, str]]:
    """Return every `retinue` command in a block of a document, with its place."""
    found = []
    for page in PAGES:
        for block in snippets.blocks(page):
            text = block.text.replace("\\\n", " ")
            lines = re.findall(r"^(?:\$ |\w+=\S+ )*(retinue [^\n]*)", text, re.MULTILINE)
            found += [(block.place, line) for line in lines]
    return found


def test_commands_in_blocks_exist() -> None:
    """
    Each `retinue` command in a block of a document is one, and has the flags that it is given.
    """
    commands = _commands()
    wrong = [f"{place}: {line}: {what}" for place, line in commands if (what := snippets.mistake(line))]

    assert len(commands) > 40
    assert [] == wrong


def test_readme_shows_the_tutorial() -> None:
    """
    Each line of the README's example stands in the tutorial's application, which is run.
    """
    (shown,) = [block for block in snippets.blocks(ROOT / "README.md") if block.language == "python"]
    (application,) = [block for block in snippets.blocks(DOCS / RUN[0]) if block.title == "app.py"]

    assert [] == [line for line in shown.text.splitlines() if line not in application.text.splitlines()]
