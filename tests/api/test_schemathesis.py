"""The real server against its own description: no 5xx, no status that the document does not name."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from retinue.token import Kind, mint
from tests.server_support.django_setup import ORGANIZATION
from tests.support.installation import http
from tests.support.processes import end_with_parent, free_port, status_of, stop, wait_for

PROGRAM = str(Path(sysconfig.get_path("scripts")) / "schemathesis")
SERVER = (sys.executable, "-m", "retinue.server")
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
#: Generated requests to each operation by each caller: together they are to end within two minutes. Most is asked
#: as the owner; the others are refused nearly everywhere, before their bodies are looked at.
EXAMPLES = {"owner": 8, "auditor": 4, "node": 3, "stranger": 3}
#: Who may begin an epoch puts the history in doubt: until nodes were heard, all changes are refused with 503.
LEFT_OUT = {"owner": ("begin_epoch",)}


@dataclass
class Target:
    """A served control plane: the token of each caller, and ids of objects that are there."""

    url: str
    tokens: dict[str, str]
    ids: dict[str, str] = field(default_factory=dict)

    def make(self, path: str, **body: Any) -> Any:
        """Make something as the owner."""
        answer = http("POST", f"{self.url}/v1/{path}", token=self.tokens["owner"], body=body)
        assert answer.status == 201, answer.body
        return answer.json()

    def fill(self) -> None:
        """Make one object of each kind, and the other callers."""
        me = http("GET", f"{self.url}/v1/me", token=self.tokens["owner"]).json()["principal"]["id"]
        new = {"purpose": "x", "owners": [me], "justification": "x"}
        auditor = self.make("service-accounts", name="auditor", roles=["auditor"], **new)["id"]
        account = self.make("service-accounts", name="etl", permissions=["report:read"], **new)["id"]
        grants = http(
            "GET", f"{self.url}/v1/service-accounts/{account}/grants", token=self.tokens["owner"]
        ).json()
        node = self.make("nodes", name="edge")
        self.tokens |= {
            "auditor": self.make(f"service-accounts/{auditor}/keys", name="k")["token"],
            "node": node["token"],
            "stranger": mint(Kind.API_KEY).reveal(),
        }
        self.ids = {
            "account_id": account,
            "key_id": self.make(f"service-accounts/{account}/keys", name="k")["key"]["id"],
            "grant_id": grants["items"][0]["id"],
            "node_id": node["node"]["id"],
            "user_id": me,
        }


@contextmanager
def _served(folder: Path, environment: dict[str, str]) -> Iterator[str]:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [*SERVER, "serve", "--port", str(port)]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stderr=log, preexec_fn=end_with_parent())
    try:
        wait_for("the server is ready", lambda: status_of(f"{url}/readyz") == 200, seconds=120)
        yield url
    finally:
        stop(process)


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """A control plane of the tests' own, with something of each kind in it."""
    folder = tmp_path_factory.mktemp("schemathesis")
    home, token, password = folder / "home", folder / "token", folder / "password"
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "RETINUE_HOME": str(home)}
    password.touch(0o600)
    password.write_text("a-long-throwaway-password\n")
    flags = ("--no-input", "--organization", ORGANIZATION, "--admin-email", "a@acme.example")
    files = ("--admin-password-file", str(password), "--token-file", str(token))
    subprocess.run([*SERVER, "init", *flags, *files], env=environment, check=True, timeout=240)
    (home / "permissions.yaml").write_text("permissions: [report:read]\n")
    with _served(folder, environment) as url:
        made = Target(url, {"owner": token.read_text().strip()})
        made.fill()
        yield made


@pytest.mark.parametrize("caller", EXAMPLES)
def test_any_request_gets_a_documented_answer(target: Target, caller: str, tmp_path: Path) -> None:
    """
    Generated requests, valid and not, get documented statuses and bodies from every operation, whoever calls:
    an owner and operator about objects that are there, an auditor, a node, and somebody with a token of nobody.
    """
    # Not in argv: the configuration file reads the header from the environment.
    settings = tmp_path / "schemathesis.toml"
    lines = ['headers = { Authorization = "Bearer ${API_TOKEN}" }']
    if caller == "owner":
        lines += ["[parameters]", *(f'"path.{name}" = "{ident}"' for name, ident in target.ids.items())]
    settings.write_text("\n".join(lines) + "\n")
    flags = (
        "--checks",
        CHECKS,
        "--phases",
        "examples,fuzzing",
        "--max-examples",
        str(EXAMPLES[caller]),
        "--seed",
        "1",
        "--request-timeout",
        "60",
        *(f"--exclude-operation-id={each}" for each in LEFT_OUT.get(caller, ())),
    )
    done = subprocess.run(
        [PROGRAM, "--config-file", str(settings), "run", f"{target.url}/v1/openapi.json", *flags,
         "--no-color"],
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "API_TOKEN": target.tokens[caller]},
        cwd=tmp_path, capture_output=True, text=True, timeout=1_200, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    selected = re.search(r"Selected: (\d+)/(\d+)\s+Tested: \1\b", done.stdout)
    assert selected is not None, done.stdout[-2000:]
    assert int(selected[2]) - len(LEFT_OUT.get(caller, ())) == int(selected[1])
