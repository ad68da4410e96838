"""The invocations that scripts outside this repository rely on, word for word."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from tests.cli.answers import DENIED, LIVE, NEW_TOKEN, problem
from tests.cli.conftest import Run
from tests.cli.control_plane import FakeServer


def test_account_create(run: Run, server: FakeServer) -> None:
    """`account create` sends what it was given and prints the account."""
    outcome = run(
        *("account", "create", "etl", "--role", "auditor", "--owner", "admin@acme.example"),
        *("--purpose", "Loads the warehouse", "-o", "json"),
    )

    sent = {
        "name": "etl",
        "purpose": "Loads the warehouse",
        "owners": ["admin@acme.example"],
        "roles": ["auditor"],
    }
    assert (0, sent, "etl") == (outcome.code, server.calls[-1].body, json.loads(outcome.out)["handle"])
    assert server.calls[-1].headers["idempotency-key"]


def test_key_issue(run: Run, server: FakeServer) -> None:
    """`key issue --out` puts the token, alone, into a new file of mode 0600, and nowhere else."""
    outcome = run("key", "issue", "etl", "--name", "k1", "--out", "F")

    assert (0, NEW_TOKEN + "\n") == (outcome.code, Path("F").read_text())
    assert 0o600 == stat.S_IMODE(Path("F").stat().st_mode)
    assert {"name": "k1"} == server.calls[-1].body
    assert "" == outcome.out
    assert NEW_TOKEN not in outcome.err


def test_verify_allowed(run: Run, server: FakeServer) -> None:
    """`verify` asks the node with the token of the file and ends with 0 if it is allowed."""
    Path("F").write_text(NEW_TOKEN + "\n")

    outcome = run("verify", "--file", "F", "--need", "service_account:read", "-o", "json")

    assert (0, True) == (outcome.code, json.loads(outcome.out)["allowed"])
    assert {"token": NEW_TOKEN, "need": ["service_account:read"]} == server.calls[-1].body
    assert "authorization" not in server.calls[-1].headers


@pytest.mark.parametrize("form", ["json", "jsonl", "table", "tsv", "yaml", "csv"])
def test_verify_denied(form: str, run: Run, server: FakeServer) -> None:
    """A denied token ends with 7, in every form, and the reason is printed."""
    server.replies["POST", "/v1/verify"] = (200, DENIED)
    Path("F").write_text(NEW_TOKEN)

    outcome = run("verify", "--file", "F", "-o", form)

    assert 7 == outcome.code
    assert "credential_revoked" in outcome.out


def test_verify_reads_standard_input(run: Run, server: FakeServer) -> None:
    """`verify -` takes the token from standard input."""
    outcome = run("verify", "-", stdin=NEW_TOKEN + "\n")

    assert (0, {"token": NEW_TOKEN}) == (outcome.code, server.calls[-1].body)


def test_key_revoke(run: Run, server: FakeServer) -> None:
    """`key revoke ACCOUNT/NAME` revokes the live key of that name, not the ended one."""
    outcome = run("key", "revoke", "etl/k1", "--yes")

    assert (0, f"/v1/keys/{LIVE}/revoke") == (outcome.code, server.calls[-1].path)
    assert {"reason": "no_longer_needed"} == server.calls[-1].body


def test_lists(run: Run) -> None:
    """`log list` and `audit list` print a list with `items` and `next`."""
    log = run("log", "list", "--account", "etl", "-o", "json")
    audit = run("audit", "list", "-o", "json")

    assert ["credential_revoked"] == [item["reason"] for item in json.loads(log.out)["items"]]
    assert ["key.revoked"] == [item["type"] for item in json.loads(audit.out)["items"]]
    assert {"items", "next"} == set(json.loads(audit.out))


@pytest.mark.parametrize(("flag", "body"), [("--key", {}), ("--key=k1", {"name": "k1"})])
def test_account_create_with_key(flag: str, body: dict[str, str], run: Run, server: FakeServer) -> None:
    """`account create --key[=NAME] --out` makes the account, its grant and its first key in one go."""
    outcome = run(
        *("account", "create", "etl", "--permission", "report:read", "--justification", "export"),
        *(flag, "--out", "F"),
    )

    assert (0, NEW_TOKEN + "\n") == (outcome.code, Path("F").read_text())
    made, issued = server.changes()
    assert {"name": "etl", "permissions": ["report:read"], "justification": "export"} == made.body
    assert body == issued.body


def test_account_without_its_key_is_partly_done(run: Run, server: FakeServer) -> None:
    """If the key cannot be issued, the account is told, the exit code is 8, and no empty file stays."""
    server.replies["POST", "/v1/service-accounts/sa_EEEEEEEEEEEEEEEE/keys"] = problem(409, "too_many_keys")

    outcome = run("account", "create", "etl", "--key", "--out", "F")

    assert (8, False) == (outcome.code, Path("F").exists())
    assert "created service account etl" in outcome.err


def test_short_name_of_account(run: Run) -> None:
    """`sa` is `account`."""
    long, short = run("account", "list", "-o", "json"), run("sa", "list", "-o", "json")

    assert long == short


def test_global_flags_before_the_noun(run: Run) -> None:
    """Global flags may stand in any place."""
    behind, before = run("account", "list", "-o", "id"), run("-o", "id", "account", "list")

    assert behind == before


def test_request_is_looked_up_by_its_id(run: Run, server: FakeServer) -> None:
    """`log list --request` asks for one request, whose id an error message told."""
    outcome = run("log", "list", "--request", "req_RRRRRRRRRRRRRRRR", "-o", "id")

    assert (0, "log_QQQQQQQQQQQQQQQQ\n") == (outcome.code, outcome.out)
    assert "req_RRRRRRRRRRRRRRRR" == server.calls[-1].query["request_id"]


def test_attributes_are_set_by_name(run: Run, server: FakeServer) -> None:
    """`--attribute` sets one attribute and keeps the others; its value is read as in YAML."""
    outcome = run("account", "edit", "etl", "--attribute", "cost_center=12", "--attribute", "external=false")
    wrong = run("account", "create", "x", "--attribute", "tier")

    assert {"tier": "gold", "cost_center": 12, "external": False} == server.changes()[0].body["attributes"]
    assert (0, 2) == (outcome.code, wrong.code)


def test_policy_is_tried_first_and_accepted_by_its_count(run: Run, server: FakeServer) -> None:
    """`policy set` sends the version that was seen and how many objects may break; a wrong count changes nothing."""
    wrong = run("policy", "set", "credentials.max_usable=1", "--confirm", "2")
    before = list(server.changes())
    done = run("policy", "set", "credentials.max_usable=1", "--confirm", "1")
    checked = run("policy", "check", "credentials.max_usable=1")

    assert (2, [], 0, 7) == (wrong.code, before, done.code, checked.code)
    [change] = server.changes()
    assert {"set": {"credentials.max_usable": 1}, "version": 1, "accept": 1} == change.body


def test_log_is_searched(run: Run, server: FakeServer) -> None:
    """`log list` asks for path, status, address, node, method, permission and client as the API calls them."""
    run(
        "log",
        "list",
        "--path",
        "/r",
        "--status",
        "4xx",
        "--ip",
        "10.0.0.0/8",
        "--node",
        "a",
        "--method",
        "GET",
        "--permission",
        "report:read",
        "--client",
        "httpx",
    )
    asked = server.calls[-1].query
    expected = {"path": "/r", "status": "4xx", "address": "10.0.0.0/8", "node": "a", "method": "GET"}
    expected |= {"permission": "report:read", "client": "httpx"}

    assert expected == {name: asked[name] for name in expected}
