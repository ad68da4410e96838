"""Behind a proxy: the client's own address and scheme count, and only a trusted proxy may tell them."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.test import Client

from retinue.attempts import MOST_OF_NETWORK
from retinue.network import networks
from retinue.server.installation import Installation
from retinue.server.ledger import queries as ledger
from retinue.settings import SettingError
from retinue.token import Kind, Token, mint
from tests.api.world import HOST, World

PROXY, STRANGER = HOST, "192.0.2.7"


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        (PROXY, "198.51.100.9", "198.51.100.9"),
        (PROXY, "10.0.0.1, 198.51.100.9", "198.51.100.9"),
        (PROXY, "10.0.0.1, 198.51.100.9, 127.0.0.2", "198.51.100.9"),
        (PROXY, "::ffff:198.51.100.9", "198.51.100.9"),
        (PROXY, "10.0.0.1, unknown", PROXY),
        (PROXY, "", PROXY),
        (STRANGER, "198.51.100.9", STRANGER),
    ],
)
def test_event_names_the_client(world: World, peer: str, forwarded: str, expected: str) -> None:
    """
    An audit event carries the address of the client: read from the right, from a trusted proxy alone.
    """
    body = {"name": "etl", "purpose": "x", "owners": [world.owner.id]}
    made = world.owner.call(
        "POST", "/v1/service-accounts", body, headers={"x-forwarded-for": forwarded}, address=peer
    )
    event = ledger.latest(world.organization.id, 1)[0]

    assert (201, expected) == (made.status, event.address)


def test_one_who_guesses_is_not_every_client_of_the_proxy(world: World) -> None:
    """
    The limit of guesses counts by client, not by proxy.
    """

    def ask(client: str, token: str) -> int:
        sent = {"authorization": f"Bearer {token}", "x-forwarded-for": client}
        return world.owner.call("GET", "/v1/me", headers=sent).status

    for _ in range(MOST_OF_NETWORK):
        ask("198.51.100.9", mint(Kind.API_KEY).reveal())
    assert world.owner.token is not None
    genuine = world.owner.token.reveal()

    assert (429, 200) == (ask("198.51.100.10", genuine), ask("203.0.113.9", genuine))


@pytest.mark.parametrize("forwarded", ["", "unknown", "198.51.100.9, unknown", "127.0.0.2"])
def test_failures_behind_a_silent_proxy_are_nobodys(world: World, forwarded: str) -> None:
    """
    A proxy that names no client does not bear what a stranger behind it does, neither by network nor by key.
    """
    _, token = world.key(world.account())
    wrong = mint(Kind.API_KEY, kid=token.kid)

    def ask(presented: Token) -> int:
        sent = {"authorization": f"Bearer {presented.reveal()}", "x-forwarded-for": forwarded}
        return world.owner.call("GET", "/v1/me", headers=sent, address=PROXY).status

    assert {401} == {ask(wrong) for _ in range(MOST_OF_NETWORK + 1)}
    assert 200 == ask(token)


@pytest.mark.parametrize(
    ("peer", "scheme", "secure"),
    [
        (PROXY, "https", True),
        (PROXY, "http", False),
        (PROXY, "http, https", False),
        (STRANGER, "https", False),
    ],
)
def test_scheme_is_the_browsers(world: World, peer: str, scheme: str, secure: bool) -> None:
    """
    A page asked for over TLS, as a trusted proxy says, tells the browser to keep to TLS.
    """
    headers = {"host": HOST, "x-forwarded-proto": scheme}
    answer = Client().get("/login/", headers=headers, REMOTE_ADDR=peer)

    assert secure is ("Strict-Transport-Security" in answer.headers)


@pytest.mark.parametrize(
    ("variable", "line", "expected"),
    [
        (None, "", "127.0.0.0/8,::1"),
        (None, 'trusted_proxies = ["10.0.0.0/8"]', "10.0.0.0/8"),
        ("192.0.2.0/24, 2001:db8::/32", 'trusted_proxies = ["10.0.0.0/8"]', "192.0.2.0/24,2001:db8::/32"),
        ("", "", ""),
    ],
)
def test_setting_is_read(tmp_path: Path, variable: str | None, line: str, expected: str) -> None:
    """
    The environment wins over the file, the file over loopback; empty trusts nobody.
    """
    assert networks(expected) == _installation(tmp_path, variable, line).trusted_proxies


@pytest.mark.parametrize(
    ("variable", "line", "named"),
    [
        ("everybody", "", "RETINUE_TRUSTED_PROXIES"),
        ("10.0.0.1/8", "", "RETINUE_TRUSTED_PROXIES"),
        (None, 'trusted_proxies = ["x"]', "control.trusted_proxies"),
        (None, "trusted_proxies = 5", "control.trusted_proxies"),
    ],
)
def test_bad_setting_stops_the_start(tmp_path: Path, variable: str | None, line: str, named: str) -> None:
    """
    What is no network is refused by name.
    """
    with pytest.raises(SettingError, match=named):
        _installation(tmp_path, variable, line)


def _installation(home: Path, variable: str | None, line: str) -> Installation:
    (home / "retinue.toml").write_text(f"[control]\n{line}\n")
    told = {} if variable is None else {"RETINUE_TRUSTED_PROXIES": variable}
    return Installation.from_environment({"RETINUE_HOME": str(home), **told})
