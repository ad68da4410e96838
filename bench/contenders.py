"""What takes part in a campaign: limits, Retinue and its peers, each started alone with so many keys.

A contender is prepared in a folder and started on the server's core. It is asked with keys that it knows, and
once with one that it does not know.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench import load, replica

ROOT = Path(__file__).resolve().parents[1]
PEERS, TOOLS = ROOT / "bench" / "peers", ROOT / ".tools" / "peers"
PYTHON = TOOLS / "python" / "bin" / "python"
BAO = TOOLS / "openbao" / "bin" / "bao"
#: Made last: SQLite's binding for Node is compiled here.
NODE = TOOLS / "node" / ".stamp"


@dataclass(frozen=True)
class Ask:
    """How a contender is asked about a token: ``{}`` in a field or in the body stands for it."""

    path: str
    method: str = "GET"
    fields: Mapping[str, str] = field(default_factory=dict)
    body: str = ""
    #: What stands in the answer about a good token, and in none about a bad one.
    good: str = ""


@dataclass(frozen=True)
class Running:
    """A contender that answers: where, how it is asked, and the tokens that it knows."""

    server: load.Server
    ask: Ask
    tokens: list[str] = field(default_factory=list)


Start = Callable[[Path, int], AbstractContextManager[Running]]


@dataclass(frozen=True)
class Contender:
    """Something that is measured: its name, what is said of it, and what starts it in a folder with keys."""

    name: str
    about: str
    start: Start
    #: limit, retinue or peer.
    kind: str = "peer"
    #: What it needs on this machine; it is left out, and said so, where that is missing.
    needs: Path | str = ""

    @property
    def is_here(self) -> bool:
        """Whether this machine has what it needs."""
        if isinstance(self.needs, Path):
            return self.needs.exists()
        return self.needs != "nginx" or load.nginx_program() is not None


@contextmanager
def _nginx(folder: Path, keys: int) -> Iterator[Running]:
    with load.nginx(folder / "nginx") as server:
        yield Running(server, Ask("/"))


@contextmanager
def _constant(folder: Path, keys: int) -> Iterator[Running]:
    home = replica.make(folder / "home", 1)
    with load.worker(home.folder) as server:
        yield Running(server, Ask("/hello"))


@contextmanager
def _retinue(folder: Path, keys: int) -> Iterator[Running]:
    home = replica.make(folder / "home", keys)
    body = '{"token":"{}","need":["report:read"]}'
    ask = Ask("/v1/verify", "POST", {"Content-Type": "application/json"}, body, '"allowed":true')
    with load.worker(home.folder) as server:
        yield Running(server, ask, [token.reveal() for token in home.tokens])


def _python(peer: str, module: str, ask: Callable[[Path], Ask]) -> Start:
    """Return what serves a Python peer by granian, with one worker."""

    @contextmanager
    def start(folder: Path, keys: int) -> Iterator[Running]:
        told = {
            "PEER": peer,
            "PEER_FOLDER": str(folder),
            "PYTHONPATH": str(PEERS),
            "PATH": os.environ["PATH"],
        }
        subprocess.run([str(PYTHON), str(PEERS / f"{module}.py"), str(keys)], env=told, check=True)
        port = load.free_port()
        command = [str(PYTHON), "-m", "granian", "--interface", "wsgi", "--port", str(port), "--no-ws"]
        command += [
            "--workers",
            "1",
            "--blocking-threads",
            "1",
            "--log-level",
            "error",
            f"{module}:application",
        ]
        with load.running(command, f"http://127.0.0.1:{port}", "/", told, any_status=True) as server:
            yield Running(server, ask(folder), (folder / "tokens").read_text().split())

    return start


def _node(module: str, ask: Callable[[Path], Ask]) -> Start:
    """Return what serves a peer in Node, by its own server."""

    @contextmanager
    def start(folder: Path, keys: int) -> Iterator[Running]:
        port = load.free_port()
        told = {
            "PATH": os.environ["PATH"],
            "NODE_ENV": "production",
            "PEER_FOLDER": str(folder),
            "PEER_KEYS": str(keys),
            "PEER_PORT": str(port),
        }
        command = ["node", str(TOOLS / "node" / f"{module}.mjs")]
        url = f"http://127.0.0.1:{port}"
        with load.running(command, url, "/", told, any_status=True, patience=180) as server:
            yield Running(server, ask(folder), (folder / "tokens").read_text().split())

    return start


def _field(path: str, name: str, value: str, good: str) -> Callable[[Path], Ask]:
    """Return how a contender is asked that takes the token in a field of the header."""
    return lambda folder: Ask(path, "GET", {name: value}, good=good)


def _introspect(path: str) -> Callable[[Path], Ask]:
    """Return how a token is introspected (RFC 7662), with what identifies the one who asks."""

    def ask(folder: Path) -> Ask:
        asker = (folder / "asker").read_text()
        who = f"Basic {base64.b64encode(asker.encode()).decode()}" if ":" in asker else f"Bearer {asker}"
        fields = {"Authorization": who, "Content-Type": "application/x-www-form-urlencoded"}
        return Ask(path, "POST", fields, "token={}", "true")

    return ask


@contextmanager
def _openbao(folder: Path, keys: int) -> Iterator[Running]:
    """OpenBao with integrated storage; a service token looks itself up, by the policy that each token has."""
    port, cluster = load.free_port(), load.free_port()
    url, configuration, raft = f"http://127.0.0.1:{port}", folder / "bao.hcl", folder / "raft"
    raft.mkdir()
    configuration.write_text(
        f'storage "raft" {{\n  path = "{raft}"\n  node_id = "one"\n}}\n'
        f'listener "tcp" {{\n  address = "127.0.0.1:{port}"\n  tls_disable = true\n}}\n'
        f'api_addr = "{url}"\ncluster_addr = "http://127.0.0.1:{cluster}"\nlog_level = "error"\n'
    )
    command = [str(BAO), "server", f"-config={configuration}"]
    environment = {**os.environ, "GOMAXPROCS": "1"}
    with load.running(command, url, "/v1/sys/seal-status", environment) as server:
        made = _told("PUT", f"{url}/v1/sys/init", {"secret_shares": 1, "secret_threshold": 1})
        _told("PUT", f"{url}/v1/sys/unseal", {"key": made["keys_base64"][0]})
        root = {"X-Vault-Token": made["root_token"]}
        one = {"ttl": "24h", "display_name": "account"}
        _leading(url, root, one)

        def issued(_: int) -> str:
            token: str = _told("POST", f"{url}/v1/auth/token/create", one, root)["auth"]["client_token"]
            return token

        # Side by side, since each waits for the disk.
        with ThreadPoolExecutor(16) as issuing:
            tokens = list(issuing.map(issued, range(keys)))
        ask = Ask("/v1/auth/token/lookup-self", "GET", {"X-Vault-Token": "{}"}, good="creation_ttl")
        yield Running(server, ask, tokens)


def _leading(url: str, root: Mapping[str, str], one: Mapping[str, str]) -> None:
    """Wait until a server that was unsealed issues tokens."""
    deadline = time.monotonic() + 30
    while True:
        try:
            _told("POST", f"{url}/v1/auth/token/create", one, root)
        except urllib.error.HTTPError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)
        else:
            return


def _told(method: str, url: str, body: object, fields: Mapping[str, str] | None = None) -> Any:
    """Send JSON, and return what is answered."""
    request = urllib.request.Request(url, json.dumps(body).encode(), dict(fields or {}), method=method)
    with urllib.request.urlopen(request, timeout=30) as answer:
        read = answer.read()
    return json.loads(read) if read else {}


_BY_KEY = _field("/check", "Authorization", "Api-Key {}", "allowed")
_BY_TOKEN = _field("/check", "Authorization", "Token {}", "allowed")
_BY_FIELD = _field("/check", "x-api-key", "{}", "allowed")
_DRF, _KNOX = _python("drf-api-key", "django_peers", _BY_KEY), _python("knox", "django_peers", _BY_TOKEN)
_TOOLKIT = _python("oauth-toolkit", "django_peers", _introspect("/o/introspect/"))
_AUTHLIB = _python("authlib", "authlib_peer", _introspect("/introspect"))
_BETTER_AUTH = _node("better_auth", _BY_FIELD)
_OIDC = _node("oidc_provider", _introspect("/token/introspection"))
_LISTENER, _OURS = "our own listener, without a decision", "one worker of a node"
CONTENDERS = (
    Contender("nginx, return 200", "the limit of any HTTP server here", _nginx, "limit", "nginx"),
    Contender("constant answer of a node", _LISTENER, _constant, "limit"),
    Contender("Retinue, POST /v1/verify", _OURS, _retinue, "retinue"),
    Contender("djangorestframework-api-key", "HasAPIKey and the key's name, SQLite", _DRF, needs=PYTHON),
    Contender("django-rest-knox", "TokenAuthentication, SQLite", _KNOX, needs=PYTHON),
    Contender("django-oauth-toolkit", "introspection by a bearer token, SQLite", _TOOLKIT, needs=PYTHON),
    Contender("Authlib", "introspection, Flask and SQLAlchemy, SQLite", _AUTHLIB, needs=PYTHON),
    Contender("OpenBao", "token lookup-self, integrated storage", _openbao, needs=BAO),
    Contender("better-auth api-key", "verifyApiKey, SQLite", _BETTER_AUTH, needs=NODE),
    Contender("node oidc-provider", "introspection, SQLite", _OIDC, needs=NODE),
)
