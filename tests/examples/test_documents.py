"""The documents run: tutorials and guides exactly as printed, but for ports and hosts."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import snippets
from tests.support.installation import ADMIN_EMAIL, PROGRAM, Installation, http, start_retinue
from tests.support.processes import free_ports
from tests.support.requirements import nginx_program, requires
from tests.support.snippets import ALONE, DOCS, ROOT, RUN


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
    assert [] == _run(page, retinue, tmp_path)


@requires("curl", "nginx")
@pytest.mark.parametrize("page", ALONE)
def test_page_runs_on_an_installation_of_its_own(page: str, tmp_path: Path) -> None:
    """
    Each command of a page that changes the policy or the nodes succeeds, and prints what the page says.
    """
    with start_retinue(tmp_path / "home", "--workers", "1", RETINUE_EGRESS_ALLOW="127.0.0.0/8") as retinue:
        assert retinue.process is not None
        assert [] == _run(page, retinue, tmp_path, SERVE=str(retinue.process.pid))


def _run(page: str, retinue: Installation, tmp_path: Path, **more: str) -> list[str]:
    """Run a page as a reader of this installation; return what is not as it says."""
    printed = (8000, 8080, 8472, 8473, 8474)
    ports = dict(zip(printed, free_ports(len(printed)), strict=True))
    ports |= {8470: retinue.port, 8471: retinue.node_port}
    hosts = {"10.0.0.5": "127.0.0.1", "10.0.0.7": "127.0.0.1", "https://retinue.example": retinue.url}
    hosts["https://api.example.com/openapi.json"] = "file://$PWD/openapi.json"
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "nginx").symlink_to(nginx_program() or "nginx")
    places = [str(programs), str(Path(PROGRAM).parent), os.environ["PATH"], "/usr/sbin"]
    # Another node that a page starts listens elsewhere than the one that runs.
    environment = {**retinue.environment, "PATH": ":".join(places), **more}
    environment |= {"RETINUE_PORT": str(retinue.port), "RETINUE_NODE_PORT": str(ports[8474])}
    # The node's port is another one only here; a guard that is told of it would ask it, and not decide itself.
    if "retinue verify" not in (DOCS / page).read_text():
        del environment["RETINUE_NODE_URL"]
    folder = tmp_path / "reader"
    folder.mkdir()
    replace = {str(number): str(own) for number, own in ports.items()} | hosts
    return snippets.run(DOCS / page, folder, environment, replace)


def test_readme_question(retinue: Installation) -> None:
    """
    A node answers the README's question with the fields that the README shows.
    """
    (shown,) = [block for block in snippets.blocks(ROOT / "README.md") if "/v1/verify" in block.text]
    retinue.cli(
        "account", "create", "readme", "--permission", "report:read", "--owner", ADMIN_EMAIL, "--purpose", "x"
    )
    issued = json.loads(
        retinue.cli("key", "issue", "readme", "--name", "k", "--out", "-", "--format", "json")
    )
    asked, _, answered = shown.text.partition("\n")
    body = json.loads(asked[asked.index("{") :]) | {"token": issued["token"]}
    answer = http("POST", f"{retinue.node_url}/v1/verify", body=body)
    fields = re.findall(r'"(\w+)":', answered)

    assert (200, True) == (answer.status, answer.json()["allowed"])
    assert fields == [name for name in fields if name in answer.json() or name in answer.json()["account"]]


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
