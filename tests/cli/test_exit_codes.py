"""The exit code of every way to end."""

from __future__ import annotations

from pathlib import Path

import pytest

from retinue.cli.exits import Exit
from tests.cli.answers import problem
from tests.cli.commands import COMMANDS
from tests.cli.conftest import Run
from tests.cli.control_plane import FakeServer

_STATUS = [
    (400, "invalid_value", Exit.USAGE),
    (401, "token_unknown", Exit.NOT_SIGNED_IN),
    (403, "permission_missing", Exit.FORBIDDEN),
    (404, "not_found", Exit.NOT_FOUND),
    (409, "state_conflict", Exit.CONFLICT),
    (422, "permission_unknown", Exit.USAGE),
    (429, "rate_limited", Exit.FAILED),
    (500, "internal", Exit.FAILED),
    (503, "database_unavailable", Exit.UNREACHABLE),
]


@pytest.mark.parametrize(("status", "code", "expected"), _STATUS)
def test_error_answers(status: int, code: str, expected: Exit, run: Run, server: FakeServer) -> None:
    """Each kind of error answer has its exit code and its request id, and standard output is empty."""
    server.replies["GET", "/v1/service-accounts"] = problem(status, code)

    outcome = run("account", "list")

    assert (expected, "") == (outcome.code, outcome.out)
    assert code in outcome.err
    assert "req_" + "R" * 16 in outcome.err


def test_forbidden_names_the_permission(run: Run, server: FakeServer) -> None:
    """A refusal says which permission is missing."""
    server.replies["GET", "/v1/service-accounts"] = problem(
        403, "permission_missing", required=["service_account:read"]
    )

    outcome = run("account", "list")

    assert Exit.FORBIDDEN == outcome.code
    assert "missing permission: service_account:read" in outcome.err


def test_invalid_value_names_the_field(run: Run, server: FakeServer) -> None:
    """A refused value is told with its field."""
    server.replies["POST", "/v1/service-accounts"] = problem(422, "invalid_value", field="body.name")

    outcome = run("account", "create", "etl")

    assert Exit.USAGE == outcome.code
    assert "field: name" in outcome.err


