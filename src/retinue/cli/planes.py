"""What ``serve`` starts: which processes, with which settings, and what must be there before."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from retinue import pepper
from retinue import settings as toml
from retinue.cli import settings
from retinue.cli.exits import CommandError, Exit
from retinue.supervisor import Child

_BACKLOG = 1024
_TODO = {
    "pepper": "restore it from the backup, or name its place by RETINUE_PEPPER_FILE",
    "secret key": "run `retinue init` to make a new one; console sessions end",
    "node's token": "get one with `retinue node enrol NAME --out F`, and name it by --node-token-file",
}
#: What is to be done where there is a node alone.
_TODO_OF_A_NODE = {"pepper": "copy the installation's pepper there (mode 0600), or set RETINUE_PEPPER_FILE"}
# Workers of the node end first, then the follower, which ships what they recorded to the control plane.
_STOP_WORKERS, _STOP_FOLLOWER, _STOP_CONTROL = 0, 1, 2


@dataclass(frozen=True)
class Plan:
    """The settings of one run of ``serve``, complete."""

    home: Path
    control: bool
    node: bool
    host: str
    port: int
    node_host: str
    node_port: int
    workers: int
    control_url: str
    node_token_file: Path
    pepper_file: Path
    open_decisions: bool
    brand: str
    relay_host: str
    relay_port: int


def plan(
    home: Path,
    only: str | None,
    host: str | None,
    port: int | None,
    node_host: str | None,
    node_port: int | None,
    workers: int | None,
    control_url: str | None,
    node_token_file: Path | None,
    open_decisions: bool,
    relay_host: str | None = None,
    relay_port: int | None = None,
) -> Plan:
    """Put the settings together: flags, then the environment, then the installation's file, then defaults."""
    try:
        file = toml.read(home / toml.FILE)
    except toml.SettingError as error:
        raise CommandError(str(error), "correct the file", Exit.USAGE) from None
    own_host = host or os.environ.get("RETINUE_HOST") or file.get("control.host", "127.0.0.1")
    own_port = _number("--port", port, "RETINUE_PORT", file.get("control.port", 8470), toml.port)
    local = None if only == "node" else _url(own_host, own_port)
    return Plan(
        home=home,
        control=only != "node",
        node=only != "control",
        host=own_host,
        port=own_port,
        node_host=node_host or os.environ.get("RETINUE_NODE_HOST") or file.get("node.host", "127.0.0.1"),
        node_port=_number(
            "--node-port", node_port, "RETINUE_NODE_PORT", file.get("node.port", 8471), toml.port
        ),
        workers=_number("--workers", workers, "RETINUE_WORKERS", _cores(), toml.number(1, 1024)),
        control_url=control_url or local or os.environ.get("RETINUE_CONTROL_URL") or settings.DEFAULT_URL,
        node_token_file=node_token_file or _path("RETINUE_NODE_TOKEN_FILE", home / "node-token"),
        pepper_file=_path("RETINUE_PEPPER_FILE", home / "pepper"),
        open_decisions=open_decisions or settings.flag("RETINUE_OPEN_DECISIONS"),
        brand=file.get("brand", ""),
        relay_host=relay_host
        or os.environ.get("RETINUE_RELAY_HOST")
        or file.get("node.relay_host", "127.0.0.1"),
        relay_port=_number(
            "--relay-port", relay_port, "RETINUE_RELAY_PORT", file.get("node.relay_port", 0), toml.port
        ),
    )


def check(plan: Plan) -> None:
    """Raise, before anything is started, if a secret is missing or cannot be used."""
    if plan.control and not (plan.home / "retinue.toml").exists():
        raise CommandError(f"there is no installation in {plan.home}", "run `retinue init` first")
    secrets = {"pepper": plan.pepper_file}
    if plan.control:
        secrets["secret key"] = plan.home / "secret-key"
    if plan.node:
        secrets["node's token"] = plan.node_token_file
    for what, path in secrets.items():
        if not path.exists():
            todo = _TODO_OF_A_NODE.get(what) if not plan.control else None
            raise CommandError(f"the {what} is missing: {path}", todo or _TODO[what])
    try:
        pepper.load(plan.pepper_file)
        for path in secrets.values():
            pepper.read_private(path)
    except pepper.PepperError as error:
        raise CommandError(str(error)) from None
    if plan.node:
        plan.home.mkdir(mode=0o700, parents=True, exist_ok=True)
    if plan.control and plan.node and plan.port == plan.node_port:
        raise CommandError(f"--port and --node-port are both {plan.port}", "give each its own", Exit.USAGE)
    if plan.relay_port and plan.relay_port in (plan.node_port, plan.port if plan.control else 0):
        raise CommandError(f"--relay-port {plan.relay_port} is in use here", "give it its own", Exit.USAGE)


