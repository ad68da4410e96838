"""The real server against its own description: no 5xx, no status that the document does not name."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

from tests.server_support.django_setup import ORGANIZATION
from tests.support.processes import end_with_parent, free_port, status_of, stop, wait_for

PROGRAM = str(Path(sysconfig.get_path("scripts")) / "schemathesis")
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"


def test_any_request_gets_a_documented_answer(tmp_path: Path) -> None:
    """
    Generated requests, valid and not, get documented statuses and bodies from every operation.
    """
    home, token, password = tmp_path / "home", tmp_path / "token", tmp_path / "password"
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "RETINUE_HOME": str(home)}
    password.touch(0o600)
    password.write_text("a-long-throwaway-password\n")
    server = [sys.executable, "-m", "retinue.server"]
    subprocess.run(
        [
            *server,
            "init",
            "--no-input",
            "--organization",
            ORGANIZATION,
            "--admin-email",
            "a@acme.example",
            "--admin-password-file",
            str(password),
            "--token-file",
            str(token),
        ],
        env=environment,
        check=True,
        timeout=60,
    )
    port = free_port()
    process = subprocess.Popen(
        [*server, "serve", "--port", str(port)], env=environment, preexec_fn=end_with_parent()
    )
    try:
        url = f"http://127.0.0.1:{port}"
        wait_for("the server is ready", lambda: status_of(f"{url}/readyz") == 200, seconds=30)
        # Not in argv: the configuration file reads the header from the environment.
        settings = tmp_path / "schemathesis.toml"
        settings.write_text('headers = { Authorization = "Bearer ${API_TOKEN}" }\n')
        done = subprocess.run(
            [
                PROGRAM,
                "--config-file",
                str(settings),
                "run",
                f"{url}/v1/openapi.json",
                "--checks",
                CHECKS,
                "--phases",
                "examples,fuzzing",
                "--max-examples",
                "12",
                "--seed",
                "1",
                "--no-color",
                "--exclude-path-regex",
                "/me/tokens/|/feed/",
            ],
            env={**environment, "API_TOKEN": token.read_text().strip()},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=150,
            check=False,
        )
    finally:
        stop(process)

    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
