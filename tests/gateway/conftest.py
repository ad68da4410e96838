"""The five gateways in front of one application, asking the node of one real installation."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from retinue.gateways import Rule
from retinue.guard.identity import Identities
from retinue.guard.identity_keys import Keys
from retinue.guard.outcome import Caller
from tests.gateway.streams import start_streams
from tests.node.wire import Reply, Wire, request
from tests.support.echo import Echo, Seen
from tests.support.gateways import NAMES, parameters, start_gateway
from tests.support.installation import Answer, Installation, http, start_retinue
from tests.support.requirements import need

ROOT = Path(__file__).resolve().parents[2]
#: A path with a part makes nginx take regular expressions; the sample's gateway has none.
RULES = (
    "GET /reports/*=report:read",
    "POST /reports/*=report:write",
    "/reports/private/*=report:export",
    "/reports/{id}/lines=report:export",
    "/entries=report:write",
)


@pytest.fixture(scope="session")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """One running installation for the whole suite."""
    with start_retinue(tmp_path_factory.mktemp("installation") / "home") as running:
        yield running


@dataclass
class Accounts:
    """Service accounts and keys, made over the API."""

    installation: Installation
    made: dict[str, str] = field(default_factory=dict)

    def post(self, path: str, body: object, *, method: str = "POST") -> Any:
        """Call the API as the administrator; return what it says, when the node has what that has changed.

        Raises ``AssertionError`` if it refuses.
        """
        answer = self.installation.change(method, path, body)
        assert answer.status < 300, answer.body
        return answer.json()

    def token(
        self, handle: str, *permissions: str, environment: str | None = None, **narrowed: object
    ) -> str:
        """Return the token of an account with these permissions; it is made for the first one who asks."""
        if handle not in self.made:
            stated = {"handle": handle, "name": handle, "purpose": "calls", "owners": ["admin@acme.example"]}
            stated |= {"environment": environment} if environment else {}
            account = self.post("/v1/service-accounts", {**stated, "permissions": list(permissions)})
            key = self.post(f"/v1/service-accounts/{account['id']}/keys", {"name": "k1", **narrowed})
            self.made[handle] = key["token"]
        return self.made[handle]


@pytest.fixture(scope="session")
def accounts(installation: Installation) -> Accounts:
    """Accounts of the one installation."""
    return Accounts(installation)


@pytest.fixture(scope="session")
def echo() -> Iterator[Echo]:
    """The application behind all gateways."""
    with start_streams() as running:
        yield running


@dataclass
class Protected:
    """The application behind one gateway."""

    name: str
    url: str
    echo: Echo
    accounts: Accounts
    identities: Identities
    rules: tuple[Rule, ...]

    @property
    def port(self) -> int:
        """Where the gateway listens."""
        return int(self.url.rpartition(":")[2])

    def call(
        self, path: str, token: str | None = None, *, method: str = "GET", body: object = None, **headers: str
    ) -> Answer:
        """Call through the gateway; ``X_Forwarded_For="x"`` sends that header with dashes."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return http(method, self.url + path, token=token, body=body, headers=named)

    def ask(
        self, target: str, *fields: str, method: str = "GET", body: bytes | None = None
    ) -> tuple[int, list[Seen]]:
        """Send one well-formed request as it is written; return its status, and what reached the application."""
        mark = secrets.token_hex(8)
        with Wire(self.port) as wire:
            wire.send(request(target, f"X-Mark: {mark}", *fields, method=method, body=body))
            status = wire.reply(has_body=method != "HEAD").status
        return status, self.echo.about(mark)

    def send(self, data: bytes, mark: str) -> tuple[list[int], list[Seen]]:
        """Send bytes and read until the connection ends; return the statuses, and what ``mark`` was seen in."""
        statuses = []
        # Whoever asked for the end of the connection waits for it; else there is none to wait for.
        with Wire(self.port, timeout=30.0 if b"Connection: close" in data else 0.4) as wire:
            wire.send(data)
            for reply in _replies(wire):
                statuses.append(reply.status)
                if reply.fields.get("connection", "").lower() == "close":
                    break
        return statuses, self.echo.about(mark)

    def proved(self, seen: Seen) -> Caller:
        """Return who calls, as an application behind the gateway knows it. Raises ``Denied``."""
        values = seen.values("Retinue-Identity")
        assert len(values) == 1, seen
        return self.identities.caller(values[0])

    def check(self, seen: Seen) -> Caller:
        """Assert that a request which reached the application is one that a direct call would have allowed.

        A node has signed for the permission that the application's own rules name, however it reads the path;
        and the token did not come along.
        """
        caller = self.proved(seen)
        assert [] == seen.values("Authorization"), seen
        assert [] == seen.values("Retinue-Caller"), seen
        assert [] == seen.values("X-Api-Key"), seen
        assert [] == [name for name, _ in seen.fields if "_" in name], seen
        # HAProxy hands them on. Nobody takes them for part of the header (RFC 9110, section 6.5.1).
        assert not seen.trailers or self.name == "haproxy", seen
        for path in readings(seen.target):
            rule = rule_for(self.rules, seen.method, path)
            assert rule is not None, (seen, path)
            assert rule.need == caller.permission, (seen, path)
        return caller


def _replies(wire: Wire) -> Iterator[Reply]:
    while True:
        try:
            yield wire.reply()
        except (EOFError, TimeoutError, ConnectionResetError, ValueError, IndexError):
            return


def readings(target: str) -> set[str]:
    """Return what applications make of a target: as it is, decoded once or twice, resolved, without parameters."""
    path = re.sub(r"^https?://[^/?]*", "", target).partition("?")[0] or "/"
    found = {path, unquote(path), unquote(unquote(path)), unquote(path).replace("\\", "/")}
    found |= {re.sub(";[^/]*", "", each) for each in found}
    return found | {_resolved(each) for each in found}


def _resolved(path: str) -> str:
    parts: list[str] = []
    for part in path.split("/"):
        if part == "..":
            parts = parts[:-1]
        elif part not in ("", "."):
            parts.append(part)
    return "/" + "/".join(parts) + ("/" if path.endswith("/") and parts else "")


def rule_for(rules: tuple[Rule, ...], method: str, path: str) -> Rule | None:
    """Return the rule for a request, the most exact one first: how applications read the list."""
    fitting = (
        rule
        for rule in sorted(rules, key=lambda each: each.weight, reverse=True)
        if re.match(rule.regex.replace("$", r"\Z"), path) and (not rule.methods or method in rule.methods)
    )
    return next(fitting, None)


@pytest.fixture(scope="session", params=NAMES)
def protected(
    request: pytest.FixtureRequest,
    accounts: Accounts,
    echo: Echo,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Protected]:
    """Each of the five gateways in turn."""
    name = str(request.param)
    need(name)
    installation = accounts.installation
    wanted = parameters(
        RULES, node_port=installation.node_port, application_port=echo.port, token_headers=("x-api-key",)
    )
    with start_gateway(name, tmp_path_factory.mktemp(name), wanted) as url:
        keys = Keys(installation.node_url)
        yield Protected(name, url, echo, accounts, Identities(keys), tuple(map(Rule.read, RULES)))
