"""Every block of the documents is run by a test, and its commands exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support import snippets
from tests.support.snippets import DOCS, ROOT, RUN

PAGES = sorted([*DOCS.rglob("*.md"), ROOT / "README.md", ROOT / "ARCHITECTURE.md", ROOT / "formal/README.md"])
#: Blocks that no test runs as they stand, by page: they show what others have (ids, hosts, several nodes). That their
#: commands and flags exist is tested all the same. Nothing is added here.
SHOWN = {
    "docs/explanation/revocation.md": 1,
    "docs/how-to/install.md": 2,
    "docs/how-to/leaks.md": 2,
    "docs/how-to/organizations-and-their-policy.md": 3,
    "docs/how-to/protect-an-api-behind-a-gateway.md": 6,
    "docs/how-to/relay.md": 1,
    "docs/how-to/sign-in.md": 1,
    "docs/how-to/restore-a-backup.md": 1,
    "docs/reference/node.md": 1,
    "docs/reference/tokens.md": 1,
    "formal/README.md": 2,
}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_snippet_is_run(page: Path) -> None:
    """
    Each block has a language, and is run: here, or by the test that the comment above it names. Only a picture is not,
    and says so.
    """
    is_run = page.is_relative_to(DOCS) and str(page.relative_to(DOCS)) in RUN
    unmarked = [
        block.place
        for block in snippets.blocks(page)
        if not block.is_picture
        and not (_exists(block.tested_by) if block.tested_by else is_run and _is_run(block))
    ]

    assert len(unmarked) == SHOWN.get(str(page.relative_to(ROOT)), 0), unmarked


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
