"""What a fresh interpreter has loaded after importing a part: it sees what static contracts cannot."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys

import pytest

FORBIDDEN = {
    "django": "the data plane has no database and no web framework",
    "ninja": "the data plane serves no management API",
    "allauth": "people sign in to the control plane only",
    "granian": "the node's listener is its own",
    "psycopg": "a node has no database credentials",
    "sqlite3": "a node has no database",
    "pydantic": "records are msgspec structs; a second schema library costs start-up and memory",
    "httpx": "the hot path makes no network call",
    "requests": "the hot path makes no network call",
    "urllib.request": "the hot path makes no network call",
    "cyclopts": "the command line's parser",
    "rich": "the command line's tables",
    "retinue.server": "the two planes share no code but the light part",
}
LIGHT_ONLY = {
    **FORBIDDEN,
    "uvloop": "a host has its own event loop, or none",
    "httptools": "a host has its own HTTP server",
    "cryptography": "signing is the node's work",
    "asyncio": "a guard is called from synchronous code too",
    "http.server": "a library serves nothing",
}
CLIENT = {name: why for name, why in FORBIDDEN.items() if name != "urllib.request"}
CLI = {
    **{name: why for name, why in CLIENT.items() if name not in ("cyclopts", "rich")},
    "retinue.node": "the command line starts the node as a process",
}

PARTS = {
    "retinue": LIGHT_ONLY,
    "retinue.token": LIGHT_ONLY,
    "retinue.verifier": LIGHT_ONLY,
    "retinue.replica.store": LIGHT_ONLY,
    "retinue.usage": LIGHT_ONLY,
    "retinue.problem": LIGHT_ONLY,
    "retinue.node.http": FORBIDDEN,
    "retinue.node.worker": FORBIDDEN,
    "retinue.client": CLIENT,
    "retinue.supervisor": FORBIDDEN,
    "retinue.cli.__main__": CLI,
}


def _loaded_by(module: str) -> set[str]:
    """Return the modules that a fresh interpreter has loaded after importing ``module``."""
    script = f"import json, sys, {module}; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout))


@pytest.mark.parametrize("module", PARTS)
def test_forbidden_modules_stay_out(module: str) -> None:
    """
    Importing a part loads none of the packages that it must do without, however they are reached.
    """
    loaded = _loaded_by(module)

    assert {} == {name: why for name, why in PARTS[module].items() if name in loaded}


@pytest.mark.parametrize("name", sorted({name for bans in PARTS.values() for name in bans}))
def test_each_ban_names_something_that_could_be_loaded(name: str) -> None:
    """
    A ban on a package that does not exist here would prove nothing.
    """
    optional = {"httpx": "nothing of ours depends on it; a host might have it installed"}

    assert name in optional or importlib.util.find_spec(name) is not None
