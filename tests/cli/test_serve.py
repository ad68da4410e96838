"""`serve`: settings, and what is refused before anything is started."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from retinue import pepper
from retinue.cli import extras, planes
from retinue.cli.exits import CommandError, Exit
from tests.cli.conftest import Run


@pytest.fixture
def home(tmp_path: Path, run: Run) -> Path:
    """A folder that looks like an installation; the environment is a script's."""
    folder = tmp_path / "home"
    folder.mkdir()
    (folder / "retinue.toml").write_text('brand = "rtn"\n[control]\nport = 9470\n[node]\nport = 9471\n')
    pepper.create(folder / "pepper")
    for name in ("secret-key", "node-token"):
        (folder / name).touch(0o600)
    return folder


def planned(home: Path, **given: object) -> planes.Plan:
    """Return the plan for these flags."""
    names = ["only", "host", "port", "node_host", "node_port", "workers", "control_url", "node_token_file"]
    names += ["relay_host", "relay_port"]
    flags = {name: given.get(name) for name in names}
    return planes.plan(home, **flags, open_decisions=bool(given.get("open_decisions")))  # type: ignore[arg-type]


def test_flags_before_environment_before_file(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A flag wins over the environment, which wins over the installation's file."""
    from_file = planned(home)
    monkeypatch.setenv("RETINUE_PORT", "9570")
    from_environment = planned(home)
    from_flag = planned(home, port=9670)

    assert [9470, 9570, 9670] == [from_file.port, from_environment.port, from_flag.port]
    assert "http://127.0.0.1:9670" == from_flag.control_url


def test_children(home: Path) -> None:
    """Workers stop before the follower, and that before the control plane; no secret is an argument."""
    children = {child.name: child for child in planes.children(planned(home, workers=2))}

    assert ["control", "follower", "worker 0", "worker 1"] == list(children)
    assert [2, 1, 0, 0] == [child.stop_order for child in children.values()]
    assert "http://127.0.0.1:9470" == children["worker 1"].env["RETINUE_CONTROL_URL"]
    assert [sys.executable, "-m", "retinue.node", "worker", "--index", "1"] == list(children["worker 1"].argv)


def test_a_relay(home: Path, monkeypatch: pytest.MonkeyPatch, run: Run) -> None:
    """A node relays if it is given a port for it, which is no other's; the follower is told, and it is announced."""
    plain = planes.children(planned(home))[1].env["RETINUE_RELAY_PORT"]
    monkeypatch.setenv("RETINUE_RELAY_HOST", "127.0.0.2")
    plan = planned(home, relay_port=9472)
    env = planes.children(plan)[1].env
    taken = run("serve", "--home", str(home), "--relay-port", "9471")
    only = run("serve", "--home", str(home), "--only", "control", "--relay-port", "9472")

    assert ("", "127.0.0.2", "9472") == (plain, env["RETINUE_RELAY_HOST"], env["RETINUE_RELAY_PORT"])
    assert ("relay", "http://127.0.0.2:9472") in planes.listeners(plan)
    assert (Exit.USAGE, Exit.USAGE) == (taken.code, only.code)
    assert "--relay-port 9471" in taken.err


def test_one_plane_alone(home: Path) -> None:
    """`--only` starts one plane; a node alone follows the control plane that it is told."""
    control = planes.children(planned(home, only="control"))
    node = planes.children(planned(home, only="node", workers=1, control_url="https://control.example"))

    assert ["control"] == [child.name for child in control]
    assert ["follower", "worker 0"] == [child.name for child in node]
    assert "https://control.example" == node[0].env["RETINUE_CONTROL_URL"]


@pytest.mark.parametrize(("flag", "other"), [("--port", "--node-port"), ("--node-port", "--port")])
@pytest.mark.parametrize("shared", [False, True])
def test_port_in_use(flag: str, other: str, shared: bool, home: Path, run: Run) -> None:
    """A port in use is named before anything is started, also one that its owner shares."""
    with socket.socket() as taken, socket.socket() as free:
        if shared:
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        free.bind(("127.0.0.1", 0))
        port, unused = taken.getsockname()[1], free.getsockname()[1]
        free.close()

        outcome = run("serve", "--home", str(home), flag, str(port), other, str(unused))

    assert (Exit.FAILED, 1) == (outcome.code, len(outcome.err.splitlines()))
    assert f"{flag} {port}: cannot listen on 127.0.0.1:{port}" in outcome.err


def test_missing_installation(run: Run) -> None:
    """Without an installation `serve` says how to make one."""
    outcome = run("serve")

    assert Exit.FAILED == outcome.code
    assert "retinue init" in outcome.err


@pytest.mark.parametrize(
    ("name", "todo"),
    [("node-token", "retinue node enrol"), ("pepper", "copy the installation's pepper there")],
)
def test_node_alone_needs_its_secrets(name: str, todo: str, home: Path, run: Run) -> None:
    """A node without its token or the pepper says where they come from."""
    (home / name).unlink()
    outcome = run("serve", "--home", str(home), "--only", "node", "--control-url", "http://127.0.0.1:1")

    assert Exit.FAILED == outcome.code
    assert todo in outcome.err


@pytest.mark.parametrize(("only", "extra"), [("control", "server"), ("node", "node")])
def test_missing_extra(only: str, extra: str, home: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A plane whose packages are missing is told with the line that installs them."""
    monkeypatch.setattr(extras, "find_spec", lambda _package: None)

    outcome = run("serve", "--home", str(home), "--only", only)

    assert Exit.FAILED == outcome.code
    assert f"pip install 'retinue[{extra}]'" in outcome.err


def test_a_plane_needs_its_own_extra_only(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A node alone does not ask for the control plane's packages."""
    monkeypatch.setattr(extras, "find_spec", lambda package: None if package == "django" else object())

    extras.require_node()

    with pytest.raises(CommandError):
        extras.require_server()


def test_light_install_names_the_extra(tmp_path: Path) -> None:
    """Without the command framework each command prints the one line that adds it, and no trace."""
    program = (
        "import sys; sys.modules['cyclopts'] = None; from retinue.cli.__main__ import main; sys.exit(main())"
    )

    process = subprocess.run(
        [sys.executable, "-c", program, "account", "list"], capture_output=True, text=True, cwd=tmp_path
    )

    assert (1, "") == (process.returncode, process.stdout)
    assert "pip install 'retinue[cli]'" in process.stderr
    assert "Traceback" not in process.stderr
