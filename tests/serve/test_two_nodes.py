"""The planes apart: one control plane on either database, and two nodes with homes of their own."""

from __future__ import annotations

import json
import re
import shutil
import stat
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.serve.serving import serving
from tests.support.installation import Installation, http
from tests.support.processes import free_port


@dataclass
class Estate:
    """A control plane, and the addresses of its nodes."""

    installation: Installation
    nodes: list[str]

    def decisions(self, token: str) -> list[tuple[bool, str | None]]:
        """Ask each node about a token."""
        question = {"token": token, "need": ["report:read"]}
        answers = [http("POST", f"{url}/v1/verify", body=question).json() for url in self.nodes]
        return [(answer["allowed"], answer["reason"]) for answer in answers]


def _second_home(installation: Installation, folder: Path) -> Path:
    """Make the home of a further node: its token and the pepper, and nothing else."""
    folder.mkdir(mode=0o700)
    shutil.copy2(installation.home / "pepper", folder / "pepper")
    installation.cli("node", "enrol", "edge", "--out", str(folder / "node-token"))
    assert stat.S_IMODE((folder / "node-token").stat().st_mode) == 0o600
    return folder


@pytest.fixture
def estate(database_url: str, tmp_path: Path) -> Iterator[Estate]:
    """The control plane alone, the node `local` alone, and a node `edge` with its own home."""
    environment = {} if database_url.startswith("sqlite") else {"RETINUE_DATABASE_URL": database_url}
    installation = Installation(tmp_path / "home", environment)
    installation.init()
    ports = [free_port(), free_port()]
    nodes = [f"http://127.0.0.1:{port}" for port in ports]
    alone = ("--only", "node", "--control-url", installation.url, "--workers", "1")
    with ExitStack() as stack:

        def start(name: str, *flags: str, ready: str, **other: str) -> None:
            stack.enter_context(serving(installation, tmp_path / name, *flags, ready=(ready,), **other))

        start("control", "--only", "control", "--port", str(installation.port), ready=installation.url)
        start("local", *alone, "--node-port", str(ports[0]), ready=nodes[0])
        edge = _second_home(installation, tmp_path / "edge")
        further = ("--node-token-file", str(edge / "node-token"), "--node-port", str(ports[1]))
        own = {"RETINUE_HOME": str(edge), "RETINUE_DATABASE_URL": ""}
        start("further", *alone, *further, ready=nodes[1], **own)
        yield Estate(installation, nodes)


def test_key_is_allowed_and_refused_on_every_node(estate: Estate, tmp_path: Path) -> None:
    """
    A key works on both nodes when its issue returns, and on neither when its revoke has returned.
    """
    cli, file = estate.installation.cli, tmp_path / "key"
    stated = ("--owner", "admin@acme.example", "--purpose", "a test", "--permission", "report:read")
    cli("account", "create", "etl", *stated)
    cli("key", "issue", "etl", "--name", "k1", "--out", str(file))
    token = file.read_text().strip()

    assert [(True, None)] * 2 == estate.decisions(token)
    cli("key", "revoke", "etl/k1", "--yes")
    assert [(False, "credential_revoked")] * 2 == estate.decisions(token)


def test_nodes_are_told_apart(estate: Estate) -> None:
    """
    The list of nodes names both, each with a contact.
    """
    rows = estate.installation.cli(
        "node", "list", "-o", "tsv", "--fields", "name,last_contact_at"
    ).splitlines()
    contacts = dict(row.split("\t") for row in rows if not row.startswith("name"))

    assert {"local", "edge"} == contacts.keys()
    assert all(contacts.values())


def test_what_is_measured_is_served(estate: Estate) -> None:
    """
    `/metrics` of the control plane counts what its processes did, and shows how both nodes are.
    """
    installation = estate.installation
    text = http("GET", f"{installation.url}/metrics", token=installation.token()).body.decode()
    found = dict(re.findall(r'^(\w+(?:\{node="\w+"\})?) (\S+)$', text, re.MULTILINE))

    assert 2.0 <= float(found["retinue_poll_seconds_count"])
    for name in ("local", "edge"):
        assert "1.0" == found[f'retinue_node_connected{{node="{name}"}}']
        assert 0.0 < float(found[f'retinue_node_lease_remaining_seconds{{node="{name}"}}'])


def test_the_probe_finds_the_promise_kept_on_every_node(estate: Estate) -> None:
    """
    Both nodes verify the canary, allow it before its revoke and refuse it then, and none accepts it after the
    receipt; what was found is measured, and nothing of the canary's token is left.
    """
    installation = estate.installation
    found = json.loads(installation.cli("node", "verify", "-o", "json"))
    again = json.loads(installation.cli("node", "verify", "-o", "json"))
    text = http("GET", f"{installation.url}/metrics", token=installation.token()).body.decode()

    for probe in (found, again):
        assert (True, "done", []) == (probe["good"], probe["state"], probe["missing"])
        assert {("edge", "credential_revoked", False), ("local", "credential_revoked", False)} == {
            (node["node"], node["reason"], node["stale"]) for node in probe["nodes"]
        }
        assert all(node["allowed_ms"] < 2_000 for node in probe["nodes"])
        assert all(node["refused_ms"] < 2_000 for node in probe["nodes"])
    assert {"local", "edge"} == set(re.findall(r'^retinue_probe_seconds\{node="(\w+)"\}', text, re.MULTILINE))
    assert "retinue_probe_stale_total 0.0" in text.splitlines()
