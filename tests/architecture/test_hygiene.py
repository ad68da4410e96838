"""What must not stand in the repository: secrets, paths of a machine, forgotten notes."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from retinue.token import EXAMPLE_KID_PREFIX, Kind, mint, parse
from tests.architecture.source import ROOT, python_files, text_files, tracked_files, tree

_TOKEN = re.compile(r"[a-z][a-z0-9]{1,13}_[0-9A-Za-z]{12}_[0-9A-Za-z]{49}")
_MACHINE_PATH = re.compile(r"(?<![\w.$}])/(?:root|work|Users|home/\w+|var/folders)/")
_NOTE = re.compile(r"\b(?:TO" + r"DO|FIX" + r"ME|XX" + r"X|HA" + r"CK)\b")
_INDEX = re.compile(r"^\s*(?:--?(?:extra-)?index-url|-i|--find-links|--trusted-host)\b|://", re.MULTILINE)

#: Where a token becomes text, and why there. Any other file that calls ``reveal`` fails the test.
REVEALS = {
    "src/retinue/token.py": "defines it",
    "src/retinue/server/api/secrets_told.py": "the answer that issues, rotates or regenerates a credential",
    "src/retinue/server/credentials/writing.py": "the last characters of a token without a key id, where they are shown",
    "src/retinue/server/api/users.py": "the answer that invites a user",
    "src/retinue/server/api/organizations.py": "the answer that makes an organization",
    "src/retinue/server/api/nodes.py": "the answer that enrols a node",
    "src/retinue/server/api/idempotency.py": "the repeated answer to a lost one, with a new secret",
    "src/retinue/server/setup.py": "the token files of init, mode 0600",
    "src/retinue/server/__main__.py": "the token file of a new organization, mode 0600",
    "src/retinue/node/renewal.py": "the node's own token file, mode 0600",
    "src/retinue/node/announcing.py": "compared with the one that was used last",
    "src/retinue/node/feed_client.py": "the header of the node's own calls",
    "src/retinue/guard/testing.py": "tokens of a fake, for the tests of a host",
    "src/retinue/demo/story.py": "the demo's private files, and the calls of its second administrator and its node",
    "src/retinue/demo/run.py": "the demo's private file for a second terminal",
    "src/retinue/cli/issuing.py": "the file or the standard output that the person named",
    "src/retinue/cli/user.py": "the file or the standard output that takes an invitation",
    "src/retinue/cli/organization.py": "the file or the standard output for a first administrator",
    "src/retinue/cli/run.py": "the environment, or the file, of the program that it was issued for",
    "src/retinue/cli/node.py": "the token file of an enrolled node",
    "src/retinue/cli/webhook.py": "the file or the standard output that takes the secret of a webhook",
    "src/retinue/server/api/device.py": "the answer to a terminal whose code was entered",
    "src/retinue/server/recovering.py": "the terminal of the host's operator, who invites somebody again",
    "src/retinue/server/api/oauth.py": "the answer to a client that exchanges its key",
}


def _secrets_in(text: str) -> list[str]:
    found = []
    for match in _TOKEN.finditer(text):
        token = parse(match.group())
        if token is not None and not token.kid.startswith(EXAMPLE_KID_PREFIX):
            found.append(token.display)
    return found


@pytest.mark.parametrize("path", text_files(), ids=str)
def test_no_token_is_written_down(path: Path) -> None:
    """
    No tracked file holds a token that parses, but the documented examples.
    """
    assert [] == _secrets_in((ROOT / path).read_text())


def test_search_finds_a_planted_token() -> None:
    """
    The search above finds a real token in running text.
    """
    planted = mint(Kind.API_KEY)

    assert [planted.display] == _secrets_in(f"curl -H 'Authorization: Bearer {planted.reveal()}'\n")


def test_no_path_of_a_machine_is_written_down() -> None:
    """
    No tracked file names a folder that exists on one machine only.
    """
    found = {str(path): _MACHINE_PATH.findall((ROOT / path).read_text()) for path in text_files()}

    assert {} == {path: hits for path, hits in found.items() if hits}


def test_no_forgotten_notes() -> None:
    """
    What is not done stands in the README under "not yet", not in a comment.
    """
    found = {str(path): _NOTE.findall((ROOT / path).read_text()) for path in text_files()}

    assert {} == {path: hits for path, hits in found.items() if hits}


def test_lock_files_name_no_index() -> None:
    """
    The locked requirements carry hashes and name no package index: where to download is the machine's choice.
    """
    locks = [path for path in tracked_files() if path.parts[0] == "requirements" and path.suffix == ".txt"]
    found = {str(path): _INDEX.findall((ROOT / path).read_text()) for path in locks}

    assert len(locks) == 5
    assert {} == {path: hits for path, hits in found.items() if hits}


def _calls(path: Path, name: str) -> list[ast.Call]:
    return [
        node
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == name
    ]


def test_tokens_are_revealed_in_listed_places_only() -> None:
    """
    A token becomes plain text only where it is handed to its holder.
    """
    callers = {str(path) for path in python_files("src") if _calls(path, "reveal")}

    assert callers <= REVEALS.keys()


_SPEAKING = {"debug", "info", "warning", "error", "exception", "critical", "log", "print"}


def _is_speaking(node: ast.AST) -> bool:
    if not isinstance(node, ast.Call):
        return False
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    return name in _SPEAKING


def test_no_revealed_token_is_printed_or_logged() -> None:
    """
    No call that prints or logs has a revealed token among its arguments.
    """
    found = [
        f"{path}:{node.lineno}"
        for path in python_files("src", "examples", "bench")
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call) and _is_speaking(node)
        for inner in ast.walk(node)
        if isinstance(inner, ast.Attribute) and inner.attr in ("reveal", "as_bytes")
    ]

    assert [] == found


def test_rows_are_locked_so_that_others_may_name_them() -> None:
    """
    PostgreSQL's FOR UPDATE also keeps out every foreign key that names the row: two transactions that each lock
    a row and name that of the other would wait for each other. FOR NO KEY UPDATE does not.
    """
    found = [
        f"{path}:{node.lineno}"
        for path in python_files("src")
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "select_for_update"
        and "no_key" not in {each.arg for each in node.keywords}
    ]

    assert [] == found
