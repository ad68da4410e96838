"""The rules of the command line: tokens, streams, forms, confirmation."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from retinue.cli import log
from retinue.client import models
from tests.cli.answers import ALLOWED, NEW_TOKEN, account
from tests.cli.commands import COMMANDS, TREE
from tests.cli.conftest import OWN_TOKEN, Run, Terminal
from tests.cli.control_plane import FakeServer

_ISSUING = [
    ("key", "issue", "etl"),
    ("key", "rotate", "etl/k1"),
    ("key", "regenerate", "etl/k1", "--yes"),
    ("account", "create", "etl", "--key"),
]


@pytest.mark.parametrize("words", [words for words in TREE if words], ids="-".join)
def test_no_option_takes_a_token(words: tuple[str, ...]) -> None:
    """
    No option takes a token or a password itself; those for their files end in -file, those for the name of a field
    in which they may stand in -header, switches take nothing.
    """
    from retinue.cli.app import app

    command = app
    for word in words:
        command = command[word]
    found = [argument for argument in command.assemble_argument_collection() if argument.hint is not bool]
    flags = [name for argument in found for name in argument.names]

    secret = [name for name in flags if any(each in name for each in ("token", "password", "secret"))]
    assert [] == [name for name in secret if not name.endswith(("-file", "-header"))]


@pytest.mark.parametrize(
    "words", [("verify", NEW_TOKEN), ("key", "revoke", NEW_TOKEN), ("whoami", f"--token={NEW_TOKEN}")]
)
def test_token_in_an_argument(words: tuple[str, ...], run: Run, server: FakeServer) -> None:
    """A token in the arguments is refused before anything is sent, and is not repeated."""
    outcome = run(*words)

    assert (2, "", []) == (outcome.code, outcome.out, server.calls)
    assert NEW_TOKEN not in outcome.err


@pytest.mark.parametrize("words", _ISSUING)
def test_new_token_is_alone_on_standard_output(words: tuple[str, ...], run: Run) -> None:
    """A new token is alone on standard output, so that it can be sent into a file."""
    outcome = run(*words)

    assert (0, NEW_TOKEN + "\n") == (outcome.code, outcome.out)
    assert NEW_TOKEN not in outcome.err


@pytest.mark.parametrize("words", _ISSUING)
def test_new_token_in_continuous_integration(
    words: tuple[str, ...], run: Run, server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With CI set a token is printed only if `--out -` says so; otherwise nothing is issued."""
    monkeypatch.setenv("CI", "true")

    refused, changes = run(*words), list(server.changes())
    asked = run(*words, "--out", "-")

    assert (2, "", []) == (refused.code, refused.out, changes)
    assert (0, NEW_TOKEN + "\n") == (asked.code, asked.out)


@pytest.mark.parametrize("words", _ISSUING)
def test_file_is_never_overwritten(words: tuple[str, ...], run: Run, server: FakeServer) -> None:
    """`--out` refuses a file that exists, before anything is issued, and leaves it as it is."""
    Path("F").write_text("precious")

    outcome = run(*words, "--out", "F")

    assert (6, [], "precious") == (outcome.code, server.changes(), Path("F").read_text())


def test_link_is_not_followed(run: Run) -> None:
    """`--out` does not write through a link."""
    Path("F").symlink_to("elsewhere")

    assert (6, False) == (run("key", "issue", "etl", "--out", "F").code, Path("elsewhere").exists())


def test_mode_of_the_file_does_not_depend_on_umask(run: Run) -> None:
    """The file has mode 0600 under any umask."""
    before = os.umask(0)
    try:
        run("key", "issue", "etl", "--out", "F")
    finally:
        os.umask(before)

    assert 0o600 == stat.S_IMODE(Path("F").stat().st_mode)


@pytest.mark.parametrize(
    ("form", "expected"),
    [("raw", f"{NEW_TOKEN}\n"), ("env", f"RETINUE_TOKEN={NEW_TOKEN}\n")],
)
def test_form_of_the_token(form: str, expected: str, run: Run) -> None:
    """`--format` gives the token alone or as a variable."""
    assert expected == run("key", "issue", "etl", "--format", form).out


