"""A gateway whose node is on another host identifies itself; and one whose node is gone lets nobody in."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from retinue.guard import Denied, Guard
from tests.gateway.conftest import Accounts
from tests.serve.serving import serving
from tests.support.echo import Echo
from tests.support.gateways import NAMES, parameters, start_gateway
from tests.support.installation import http
from tests.support.processes import free_port
from tests.support.requirements import need

#: What each answers when its node is gone, as the how-to says.
GONE = {"nginx": 503, "caddy": 502, "traefik": 500, "envoy": 503, "haproxy": 503}
RULES = ("/reports/*=report:read",)


@pytest.fixture(scope="module")
def node_port(accounts: Accounts, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """A node that listens to other hosts too, with a home of its own."""
    installation, folder = accounts.installation, tmp_path_factory.mktemp("elsewhere")
    home, port = folder / "home", free_port()
    home.mkdir(mode=0o700)
    shutil.copy2(installation.home / "pepper", home / "pepper")
    installation.cli("node", "enrol", "elsewhere", "--out", str(home / "node-token"))
    flags = ["--only", "node", "--node-host", "0.0.0.0", "--node-port", str(port), "--workers", "1"]  # noqa: S104
    flags += ["--control-url", installation.url, "--node-token-file", str(home / "node-token")]
    with serving(
        installation, folder / "log", *flags, ready=(f"http://127.0.0.1:{port}",), RETINUE_HOME=str(home)
    ):
        yield port


def _settle(accounts: Accounts, node_port: int) -> None:
    """Wait until that node knows every token."""
    accounts.installation.settle(node_url=f"http://127.0.0.1:{node_port}")


@pytest.mark.parametrize("name", NAMES)
def test_the_gateway_identifies_itself(
    name: str, accounts: Accounts, echo: Echo, node_port: int, tmp_path: Path
) -> None:
    """
    With its own token the gateway gets decisions, allowed and denied; the token goes no further.
    """
    need(name)
    own, token = accounts.token("gateway", "decision:ask"), accounts.token("reader", "report:read")
    powerless = accounts.token("powerless")
    _settle(accounts, node_port)
    wanted = parameters(RULES, node_port=node_port, application_port=echo.port, asks_caller=True)
    with start_gateway(name, tmp_path, wanted, caller=own) as url:
        allowed = http("GET", f"{url}/reports/{name}", token=token, headers={"Retinue-Caller": "x"})
        denied = http("GET", f"{url}/reports/{name}", token=powerless)

    assert (200, 403, "permission_missing") == (allowed.status, denied.status, denied.json()["code"])
    assert own not in repr(echo.about(f"/reports/{name}"))
    assert "Bearer" not in repr(echo.about(f"/reports/{name}"))


@pytest.mark.parametrize("name", NAMES)
def test_a_gateway_that_may_not_ask(
    name: str, accounts: Accounts, echo: Echo, node_port: int, tmp_path: Path
) -> None:
    """
    With a token that may not ask nobody is let in, and a client that sends the header in its place is not heard.
    """
    need(name)
    own, token = accounts.token("gateway", "decision:ask"), accounts.token("reader", "report:read")
    _settle(accounts, node_port)
    wanted = parameters(RULES, node_port=node_port, application_port=echo.port, asks_caller=True)
    with start_gateway(name, tmp_path, wanted, caller=token) as url:
        answer = http("GET", f"{url}/reports/refused", token=token, headers={"Retinue-Caller": own})

    assert 503 == answer.status
    assert [] == echo.about("/reports/refused")


def test_a_guard_identifies_itself(
    accounts: Accounts, node_port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    A guard that asks the same node shows the token in its file, and gets decisions; without it there are none.
    """
    file = tmp_path / "token"
    file.write_text(accounts.token("gateway", "decision:ask") + "\n")
    token, url = accounts.token("reader", "report:read"), f"http://127.0.0.1:{node_port}"
    _settle(accounts, node_port)
    silent = Guard(node_url=url)
    monkeypatch.setenv("RETINUE_CALLER_TOKEN_FILE", str(file))

    assert "reader" == Guard(node_url=url).verify(token, "report:read").name
    with pytest.raises(Denied, match="replica_stale"):
        silent.verify(token, "report:read")


@pytest.mark.parametrize("name", NAMES)
def test_without_a_node(name: str, accounts: Accounts, echo: Echo, tmp_path: Path) -> None:
    """
    A gateway whose node is gone refuses with a status that says so, and never asks the application.
    """
    need(name)
    wanted = parameters(RULES, node_port=free_port(), application_port=echo.port)
    with start_gateway(name, tmp_path, wanted) as url:
        answer = http("GET", f"{url}/reports/gone", token=accounts.token("reader", "report:read"))

    assert GONE[name] == answer.status
    assert [] == echo.about("/reports/gone")


@pytest.mark.parametrize("name", NAMES)
def test_a_rule_for_everything(name: str, accounts: Accounts, echo: Echo, tmp_path: Path) -> None:
    """
    A rule for every path does not catch the gateway's own question to the node, which would let everybody in.
    """
    need(name)
    wanted = parameters(
        ("/*=report:read",), node_port=accounts.installation.node_port, application_port=echo.port
    )
    with start_gateway(name, tmp_path, wanted) as url:
        answers = [
            http("GET", f"{url}/all/{name}", token=token).status
            for token in (None, accounts.token("powerless"), accounts.token("reader", "report:read"))
        ]

    assert [401, 403, 200] == answers
    assert 1 == len(echo.about(f"/all/{name}"))
