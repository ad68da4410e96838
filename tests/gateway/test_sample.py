"""The sample API behind nginx: who is let through, what is told to whom, and that a revoke holds."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.gateway.conftest import ROOT
from tests.support.gateways import parameters, start_gateway
from tests.support.installation import Answer, Installation, http
from tests.support.processes import end_with_parent, free_port, status_of, stop, wait_for
from tests.support.requirements import requires

pytestmark = requires("nginx")
#: Without a part in a path nginx takes exact and longest places, and no regular expression.
RULES = ("/reports*=report:read", "/exports/reports.csv=report:export", "GET,POST /entries=report:write")


@dataclass
class Gateway:
    """The protected API as its callers see it, and the installation behind it."""

    url: str
    application: str
    installation: Installation
    folder: Path

    def account(self, handle: str, *permissions: str) -> str:
        """Create a service account with one key ``k1`` by the command line; returns the token, which the node knows."""
        granted = [text for each in permissions for text in ("--permission", each)]
        stated = ["--owner", "admin@acme.example", "--purpose", "Calls the reports", "-o", "json"]
        self.installation.cli("account", "create", handle, *granted, *stated)
        file = self.folder / f"{handle}-token"
        self.installation.cli("key", "issue", handle, "--name", "k1", "--out", str(file))
        self.installation.settle()
        return file.read_text().strip()

    def call(
        self, path: str, token: str | None = None, *, method: str = "GET", body: object = None, **headers: str
    ) -> Answer:
        """Call the API through nginx; ``Retinue_Identity="x"`` sends that header with dashes."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return http(method, f"{self.url}{path}", token=token, body=body, headers=named)


