"""What is for containers and systemd: the image's entry, Dockerfile, compose files and units."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from compose_spec import PyCompose

from tests.support.installation import PROGRAM
from tests.support.processes import end_with_parent, free_ports, status_of, stop, wait_for

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"


@pytest.fixture
def entered(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """The container's entry, run outside of one: its folder, and where its control plane is."""
    port, node_port = free_ports(2)
    environment = {
        "PATH": f"{Path(PROGRAM).parent}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "RETINUE_HOME": str(tmp_path / "home"),
        "RETINUE_PORT": str(port),
        "RETINUE_NODE_PORT": str(node_port),
        "RETINUE_WORKERS": "1",
    }
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [str(DEPLOY / "start")], env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            preexec_fn=end_with_parent(),
        )  # fmt: skip
    try:
        yield tmp_path, f"http://127.0.0.1:{port}"
    finally:
        assert 0 == stop(process), (tmp_path / "log").read_text()


def test_entry_of_the_container(entered: tuple[Path, str]) -> None:
    """
    The first start makes an installation and leaves the setup code in a private file; the image's health check finds it
    well, and SIGTERM ends it with code 0.
    """
    folder, url = entered
    wait_for("it is ready", lambda: status_of(f"{url}/readyz") == 200, seconds=60)
    code = folder / "setup-code"

    assert 0 == _health(f"{url}/readyz")
    assert 1 == _health(f"{url}/nowhere")
    assert 0o600 == stat.S_IMODE(code.stat().st_mode)
    assert code.read_text().strip() not in (folder / "log").read_text()
    assert 200 == status_of(f"{url}/setup/")


def _health(url: str) -> int:
    """Run the health check of the image, word for word; return its exit code."""
    (told,) = re.findall(
        r"^HEALTHCHECK .*\\\n +CMD (\[.+\])$", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE
    )
    command = [sys.executable, *json.loads(told)[1:]]
    environment = {**os.environ, "HEALTH_URL": url}
    return subprocess.run(command, env=environment, capture_output=True, timeout=180, check=False).returncode


def test_dockerfile() -> None:
    """
    The image is built from locked packages, names no moving tag, runs as a user without rights, and tells its health.
    """
    text = (DEPLOY / "Dockerfile").read_text()
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", text, re.MULTILINE)
    sources = [name for line in copied for name in line.split()]

    assert [] == [line for line in re.findall(r"^FROM (\S+)", text, re.MULTILINE) if "latest" in line]
    assert re.search(r"^ARG PYTHON=3\.\d+\.\d+-", text, re.MULTILINE)
    assert [] == re.findall(r"pip install(?!.*(?:--require-hashes|--no-deps)).*", text)
    assert text.rindex("USER 10001") > text.rindex("RUN ")
    assert "HEALTHCHECK" in text
    assert [] == [name for name in sources if not list(ROOT.glob(name))]
    assert os.access(DEPLOY / "start", os.X_OK)


def test_dockerfile_is_linted() -> None:
    """
    hadolint finds nothing in the Dockerfile, nor ShellCheck, which it brings, in its commands; it does in a worse one.
    """
    text = (DEPLOY / "Dockerfile").read_text()

    assert "" == _linted(text)
    assert "DL3007" in _linted("FROM python:latest\n")
    assert "SC2086" in _linted(text.replace("chmod 700 /data", "chmod 700 $HOME"))


def _linted(text: str) -> str:
    program = Path(sys.executable).parent / "hadolint"
    done = subprocess.run([program, "-"], input=text, capture_output=True, text=True, timeout=180)
    assert "" == done.stderr
    return done.stdout


@pytest.mark.parametrize("name", ["compose.yaml", "compose.postgresql.yaml"])
def test_compose(name: str) -> None:
    """
    Services drop every right, listen on loopback of the host alone, and keep their data in volumes that are declared.
    """
    document: dict[str, Any] = yaml.safe_load((DEPLOY / name).read_text())
    own = {key: each for key, each in document["services"].items() if each["image"] == "retinue"}
    volumes = {each.partition(":")[0] for each in _listed(document, "volumes")}

    assert [] == [port for port in _listed(document, "ports") if not port.startswith("127.0.0.1:")]
    assert volumes == set(document["volumes"])
    assert {"ALL"} == {right for each in own.values() for right in each["cap_drop"]}
    assert all(
        each["read_only"] and "no-new-privileges:true" in each["security_opt"] for each in own.values()
    )
    assert all(
        (DEPLOY / each["build"]["context"] / each["build"]["dockerfile"]).is_file() for each in own.values()
    )
    asked = {other for each in document["services"].values() for other in each.get("depends_on", ())}
    assert asked <= set(document["services"])


@pytest.mark.parametrize("name", ["compose.yaml", "compose.postgresql.yaml"])
@pytest.mark.parametrize(
    ("written", "mistaken", "told"),
    [
        ("", "", ""),
        ("restart: unless-stopped", "restart: sometimes", "sometimes"),
        ("read_only: true", "readonly: true", "readonly"),
        ("cap_drop: [ALL]", "cap_drop: 5", "invalid type"),
        ("127.0.0.1:8470:8470", "127.0.0.1:x:8470", "port"),
        ("volumes:", "volume:", "volume"),
    ],
)
def test_compose_is_as_specified(name: str, written: str, mistaken: str, told: str) -> None:
    """
    The file is one by the Compose Specification, read by another's reader of it, which refuses any mistake.
    """
    text = (DEPLOY / name).read_text()
    assert written in text
    read = PyCompose.from_json
    document = json.dumps(yaml.safe_load(text.replace(written, mistaken, 1) if written else text))

    if written:
        with pytest.raises(ValueError, match=told):
            read(document)
    else:
        assert list(yaml.safe_load(text)["services"]) == read(document).service_names()


def _listed(document: dict[str, Any], field: str) -> list[str]:
    return [each for service in document["services"].values() for each in service.get(field, ())]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not here")
@pytest.mark.parametrize("unit", ["retinue.service", "retinue-node.service"])
def test_units_of_systemd(unit: str, tmp_path: Path) -> None:
    """
    systemd understands every line of the unit, and rates what it leaves open as little.
    """
    text = (DEPLOY / "systemd" / unit).read_text()
    copy = tmp_path / unit
    copy.write_text(text.replace("/opt/retinue/bin/retinue", PROGRAM))
    verified = subprocess.run(
        ["systemd-analyze", "verify", str(copy)], capture_output=True, text=True, timeout=180
    )
    rated = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=20", str(copy)],
        capture_output=True, text=True, timeout=180,
    )  # fmt: skip

    assert (0, "") == (verified.returncode, verified.stderr)
    assert 0 == rated.returncode, rated.stdout[-400:]