def test_form_for_where_it_goes(run: Run) -> None:
    """`--format k8s` is a secret for `kubectl apply`, `airflow` a connection; both are named by account and key."""
    secret = yaml.safe_load(run("key", "issue", "etl", "--format", "k8s").out)
    ((name, connection),) = json.loads(run("key", "issue", "etl", "--format", "airflow").out).items()

    assert ("Secret", {"RETINUE_TOKEN": NEW_TOKEN}) == (secret["kind"], secret["stringData"])
    assert {"Authorization": f"Bearer {NEW_TOKEN}"} == json.loads(connection["extra"])
    assert name.replace("_", "-") == secret["metadata"]["name"]
    assert re.fullmatch(r"etl-[a-z0-9-]*[a-z0-9]", secret["metadata"]["name"])


@pytest.mark.parametrize("name", COMMANDS)
def test_piped_output_is_stable_tsv(name: str, run: Run) -> None:
    """In a pipe, without -o: no colour, no truncation; every line has the same number of fields."""
    outcome = run(*COMMANDS[name])

    assert "\x1b" not in outcome.out
    widths = {line.count("\t") for line in outcome.out.splitlines()}
    assert len(widths) <= 1
    assert OWN_TOKEN not in outcome.out + outcome.err


@pytest.mark.parametrize("name", COMMANDS)
def test_quiet(name: str, run: Run) -> None:
    """`-q` leaves standard error empty when all is well."""

    quiet = () if name == "verify" else ("-q",)  # verify never talks, so it has no flag for it

    assert "" == run(*COMMANDS[name], *quiet).err


def test_forms(run: Run) -> None:
    """`--fields`, `-o name`, `-o id`, `-o csv`, `-o jsonl` give what they say."""
    csv = run("account", "list", "-o", "csv", "--fields", "id,keys.usable")
    lines = run("account", "list", "-o", "jsonl", "--fields", "handle,keys.usable")

    assert "id,keys.usable\nsa_EEEEEEEEEEEEEEEE,1\n" == csv.out
    assert {"handle": "etl", "keys": {"usable": 1}} == json.loads(lines.out)
    assert "etl/k1\n" == run("key", "get", "etl/k1", "-o", "name").out
    assert "key_LiveLiveLive\n" == run("key", "get", "etl/k1", "-o", "id").out


def test_names_cannot_steer_the_terminal(run: Run, server: FakeServer) -> None:
    """Control characters in names reach no terminal and break no line of TSV."""
    server.replies["GET", "/v1/service-accounts"] = (
        200,
        {"items": [account(purpose="a\tb\n\x1b[2Jc")], "next": None},
    )

    for form in ("table", "tsv"):
        assert "a�b��[2Jc" in run("account", "list", "-o", form).out


def test_pages_are_followed(run: Run, server: FakeServer) -> None:
    """A list is read to its end, or to `--limit`, and then `next` is told."""
    server.replies["GET", "/v1/service-accounts"] = (200, {"items": [account()], "next": "more"})

    listed = run("account", "list", "--limit", "2", "-o", "json")

    assert (2, "more") == (len(json.loads(listed.out)["items"]), json.loads(listed.out)["next"])
    assert [None, "more"] == [call.query.get("cursor") for call in server.calls]


@pytest.mark.parametrize("name", sorted(set(COMMANDS) - {"verify"}))
def test_print_curl_changes_nothing(name: str, run: Run, server: FakeServer) -> None:
    """`--print-curl` shows the call with the token by name only, and does not make it."""
    outcome = run(*COMMANDS[name], "--print-curl")

    assert (0, []) == (outcome.code, server.changes())
    assert "RETINUE_TOKEN" in outcome.out
    assert OWN_TOKEN not in outcome.out
    assert f"{server.url}/v1/" in outcome.out