@pytest.mark.parametrize("name", COMMANDS)
def test_unreachable(name: str, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every command ends with 9 if nothing listens, and says where it tried; no reserved file stays."""
    monkeypatch.setenv("RETINUE_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("RETINUE_NODE_URL", "http://127.0.0.1:1")

    outcome = run(*COMMANDS[name])

    assert (Exit.UNREACHABLE, "", False) == (outcome.code, outcome.out, Path("token").exists())
    assert "http://127.0.0.1:1" in outcome.err


@pytest.mark.parametrize("name", sorted(set(COMMANDS) - {"verify"}))
def test_not_signed_in(name: str, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every command that calls the control plane ends with 4 without a token."""
    monkeypatch.delenv("RETINUE_TOKEN_FILE")

    assert Exit.NOT_SIGNED_IN == run(*COMMANDS[name]).code


@pytest.mark.parametrize(
    "words",
    [
        ("account", "disable", "etl"),
        ("account", "delete", "etl"),
        ("account", "trim", "etl"),
        ("key", "revoke", "etl/k1"),
        ("key", "delete", "etl/k1"),
        ("key", "regenerate", "etl/k1", "--out", "token"),
        ("key", "rotate", "etl/k1", "--overlap", "now", "--out", "token"),
        ("grant", "remove", "etl", "--permission", "report:read"),
        ("grant", "remove", "etl", "--role", "auditor"),
        ("grant", "remove", "etl", "--role", "auditor", "--permission", "report:read", "--yes"),
        ("role", "delete", "auditor"),
        ("role", "remove", "auditor", "--permission", "report:read"),
        ("group", "delete", "Data"),
        ("group", "remove", "Data", "--member", "etl"),
        ("team", "remove", "Blue", "--resource", "r-1"),
        ("access-policy", "delete", "P7"),
        ("access-policy", "remove", "P7", "--subject", "group:Data"),
        ("node", "remove", "local"),
        ("user", "disable", "admin@acme.example"),
        ("user", "delete", "admin@acme.example"),
        ("org", "disable", "acme"),
        ("policy", "set", "credentials.max_usable=1"),
        ("pat", "revoke", "init"),
        ("key", "revoke", "etl/k1", "etl/k2", "--yes"),
    ],
)
def test_needs_confirmation(words: tuple[str, ...], run: Run, server: FakeServer) -> None:
    """What takes something away does nothing and ends with 10 if nobody can be asked."""
    outcome = run(*words)

    assert (Exit.NEEDS_CONFIRMATION, []) == (outcome.code, server.changes())


@pytest.mark.parametrize(
    "words",
    [
        ("accont", "list"),
        ("account", "lst"),
        ("account", "list", "--nonsense"),
        ("account", "list", "-o", "xml"),
        ("account", "list", "--fields", "nonsense", "-o", "json"),
        ("account", "list", "--limit", "0"),
        ("account", "edit", "etl"),
        ("account", "create", "etl", "--out", "F"),
        ("account", "disable", "--yes"),
        ("account", "create", "etl", "--link"),
        ("account", "approve"),
        ("grant", "add", "etl"),
        ("grant", "add", "etl", "--role", "auditor", "--resource", "r-1"),
        ("grant", "add", "etl", "--permission", "report:read", "--resource", "r-1", "--where", "a=b"),
        ("grant", "add", "etl", "--permission", "report:read", "--where", "a"),
        ("grant", "add", "etl", "--permission", "report:read", "--expires", "0"),
        ("grant", "remove", "etl", "--yes"),
        ("role", "edit", "auditor"),
        ("group", "edit", "Data"),
        ("group", "create", "Data", "--condition", "environment"),
        ("team", "add", "Blue"),
        ("team", "add", "Blue", "--member", "etl", "--resource", "r-1"),
        ("access-policy", "edit", "P7"),
        ("access-policy", "add", "P7"),
        ("permission", "import", "missing.yaml"),
        ("explain", "etl", "report:read", "--attribute", "region"),
        ("key", "issue", "etl", "--expires", "0", "--out", "F"),
        ("key", "issue", "etl", "--expires", "0d", "--out", "F"),
        ("key", "issue", "etl", "--expires", "soon", "--out", "F"),
        ("key", "revoke", "etl/", "--yes"),
        ("key", "revoke", "etl/k1", "etl/k2", "--confirm", "3"),
        ("log", "list", "--since", "yesterday"),
        ("org", "create", "acme", "--out", "F"),
        ("policy", "set"),
        ("policy", "set", "credentials.max_usable"),
        ("policy", "check", "-f", "missing"),
        ("log", "tail", "-o", "json"),
        ("verify",),
        ("verify", "-", "--file", "own-token"),
        ("verify", "--file", "missing"),
        ("verify", "nonsense"),
    ],
)
def test_wrong_usage(words: tuple[str, ...], run: Run, server: FakeServer) -> None:
    """Wrong usage ends with 2, changes nothing, prints nothing on standard output, and says what to do."""
    outcome = run(*words)

    assert (Exit.USAGE, "", []) == (outcome.code, outcome.out, server.changes())
    assert "error: " in outcome.err


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (("account", "get", "etk"), "did you mean etl?"),
        (("key", "get", "etl/k3"), "did you mean etl/k2 or etl/k1"),
        (("user", "get", "admn@acme.example"), "did you mean admin@acme.example?"),
        (("role", "get", "auditr"), "did you mean auditor?"),
        (("group", "get", "Date"), "did you mean Data?"),
        (("grant", "add", "team:Blu", "--role", "auditor"), "did you mean Blue?"),
        (("access-policy", "get", "nothing"), "retinue access-policy list"),
        (("permission", "get", "report:reed"), "retinue permission list"),
        (("node", "get", "locl"), "did you mean local?"),
        (("pat", "revoke", "ini", "--yes"), "did you mean init?"),
        (("grant", "remove", "etl", "--permission", "report:write", "--yes"), "retinue grant list etl"),
    ],
)
def test_not_found(words: tuple[str, ...], hint: str, run: Run) -> None:
    """A name that fits nothing ends with 3, with a close one suggested."""
    outcome = run(*words)

    assert Exit.NOT_FOUND == outcome.code
    assert hint in outcome.err


def test_ambiguous_name(run: Run, server: FakeServer) -> None:
    """A name that fits two live keys ends with 6 and lists their ids."""
    outcome = run("key", "revoke", "etl/twin", "--yes")

    assert (Exit.CONFLICT, []) == (outcome.code, server.changes())
    assert "key_TwinTwinTwi1, key_TwinTwinTwi2" in outcome.err


def test_rotated_key(run: Run, server: FakeServer) -> None:
    """Of a rotated key the successor is meant; but revoking by name does not leave the old one accepted."""
    found = run("key", "get", "etl/spun", "-o", "id")
    revoked = run("key", "revoke", "etl/spun", "--yes")

    assert (Exit.DONE, "key_SpinSpinSpin\n") == (found.code, found.out)
    assert (Exit.CONFLICT, []) == (revoked.code, server.changes())


def test_partly_done(run: Run, server: FakeServer) -> None:
    """Of several, each failure is told with its reason, the others are done, and the code is 8."""
    outcome = run("key", "revoke", "etl/k2", "etl/nope", "--confirm", "2", "-o", "id")

    assert (Exit.PARTLY, "key_OldOldOldOld\n") == (outcome.code, outcome.out)
    assert "error: etl/nope: no key etl/nope" in outcome.err
    assert 1 == len(server.changes())


def test_answer_of_another_program(run: Run, server: FakeServer) -> None:
    """An answer that is not the API's is told as such, without a trace of the program."""
    server.replies["GET", "/v1/service-accounts"] = (200, b"<html>")

    outcome = run("account", "list")

    assert Exit.FAILED == outcome.code
    assert "not understood" in outcome.err


def test_name_that_is_taken(run: Run) -> None:
    """`name check` exits 7 if one of the names could not be had, and tells why of that one."""
    outcome = run("name", "check", "loader", "etl", "-o", "tsv")

    assert (Exit.NEGATIVE, 3) == (outcome.code, len(outcome.out.splitlines()))
    assert "etl: the handle 'etl' is taken by sa_1\n" == outcome.err
    assert Exit.USAGE == run("name", "check").code
