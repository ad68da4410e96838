"""What is installed. A plane whose packages are missing is named with the line that installs it."""

from __future__ import annotations

from importlib.util import find_spec

from retinue.cli.exits import CommandError

_SERVER = ("django", "ninja", "granian", "allauth")
_NODE = ("uvloop", "httptools", "cryptography")


def require_server() -> None:
    """Raise if the control plane's packages are not installed."""
    _require("control plane", "server", _SERVER)


def require_node() -> None:
    """Raise if the node's packages are not installed."""
    _require("node", "node", _NODE)


def require_all() -> None:
    """Raise if anything that runs control plane and node together is not installed."""
    _require("demo", "all", (*_SERVER, *_NODE))


def _require(what: str, extra: str, packages: tuple[str, ...]) -> None:
    missing = [package for package in packages if find_spec(package) is None]
    if missing:
        raise CommandError(
            f"the {what} is not installed here ({', '.join(missing)} missing)",
            f"pip install 'retinue[{extra}]'",
        )