@pytest.mark.parametrize("name", sorted(set(COMMANDS) - {"verify"}))
def test_print_permission_calls_nobody(name: str, run: Run, server: FakeServer) -> None:
    """`--print-permission` shows what the command needs, without a server or a token."""
    outcome = run(*COMMANDS[name], "--print-permission")

    assert (0, []) == (outcome.code, server.calls)
    assert all(":" in line for line in outcome.out.splitlines())


@pytest.mark.parametrize(("answer", "code", "changes"), [("y\n", 0, 1), ("\n", 1, 0), ("no\n", 1, 0)])
def test_a_person_is_asked_with_evidence(
    answer: str, code: int, changes: int, run: Run, server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a terminal the evidence stands before the question, and anything but yes does nothing."""
    monkeypatch.setattr("retinue.cli.confirm.may_ask", lambda _no_input: True)

    outcome = run("key", "revoke", "etl/k1", stdin=answer)

    assert (code, changes) == (outcome.code, len(server.changes()))
    assert "used 7 times" in outcome.err.partition("[y/N]")[0]


def test_no_input_never_asks(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """`--no-input` and RETINUE_NO_INPUT end with 10 even on a terminal."""
    from retinue.cli import confirm

    monkeypatch.setattr(sys, "stdin", Terminal())
    monkeypatch.setattr(sys, "stderr", Terminal())
    asked = confirm.may_ask(no_input=False)
    flag = confirm.may_ask(no_input=True)
    monkeypatch.setenv("RETINUE_NO_INPUT", "1")

    assert (True, False, False) == (asked, flag, confirm.may_ask(no_input=False))


def test_token_of_the_node_is_for_other_hosts_only(run: Run, server: FakeServer) -> None:
    """A node on loopback is not told the CLI's own token."""
    run("verify", "--file", "own-token")

    assert "retinue-caller" not in server.calls[-1].headers


def test_both_ways_of_verify_agree(run: Run, server: FakeServer) -> None:
    """The quick way and the command framework ask the same and print the same."""
    words = ("--file", "own-token", "--need", "a:b", "--organization=acme", "--method", "GET", "--path", "/x")
    quick = run("verify", *words, "-o", "json")
    slow = run("verify", *words, "-ojson")

    assert quick == slow
    assert server.calls[0].body == server.calls[1].body
    assert ALLOWED == json.loads(quick.out)


_FOOTPRINT = """
import sys
from retinue.cli.__main__ import main
code = main(sys.argv[1:])
heavy = {"cyclopts", "rich", "attrs", "django", "msgspec", "pydantic", "yaml"}
sys.stderr.write(" ".join(sorted({name.partition(".")[0] for name in sys.modules} & heavy)))
"""


def _loaded(*words: str) -> set[str]:
    process = subprocess.run(
        [sys.executable, "-c", _FOOTPRINT, *words], capture_output=True, text=True, check=True, timeout=180
    )
    return set(process.stderr.splitlines()[-1].split()) if process.stderr else set()


def test_verify_loads_little(run: Run) -> None:
    """`verify` loads neither the command framework nor the drawing library nor Django."""
    for form in ((), ("-o", "json")):
        assert set() == _loaded("verify", "--file", "own-token", *form)


def test_list_loads_no_drawing_library_for_json(run: Run) -> None:
    """No command loads Django; YAML and drawing are loaded for who asks for them."""
    assert "django" not in _loaded("account", "list", "-o", "json")
    assert "yaml" not in _loaded("account", "list", "-o", "json")


def test_following_the_log_does_not_show_the_following() -> None:
    """
    A look at the request log is in it, like every call of the API; `log tail` leaves it out.
    """
    look = models.RequestRecord(
        id="req_1", at="", decision="allowed", node="control plane", path="/v1/requests"
    )
    others = [("control plane", "/v1/me"), ("local", "/v1/requests")]

    assert log._is_look(look)
    assert not any(
        log._is_look(models.RequestRecord(id="", at="", decision="allowed", node=node, path=path))
        for node, path in others
    )
