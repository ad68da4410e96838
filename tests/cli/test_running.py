"""Every command against a control plane and a node that run; and what all of it leaves behind.

The fields of each answer and each exit code are kept in ``golden/running.json``
(``RETINUE_UPDATE_GOLDEN=1`` writes it anew).
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import sys
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any

import pytest

from retinue.cli.__main__ import main
from tests.cli.commands import TREE
from tests.cli.story import ADMIN, ELSEWHERE, KEPT, STEPS, Step
from tests.support.installation import Installation

GOLDEN = Path(__file__).parent / "golden" / "running.json"
_UPDATE = bool(os.environ.get("RETINUE_UPDATE_GOLDEN"))
_TOKEN = re.compile(r"rtn[a-z]+_[0-9A-Za-z]{12}_([0-9A-Za-z]{43,})", re.ASCII)


@dataclass
class Told:
    """How the story went: what each step printed, and which tokens there were."""

    outcomes: dict[str, list[Any]] = field(default_factory=dict)
    printed: dict[str, str] = field(default_factory=dict)
    history: list[str] = field(default_factory=list)
    tokens: set[str] = field(default_factory=set)
    #: The words of each process, as every user of the host sees them while the servers run.
    processes: bytes = b""


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> tuple[Told, Path]:
    """The whole story, told once, with everything that it leaves in one folder; its servers have ended."""
    folder = tmp_path_factory.mktemp("running")
    installation = Installation(folder / "home")
    installation.init()
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(("RETINUE_", "XDG_"))] + ["CI"]:
            patch.delenv(name, raising=False)
        for name, value in installation.environment.items():
            patch.setenv(name, value)
        patch.setenv("RETINUE_CONFIG_DIR", str(folder / "config"))
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        patch.setenv("XDG_STATE_HOME", str(folder / "state"))
        patch.setattr("retinue.cli.store._keyring", lambda: None)
        (folder / "work").mkdir()
        patch.chdir(folder / "work")
        Path("permissions.yaml").write_text("permissions: [report:read, report:write]\n")
        Path("accounts.csv").write_text("name,purpose,roles\nmoved,moves,Viewer\netl,loads,Viewer\n")
        Path("keys.csv").write_text(f"account,name,digest\netl,old,{'0' * 64}\n")
        installation.start()
        try:
            found = _tell(installation)
            found.processes = b"\n".join(_command_lines())
        finally:
            installation.stop()
    return found, folder


def _command_lines() -> Iterator[bytes]:
    for each in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            yield each.read_bytes()


def _tell(installation: Installation) -> Told:
    story = Told(tokens={installation.token(), installation.password_file.read_text().strip()})
    kept = {"soon": f"{datetime.now(UTC) + timedelta(days=20):%Y-%m-%dT00:00:00Z}"}
    for step in STEPS:
        words = [word.format(**kept) if word.startswith("{") else word for word in step.words]
        _run(story, step, words)
        for name, (source, path) in KEPT.items():
            if step.name.startswith(source) and name not in kept:
                kept[name] = str(_at(json.loads(story.printed[step.name]), path))
    _sign_in(story, installation)
    for file in Path().glob("t-*"):
        story.tokens |= {match[0] for match in _TOKEN.finditer(file.read_text())}
    return story


def _sign_in(story: Told, installation: Installation) -> None:
    """Sign in by a code that a person enters in the console, use it, sign out; then by a token."""
    environment = {name: os.environ.pop(name) for name in ("RETINUE_TOKEN_FILE",)}
    try:
        _run(
            story,
            Step("login --start", ("login", installation.url, "--start")),
            ["login", installation.url, "--start"],
        )
        begun = json.loads(story.printed["login --start"])
        _enter(installation, begun["user_code"])
        for line in ("login --finish ID", "whoami", "profile list", "account list", "logout", "whoami"):
            _line(story, line.replace("ID", begun["id"]), line)
            kept = Path(os.environ["RETINUE_CONFIG_DIR"]) / "credentials.toml"
            story.tokens |= {match[0] for match in _TOKEN.finditer(kept.read_text())}
        token = installation.token()
        _line(story, f"login {installation.url} --with-token", "login --with-token", token)
        _line(story, "whoami", "whoami")
        _line(story, "logout", "logout")
    finally:
        os.environ.update(environment)


def _line(story: Told, line: str, name: str, stdin: str = "") -> None:
    words = tuple(line.split())
    _run(story, Step(f"signed in: {name}", words, stdin), list(words))


def _enter(installation: Installation, code: str) -> None:
    """Do in the console what a person does in a browser: sign in, enter the code, grant."""
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))

    def send(path: str, **fields: str) -> str:
        with opener.open(installation.url + path) as page:
            found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.read().decode())
        assert found is not None
        data = urllib.parse.urlencode({"csrfmiddlewaretoken": found[1], **fields}).encode()
        with opener.open(installation.url + path, data) as page:
            return str(page.read().decode())

    send("/login/", login=ADMIN, password=installation.password_file.read_text().strip())
    assert "signed in" in send("/device/", code=code, same="yes", decision="grant")


def _run(story: Told, step: Step, words: list[str]) -> None:
    takes_form = step.words[0] not in ("run", "completion", "version", "help", "export")
    given = words if not takes_form or step.words[:2] == ("audit", "export") else [*words, "-o", "json"]
    out, err = io.StringIO(), io.StringIO()
    sys.stdin = io.TextIOWrapper(io.BytesIO(step.stdin.encode()))
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(given)
    story.history.append("retinue " + " ".join(given))
    story.printed[step.name] = out.getvalue()
    story.printed[f"{step.name} (talk)"] = err.getvalue()
    fields = sorted(_fields(json.loads(out.getvalue()))) if out.getvalue().startswith("{") else []
    story.outcomes[_free(step.name, story)] = [int(code), " ".join(fields)]
    if code not in (0, 7):
        lines = [line for line in err.getvalue().splitlines() if line.startswith(("error: ", "  why: "))]
        story.outcomes[_free(f"{step.name}: why", story)] = _unnamed(lines)


def _unnamed(lines: list[str]) -> list[str]:
    """Return lines without what differs from run to run: ids, times, numbers of ports."""
    return [
        re.sub(r"[a-z]{2,4}_[0-9A-Za-z]{12,16}|\d{4}-\d\d-\d\d\S*|:\d{4,5}\b", "...", line) for line in lines
    ]


def _free(name: str, story: Told) -> str:
    number = 2
    wanted = name
    while wanted in story.outcomes:
        wanted, number = f"{name} {number}", number + 1
    return wanted


def _fields(value: Any, path: str = "") -> set[str]:
    """Return the paths of all fields, dotted; what is in a list counts together, and so does what a node has told
    of itself so far."""
    if isinstance(value, dict) and value and not path.endswith("about"):
        return {
            each for name, inner in value.items() for each in _fields(inner, f"{path}.{name}".lstrip("."))
        }
    if isinstance(value, list):
        return {path} | {each for inner in value if isinstance(inner, dict) for each in _fields(inner, path)}
    return {path}


def _at(value: Any, path: str) -> Any:
    for name in path.split("."):
        value = value[int(name)] if name.isdigit() else value[name]
    return value


def test_every_command_against_a_running_server(told: tuple[Told, Path]) -> None:
    """Exit code and fields of each answer are those that are kept; an error says the same."""
    story, _ = told
    lines = [f"{json.dumps(name)}: {json.dumps(outcome)}" for name, outcome in story.outcomes.items()]
    found = "{\n" + ",\n".join(lines) + "\n}\n"
    if _UPDATE:
        GOLDEN.write_text(found)

    assert json.loads(GOLDEN.read_text()) == json.loads(found)


def test_no_command_is_left_out() -> None:
    """Each command of the tree is in the story, or shown elsewhere."""
    in_story = {words for words in TREE for step in STEPS if words and step.words[: len(words)] == words}

    assert set(TREE) == in_story | set(ELSEWHERE)
    assert set() == in_story & set(ELSEWHERE)


def _secrets(story: Told) -> set[bytes]:
    """The part of each token that nobody else knows, and the password."""
    # A password may hold the sign that separates the parts of a token.
    found = {secret: _TOKEN.fullmatch(secret) for secret in story.tokens}
    return {(secret if token is None else token[1]).encode() for secret, token in found.items()}


def test_there_are_tokens_to_be_found(told: tuple[Told, Path]) -> None:
    """The story made tokens of each kind, and each is where it was asked to be: the search below finds them."""
    story, folder = told
    meant = b"".join(path.read_bytes() for path in _meant(folder))

    assert {"rtnsa", "rtnpat", "rtning", "rtnnode", "rtninv"} <= {each.split("_")[0] for each in story.tokens}
    assert len(story.tokens) > 20
    assert sum(secret in meant for secret in _secrets(story)) > 20


def test_no_secret_in_what_is_left_behind(told: tuple[Told, Path]) -> None:
    """Databases, backups, replica, spool, logs of the servers, configuration, cache, exports: no token in any."""
    story, folder = told
    meant = _meant(folder)
    files = [path for path in folder.rglob("*") if path.is_file() and path not in meant]
    read = {path: path.read_bytes() for path in files}

    assert {"retinue.db", "backup.db", "data.mdb", "home-serve.log", "credentials.toml", "events.jsonl"} <= {
        path.name for path in files
    }
    assert [] == [path.name for path, data in read.items() if any(each in data for each in _secrets(story))]


def test_no_secret_in_history_or_talk(told: tuple[Told, Path]) -> None:
    """Lines that a shell would remember, all that commands print, the list of processes: no token in them."""
    story, _ = told
    said = "\n".join([*story.history, *story.printed.values()]).encode() + story.processes

    assert [] == [each for each in _secrets(story) if each in said]
    assert len(story.history) > 190
    assert b"retinue" in story.processes


def _meant(folder: Path) -> set[Path]:
    """The files that were asked to hold a token, each private."""
    found = {*(folder / "work").glob("t-*"), folder / "home-admin-token", folder / "home-admin-password"}
    found |= {folder / "home" / "node-token"}
    assert {0o600} == {path.stat().st_mode & 0o777 for path in found}
    return found
