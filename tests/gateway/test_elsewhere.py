"""A gateway whose node is on another host, as the how-to says: it identifies itself, and nobody else does for it."""

from __future__ import annotations

import re
import shutil
import stat
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.gateway.conftest import ROOT, Gateway
from tests.serve.serving import serving
from tests.support.installation import http
from tests.support.nginx import start_nginx
from tests.support.processes import free_port
from tests.support.requirements import requires

pytestmark = requires("nginx")
HOW_TO = ROOT / "docs" / "how-to" / "protect-an-api-behind-nginx.md"


@pytest.fixture(scope="module")
def node_port(gateway: Gateway, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """A node that listens to other hosts too, with a home of its own."""
    installation, folder = gateway.installation, tmp_path_factory.mktemp("elsewhere")
    home, port = folder / "home", free_port()
    home.mkdir(mode=0o700)
    shutil.copy2(installation.home / "pepper", home / "pepper")
    installation.cli("node", "enrol", "elsewhere", "--out", str(home / "node-token"))
    flags = ["--only", "node", "--node-host", "0.0.0.0", "--node-port", str(port), "--workers", "1"]  # noqa: S104
    flags += ["--control-url", installation.url, "--node-token-file", str(home / "node-token")]
    with serving(
        installation, folder / "log", *flags, ready=(f"http://127.0.0.1:{port}",), RETINUE_HOME=str(home)
    ):
        yield port


def _caller_file(folder: Path, token: str) -> Path:
    """Write the file with the line of the how-to."""
    (folder / "gateway-token").write_text(token + "\n")
    line = re.search(r"^ *(\(umask 077; printf .*\))$", HOW_TO.read_text(), re.MULTILINE)
    assert line is not None
    subprocess.run(["bash", "-ec", line[1]], cwd=folder, check=True)
    return folder / "retinue_caller.conf"


def test_gateway_identifies_itself(gateway: Gateway, node_port: int, tmp_path: Path) -> None:
    """
    With its own token in the included file the gateway gets decisions: allowed, denied, and no more after a revoke.
    """
    own, token = gateway.account("gateway", "decision:ask"), gateway.account("client", "report:read")
    caller = _caller_file(tmp_path, own)
    application = int(gateway.application.rpartition(":")[2])

    assert 0o600 == stat.S_IMODE(caller.stat().st_mode)
    with start_nginx(
        tmp_path / "nginx", node_port=node_port, application_port=application, caller=caller
    ) as url:
        assert 200 == http("GET", f"{url}/reports", token=token).status
        denied = http("GET", f"{url}/exports/reports.csv", token=token)
        assert (403, "permission_missing") == (denied.status, denied.json()["code"])
        gateway.installation.cli("key", "revoke", "client/k1", "--yes")
        assert 401 == http("GET", f"{url}/reports", token=token).status


def test_without_it_nothing_is_decided(gateway: Gateway, node_port: int, tmp_path: Path) -> None:
    """
    A gateway that says nothing, or may not ask, answers 503, which is no word about the client's token; and a
    client that sends the header in its place is not heard.
    """
    own, token = gateway.account("asker", "decision:ask"), gateway.account("caller", "report:read")
    mistaken = _caller_file(tmp_path, token)
    application = int(gateway.application.rpartition(":")[2])
    answers = []
    with ExitStack() as stack:
        for name, caller in (("silent", None), ("mistaken", mistaken)):
            url = stack.enter_context(
                start_nginx(tmp_path / name, node_port=node_port, application_port=application, caller=caller)
            )
            answers.append(http("GET", f"{url}/reports", token=token, headers={"Retinue-Caller": own}))

    assert [(503, "caller_required"), (503, "caller_forbidden")] == [
        (answer.status, answer.json()["code"]) for answer in answers
    ]
    assert "http://127.0.0.1:8470/docs/errors/caller_required" == answers[0].json()["type"]