def leave_word(plan: Plan, skipped: Sequence[str]) -> None:
    """Tell the control plane's next start that its database was restored, and which nodes it need not ask."""
    if not plan.control:
        raise CommandError("--restored is for the control plane", "give it there", Exit.USAGE)
    (plan.home / "restored").write_text("".join(f"{name}\n" for name in skipped))


def listen(plan: Plan) -> socket.socket | None:
    """Open the control plane's socket; raise if a port is in use, before anything is started.

    It stays open here while the control plane is restarted, so that callers wait and are not refused. The
    workers of the node open their own on the shared port.
    """
    if plan.node:
        _listening("--node-port", plan.node_host, plan.node_port).close()
        if plan.relay_port:
            _listening("--relay-port", plan.relay_host, plan.relay_port).close()
    return _listening("--port", plan.host, plan.port) if plan.control else None


def children(plan: Plan, listening: socket.socket | None = None) -> list[Child]:
    """Return the processes to run; the control plane serves on ``listening``."""
    started = []
    if plan.control:
        argv = [sys.executable, "-m", "retinue.server", "serve"]
        argv += ["--host", plan.host, "--port", str(plan.port)]
        descriptors = [] if listening is None else [listening.detach()]
        argv += [f"--descriptor={number}" for number in descriptors]
        env = {"RETINUE_HOME": str(plan.home)}
        started.append(Child("control", argv, env, _STOP_CONTROL, descriptors))
    if plan.node:
        env = _node_environment(plan)
        node = [sys.executable, "-m", "retinue.node"]
        started.append(Child("follower", [*node, "follower"], env, _STOP_FOLLOWER))
        for index in range(plan.workers):
            argv = [*node, "worker", "--index", str(index)]
            started.append(Child(f"worker {index}", argv, env, _STOP_WORKERS))
    return started


def listeners(plan: Plan) -> list[tuple[str, str]]:
    """Return what listens where, as a name and an address that this host can call."""
    found = [("control plane", _url(plan.host, plan.port))] if plan.control else []
    if plan.node:
        found.append(("node", _url(plan.node_host, plan.node_port)))
        if plan.relay_port:
            found.append(("relay", _url(plan.relay_host, plan.relay_port)))
    return found


def _node_environment(plan: Plan) -> dict[str, str]:
    env = {
        "RETINUE_HOME": str(plan.home),
        "RETINUE_CONTROL_URL": plan.control_url,
        "RETINUE_NODE_TOKEN_FILE": str(plan.node_token_file),
        "RETINUE_PEPPER_FILE": str(plan.pepper_file),
        "RETINUE_NODE_HOST": plan.node_host,
        "RETINUE_NODE_PORT": str(plan.node_port),
        "RETINUE_OPEN_DECISIONS": "1" if plan.open_decisions else "0",
        "RETINUE_RELAY_HOST": plan.relay_host,
        "RETINUE_RELAY_PORT": str(plan.relay_port or ""),
    }
    if plan.brand and "RETINUE_BRANDS" not in os.environ:
        env["RETINUE_BRANDS"] = plan.brand
    return env


def _url(host: str, port: int) -> str:
    reachable = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  (mapped away, not bound)
    return f"http://[{reachable}]:{port}" if ":" in reachable else f"http://{reachable}:{port}"


def _listening(flag: str, host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        opened = socket.socket(family, kind, protocol)
        try:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            # What is accepted inherits it: an answer in two pieces does not wait for the caller's "got it".
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            opened.bind(address)
            # A listener that shares its port refuses a socket that does not share: only listening shows it.
            opened.listen(_BACKLOG)
            opened.setblocking(False)
        except OSError:
            opened.close()
            raise
        return opened
    except OSError as error:
        raise CommandError(
            f"{flag} {port}: cannot listen on {host}:{port} ({error.strerror}); choose another with {flag}"
        ) from None


def _cores() -> int:
    return len(os.sched_getaffinity(0))


def _number(flag: str, given: int | None, name: str, default: int, rule: Callable[[str], int]) -> int:
    try:
        if given is not None:
            return toml.checked(flag, str(given), rule)
        return toml.variable(os.environ, name, rule, default)
    except toml.SettingError as error:
        raise CommandError(str(error), "", Exit.USAGE) from None


def _path(variable: str, default: Path) -> Path:
    return Path(os.environ[variable]).absolute() if os.environ.get(variable) else default
