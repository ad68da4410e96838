"""nginx in front of the sample API, asking the node of a real installation."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.installation import Answer, Installation, http
from tests.support.nginx import start_nginx
from tests.support.processes import end_with_parent, free_port, status_of, stop, wait_for
from tests.support.requirements import need

ROOT = Path(__file__).resolve().parents[2]


class Gateway:
    """The protected API as its callers see it, and the installation behind it."""

    def __init__(self, url: str, application: str, installation: Installation, folder: Path) -> None:
        self.url = url
        self.application = application
        self.installation = installation
        self._folder = folder

    def account(self, handle: str, *permissions: str) -> str:
        """Create a service account with one key ``k1`` by the command line; returns the token."""
        granted = [text for each in permissions for text in ("--permission", each)]
        stated = ["--owner", "admin@acme.example", "--purpose", "Calls the reports", "-o", "json"]
        self.installation.cli("account", "create", handle, *granted, *stated)
        file = self._folder / f"{handle}-token"
        self.installation.cli("key", "issue", handle, "--name", "k1", "--out", str(file))
        return file.read_text().strip()

    def call(
        self, path: str, token: str | None = None, *, method: str = "GET", body: object = None, **headers: str
    ) -> Answer:
        """Call the API through nginx; ``Retinue_Identity="x"`` sends that header with dashes."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return http(method, f"{self.url}{path}", token=token, body=body, headers=named)


@pytest.fixture(scope="module")
def gateway(installation: Installation, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A running gateway."""
    need("nginx")
    folder = tmp_path_factory.mktemp("gateway")
    port = free_port()
    command = [sys.executable, "-m", "examples.sample_api", "--mode", "gateway", "--port", str(port)]
    process = subprocess.Popen(
        [*command, "--node-url", installation.node_url], cwd=ROOT, preexec_fn=end_with_parent()
    )
    application = f"http://127.0.0.1:{port}"
    try:
        wait_for("the sample API answers", lambda: status_of(f"{application}/healthz") == 200)
        with start_nginx(folder, node_port=installation.node_port, application_port=port) as url:
            yield Gateway(url, application, installation, folder)
    finally:
        stop(process)
