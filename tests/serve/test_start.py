"""How ``retinue serve`` begins and ends: what it says, what it refuses, and that nothing is left."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.serve.serving import Serving, serving
from tests.support.installation import Installation
from tests.support.processes import descendants, is_alive, status_of, wait_for


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """An installation that has been served once: its replica is complete."""
    made = Installation(tmp_path_factory.mktemp("start") / "home")
    made.init()
    made.start()
    made.stop()
    return made


def _flags(installation: Installation) -> list[str]:
    return ["--port", str(installation.port), "--node-port", str(installation.node_port)]


def test_says_what_listens_where_and_nothing_else(installation: Installation, tmp_path: Path) -> None:
    """
    One line for each plane, when it is ready; no warning, at the start and at the end.
    """
    ready = (installation.url, installation.node_url)
    with serving(installation, tmp_path / "log", *_flags(installation), ready=ready) as started:
        wait_for("both planes are told", lambda: len(started.said) >= 2)

    assert sorted(started.said) == [
        f"control plane {installation.url}  ready",
        f"node          {installation.node_url}  ready",
    ]


def test_no_line_before_it_is_ready(installation: Installation, tmp_path: Path) -> None:
    """
    Who reads "ready" can call at once.
    """
    started = Serving(installation, tmp_path / "log", *_flags(installation))
    try:
        wait_for("a line", lambda: started.said, seconds=30, every=0.001)
        listener = installation.url if started.said[0].startswith("control") else installation.node_url

        assert 200 == status_of(f"{listener}/readyz")
    finally:
        started.process.terminate()
        started.process.wait(30)


@pytest.mark.parametrize("flag", ["--port", "--node-port"])
def test_port_in_use_is_one_line_at_once(flag: str, installation: Installation, tmp_path: Path) -> None:
    """
    A port in use ends it with 1 and one line before anything is started.
    """
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        flags = _flags(installation)
        flags[flags.index(flag) + 1] = str(port)
        began = time.monotonic()
        done = installation.run("serve", *flags)

    assert (1, "") == (done.returncode, done.stdout)
    assert [f"error: {flag} {port}: cannot listen on 127.0.0.1:{port} (Address already in use)"] == [
        line.partition(";")[0] for line in done.stderr.splitlines()
    ]
    assert time.monotonic() - began < 10
    assert None is status_of(f"{installation.url}/healthz")


def test_database_that_does_not_answer_is_one_line(installation: Installation) -> None:
    """
    The control plane's process ends at once with what is wrong, and no trace.
    """
    away = "postgresql://nobody:hunter2@127.0.0.1:1/nothing"
    done = subprocess.run(
        [sys.executable, "-m", "retinue.server", "serve", "--port", str(installation.port)],
        env={**installation.environment, "RETINUE_DATABASE_URL": away},
        capture_output=True,
        text=True,
        timeout=30,
    )

    assert (1, "", 1) == (done.returncode, done.stdout, len(done.stderr.splitlines()))
    assert done.stderr.startswith("error: the database: ")
    assert "hunter2" not in done.stderr


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("RETINUE_DATABASE_URL", "postgresql://u:hunter2@h:abc/db"),
        ("RETINUE_HOSTS", "*"),
        ("RETINUE_NODE_NAME", "A_b"),
    ],
)
def test_bad_variable_ends_it(variable: str, value: str, installation: Installation) -> None:
    """
    A process that finds a setting wrong says so in one line, and all end with 1: it is not tried for ever.
    """
    told = Installation(installation.home, {variable: value})
    done = told.run("serve", *_flags(told), "--workers", "1")

    assert (1, "") == (done.returncode, done.stdout)
    assert f"{variable}: " in done.stderr
    assert "refuses to start; stopping" in done.stderr
    assert not {"Traceback", "hunter2"} & set(done.stderr.replace(":", " ").split())


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("control = 5", "control: a table, [control] with its keys below, not 5"),
        ("[control]\nprot = 80", "control.prot: no such key; did you mean control.port?"),
    ],
)
def test_mistake_in_the_file_ends_it_at_once(line: str, said: str, installation: Installation) -> None:
    """
    A mistake in retinue.toml is told before anything is started, with file, key and rule.
    """
    path = installation.home / "retinue.toml"
    before = path.read_text()
    path.write_text(line)
    done = installation.run("serve", *_flags(installation))
    path.write_text(before)

    assert (2, [f"error: {path}: {said}", "  try: correct the file"]) == (
        done.returncode,
        done.stderr.splitlines(),
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_ends_everything(number: signal.Signals, installation: Installation, tmp_path: Path) -> None:
    """
    SIGTERM and Ctrl-C end it with 0; no process is left and nothing listens.
    """
    ready = (installation.url, installation.node_url)
    with serving(installation, tmp_path / "log", *_flags(installation), ready=ready) as started:
        below = started.below()
        started.process.send_signal(number)

        assert 0 == started.process.wait(30)
        assert (True, []) == (len(below) >= 4, [pid for pid in below if is_alive(pid)])
    assert [None, None] == [status_of(f"{url}/healthz") for url in ready]


def test_signal_before_it_is_ready(installation: Installation, tmp_path: Path) -> None:
    """
    SIGTERM right after the start ends it as well, with all that it has started.
    """
    started = Serving(installation, tmp_path / "log", *_flags(installation))
    wait_for("its processes", lambda: len(started.below()) >= 3, every=0.001)
    below = started.below()
    started.process.terminate()

    assert 0 == started.process.wait(30)
    assert [] == [pid for pid in below if is_alive(pid)]


def test_killed_supervisor_leaves_nothing(installation: Installation, tmp_path: Path) -> None:
    """
    After `kill -9` of `retinue serve` its processes end by themselves, and it starts again at once.
    """
    ready = (installation.url, installation.node_url)
    with serving(installation, tmp_path / "log", *_flags(installation), ready=ready) as started:
        below = descendants(started.process.pid)
        started.process.kill()
        started.process.wait()
        wait_for("they end", lambda: not any(is_alive(pid) for pid in below), seconds=30)
    with serving(installation, tmp_path / "again", *_flags(installation), ready=ready):
        assert installation.cli("whoami", "-o", "id")


@pytest.mark.parametrize(
    ("words", "grandchild"),
    [
        ("retinue.server", False),
        ("retinue.server", True),
        ("node follower", False),
        ("worker --index 0", False),
    ],
    ids=["control plane", "its worker", "follower", "worker of the node"],
)
def test_killed_process_comes_back(
    words: str, grandchild: bool, installation: Installation, tmp_path: Path
) -> None:
    """
    After `kill -9` of a process the service is whole again: a key that is issued then is allowed, and
    refused as soon as it is revoked.
    """
    handle = f"{words.split()[-1].replace('.', '-')}-{grandchild}".lower()
    ready = (installation.url, installation.node_url)
    with serving(installation, tmp_path / "log", *_flags(installation), ready=ready) as started:
        victim = started.child(words)
        os.kill(descendants(victim)[0] if grandchild else victim, signal.SIGKILL)
        wait_for("it has ended", lambda: not is_alive(victim) or grandchild)
        wait_for("it runs again", lambda: started.child(words) != 0, seconds=30)
        started.wait_ready(*ready)
        file = tmp_path / "key"
        stated = ("--owner", "admin@acme.example", "--purpose", "a test", "--permission", "report:read")
        installation.cli("account", "create", handle, *stated)
        installation.cli("key", "issue", handle, "--name", "k1", "--out", str(file))
        asked = ("verify", "--file", str(file), "--need", "report:read")

        assert 0 == installation.run(*asked).returncode
        installation.cli("key", "revoke", f"{handle}/k1", "--yes")
        assert 7 == installation.run(*asked).returncode