@pytest.fixture(scope="module")
def gateway(installation: Installation, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """The sample API behind a running nginx."""
    folder = tmp_path_factory.mktemp("sample")
    port = free_port()
    command = [sys.executable, "-m", "examples.sample_api", "--mode", "gateway", "--port", str(port)]
    process = subprocess.Popen(
        [*command, "--node-url", installation.node_url], cwd=ROOT, preexec_fn=end_with_parent()
    )
    application = f"http://127.0.0.1:{port}"
    wanted = parameters(RULES, node_port=installation.node_port, application_port=port)
    try:
        wait_for("the sample API answers", lambda: status_of(f"{application}/healthz") == 200)
        with start_gateway("nginx", folder / "nginx", wanted) as url:
            yield Gateway(url, application, installation, folder)
    finally:
        stop(process)


def _listed(gateway: Gateway, *arguments: str) -> list[dict[str, Any]]:
    document = json.loads(gateway.installation.cli(*arguments, "-o", "json"))
    return list(document["items"] if isinstance(document, dict) else document)


def test_from_nothing_to_a_revoked_key(gateway: Gateway) -> None:
    """
    A program gets an identity and a key, a protected API accepts it under the account's name, and the
    key is refused from the moment that the revoke has returned; the audit log says who did it.
    """
    token = gateway.account("story", "report:read")

    allowed = gateway.call("/reports?month=2026-01", token)
    assert allowed.status == 200
    assert len(allowed.json()["items"]) == 4
    assert allowed.headers["sample-caller"].startswith("sa_")

    logged = wait_for("the request is listed", lambda: _listed(gateway, "log", "list", "--account", "story"))
    told = {name: logged[0][name] for name in ("decision", "permission", "method", "path")}
    assert {"decision": "allowed", "permission": "report:read", "method": "GET", "path": "/reports"} == told
    assert "story" == logged[0]["account"]["name"]

    gateway.installation.cli("key", "revoke", "story/k1", "--yes")
    refused = gateway.call("/reports", token)
    assert (401, "credential_revoked") == (refused.status, refused.json()["code"])
    assert 'error="invalid_token"' in refused.headers["www-authenticate"]

    revoked = [event for event in _listed(gateway, "audit", "list") if event["type"] == "key.revoked"]
    key = logged[0]["credential_id"]
    assert ["user"] == [event["actor"]["kind"] for event in revoked if event["subject"]["id"] == key]


def test_without_a_token_the_challenge_names_the_realm_only(gateway: Gateway) -> None:
    """
    No token: 401 with a challenge that tells nothing but the realm.
    """
    answer = gateway.call("/reports")

    assert (401, "token_missing", 'Bearer realm="retinue"', "token_missing") == (
        answer.status,
        answer.json()["code"],
        answer.headers["www-authenticate"],
        answer.headers["retinue-error"],
    )


def test_a_missing_permission_is_named(gateway: Gateway) -> None:
    """
    A genuine token without the permission: 403 that names what is missing.
    """
    token = gateway.account("sample-reader", "report:read")

    answer = gateway.call("/exports/reports.csv", token)

    assert (403, "permission_missing") == (answer.status, answer.json()["code"])
    assert 'scope="report:export"' in answer.headers["www-authenticate"]


def test_export_and_write_are_allowed_with_their_permissions(gateway: Gateway) -> None:
    """
    Each path asks for its own permission, and a body reaches the application whole.
    """
    token = gateway.account("worker", "report:export", "report:write")
    entry = {"month": "2026-03", "region": "north", "cents": 1234}

    exported = gateway.call("/exports/reports.csv", token)
    booked = gateway.call("/entries", token, method="POST", body=entry)

    assert (200, "id,month,region,cents,booked_by") == (
        exported.status,
        exported.body.decode().splitlines()[0],
    )
    assert (201, 1234, "worker") == (booked.status, booked.json()["cents"], booked.json()["booked_by"])


def test_a_forged_identity_is_replaced(gateway: Gateway) -> None:
    """
    What the client sends as Retinue-Identity never reaches the application, with a token or without.
    """
    token = gateway.account("forger", "report:read")

    with_token = gateway.call("/reports", token, Retinue_Identity="e30.e30.AAAA")
    without = gateway.call("/reports", Retinue_Identity="e30.e30.AAAA")

    assert (200, 401) == (with_token.status, without.status)


@pytest.mark.parametrize("identity", [None, "", "a.b.c", "e30.e30.AAAA"])
def test_the_application_believes_a_signature_only(gateway: Gateway, identity: str | None) -> None:
    """
    Who reaches the application around the gateway is refused, whatever the header says.
    """
    headers = {} if identity is None else {"Retinue-Identity": identity}

    assert 401 == http("GET", f"{gateway.application}/reports", headers=headers).status


def test_what_has_no_rule_does_not_exist(gateway: Gateway) -> None:
    """
    A path without a rule is refused, with a token too; the question to the node is not a path of the API.
    """
    token = gateway.account("wanderer", "report:read")

    assert [404, 404, 404] == [
        gateway.call(path, token).status for path in ("/", "/admin", "/_retinue/report:read")
    ]


@pytest.mark.parametrize("path", ["/reports/..%2fentries", "/reports%5c..%5centries", "/%2e%2e/entries"])
def test_ambiguous_paths_are_refused(gateway: Gateway, path: str) -> None:
    """
    An encoded slash, backslash or dot never reaches the application.
    """
    assert 400 == gateway.call(path).status


def test_a_regenerated_key_ends_the_old_token(gateway: Gateway) -> None:
    """
    A regenerated key accepts the new token and refuses the old one at once.
    """
    old = gateway.account("renewed", "report:read")
    key = _listed(gateway, "key", "list", "renewed")[0]["id"]

    answer = gateway.installation.change("POST", f"/v1/keys/{key}/regenerate", {})

    assert 200 == answer.status
    assert (401, 200) == (
        gateway.call("/reports", old).status,
        gateway.call("/reports", answer.json()["token"]).status,
    )


def test_an_undeclared_permission_closes_the_door(gateway: Gateway) -> None:
    """
    A permission that is empty, misspelled or a pattern is an error of the gateway (500), never allowed.
    """
    token = gateway.account("mistaken", "report:read")
    url = f"{gateway.installation.node_url}/v1/forward-auth/"

    assert [500, 500, 500] == [
        http("GET", url + need, token=token).status for need in ("", "report:raed", "report:*")
    ]
