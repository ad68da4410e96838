"""The documents run: tutorials and guides exactly as printed, but for the ports."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.examples import snippets
from tests.support.installation import PROGRAM, Installation, start_retinue
from tests.support.processes import free_ports
from tests.support.requirements import nginx_program, requires

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
#: Pages that are run here, each in a folder of its own, all against one installation.
RUN = (
    "tutorials/protect-a-fastapi-app.md",
    "tutorials/behind-nginx.md",
    "tutorials/rotate-without-downtime.md",
)
PAGES = sorted([*DOCS.rglob("*.md"), ROOT / "README.md", ROOT / "ARCHITECTURE.md", ROOT / "formal/README.md"])
#: Blocks that no test runs as they stand, by page: they show what others have (ids, hosts, several nodes). That their
#: commands and flags exist is tested all the same. Nothing is added here.
SHOWN = {
    "docs/explanation/access.md": 1,
    "docs/explanation/revocation.md": 1,
    "docs/how-to/access-in-git.md": 1,
    "docs/how-to/call-a-protected-api.md": 1,
    "docs/how-to/install.md": 5,
    "docs/how-to/leaks.md": 2,
    "docs/how-to/organizations-and-their-policy.md": 3,
    "docs/how-to/permissions-from-openapi.md": 3,
    "docs/how-to/protect-a-python-api.md": 4,
    "docs/how-to/protect-an-api-behind-a-gateway.md": 6,
    "docs/how-to/relay.md": 1,
    "docs/how-to/restore-a-backup.md": 1,
    "docs/how-to/review-accounts.md": 2,
    "docs/reference/node.md": 1,
    "docs/reference/tokens.md": 1,
    "formal/README.md": 2,
    "README.md": 5,
}


@pytest.fixture(scope="module")
def retinue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """One installation for all pages."""
    with start_retinue(tmp_path_factory.mktemp("documents") / "home") as installation:
        yield installation


@requires("curl", "nginx")
@pytest.mark.parametrize("page", RUN)
def test_page_runs_as_it_is_printed(page: str, retinue: Installation, tmp_path: Path) -> None:
    """
    Each command of the page succeeds, and prints what the page says.
    """
    own = free_ports(2)
    ports = dict(zip((8000, 8080), own, strict=True)) | {8470: retinue.port, 8471: retinue.node_port}
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "nginx").symlink_to(nginx_program() or "nginx")
    places = [str(programs), str(Path(PROGRAM).parent), os.environ["PATH"], "/usr/sbin"]
    environment = {**retinue.environment, "PATH": ":".join(places)}
    # The node's port is another one only here; a guard that is told of it would ask it, and not decide itself.
    if "retinue verify" not in (DOCS / page).read_text():
        del environment["RETINUE_NODE_URL"]
    folder = tmp_path / "reader"
    folder.mkdir()

    assert [] == snippets.run(
        DOCS / page, folder, environment, {str(printed): str(mine) for printed, mine in ports.items()}
    )


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


def _is_run(block: snippets.Block) -> bool:
    return bool(block.title) or block.language in ("sh", "console", "text")


def _exists(test: str) -> bool:
    file, _, name = test.partition("::")
    path = ROOT / file
    return (
        path.is_file()
        and re.search(rf"^(async )?def {re.escape(name)}\(", path.read_text(), re.M) is not None
    )


def test_runner_notices(tmp_path: Path) -> None:
    """
    The runner tells of a command that fails, and of a line that is not printed; it ends what a page leaves running.
    """
    page = ROOT / "docs" / "none.md"

    class Fake(type(page)):  # type: ignore[misc]
        """A page that is not on the disk."""

        def read_text(self, *_: object, **__: object) -> str:
            return "```sh\nsleep 600 & echo one\n```\n\n```text\ntwo\n```\n\n```sh\nfalse\n```\n"

    wrong = snippets.run(Fake(page), tmp_path, {"PATH": os.environ["PATH"]}, {})

    assert ["exit code 1: ", "docs/none.md block 2: 'two'"] == [
        each.partition(" is not in")[0] for each in wrong
    ]
