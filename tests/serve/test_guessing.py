"""Somebody guesses tokens from the address that a node calls from: the node goes on following."""

from __future__ import annotations

import http.client
import json
from pathlib import Path

import pytest

from retinue.attempts import MOST_OF_NETWORK
from retinue.token import Kind, mint
from tests.support.installation import Installation, start_retinue
from tests.support.installation import http as call

#: Another network than the node's, on this machine's loopback.
ELSEWHERE = "127.0.1.1"


def _guess(installation: Installation) -> set[int]:
    """Present unknown tokens of two kinds until the network would be over its limit; return the statuses."""
    connection = http.client.HTTPConnection("127.0.0.1", installation.port, timeout=30)
    statuses = set()
    for number in range(MOST_OF_NETWORK + 2):
        token = mint(Kind.NODE if number % 2 else Kind.API_KEY).reveal()
        connection.request("GET", "/v1/me", headers={"Authorization": f"Bearer {token}"})
        answer = connection.getresponse()
        answer.read()
        statuses.add(answer.status)
    connection.close()
    return statuses


def _key(installation: Installation, file: Path) -> tuple[str, str]:
    """Issue a key of an account of its own; return its id and the token."""
    stated = ("--owner", "admin@acme.example", "--purpose", "a test", "--permission", "report:read")
    installation.cli("account", "create", file.name, *stated)
    installation.cli("key", "issue", file.name, "--name", "k", "--out", str(file))
    listed = json.loads(installation.cli("key", "list", file.name, "-o", "json"))
    return listed["items"][0]["id"], file.read_text().strip()


def _revoke_from_elsewhere(installation: Installation, key: str) -> int:
    """Revoke a key, calling from another network than the node's; return the status."""
    connection = http.client.HTTPConnection(
        "127.0.0.1", installation.port, timeout=30, source_address=(ELSEWHERE, 0)
    )
    headers = {"Authorization": f"Bearer {installation.token()}"}
    connection.request("POST", f"/v1/keys/{key}/revoke", b"", headers)
    status = connection.getresponse().status
    connection.close()
    return status


def _decided(installation: Installation, token: str) -> str | None:
    """Return the reason for which the node denies a token."""
    question = {"token": token, "need": ["report:read"]}
    answer = call("POST", f"{installation.node_url}/v1/verify", body=question).json()
    reason: str | None = answer["reason"]
    return reason


@pytest.mark.parametrize(
    ("environment", "guesses", "owner"),
    [({}, {401}, 200), ({"RETINUE_TRUSTED_PROXIES": ""}, {401, 429}, 429)],
    ids=["loopback is a proxy", "nobody is a proxy"],
)
def test_follower_follows_beside_a_guesser(
    tmp_path: Path, environment: dict[str, str], guesses: set[int], owner: int
) -> None:
    """
    After 302 wrong tokens from the follower's own address revokes still reach the node before they return.
    On loopback, a trusted proxy, the failures are nobody's; without that everything else there is refused.
    """
    with start_retinue(tmp_path / "home", "--workers", "1", **environment) as installation:
        keys = [_key(installation, tmp_path / name) for name in ("k1", "k2")]

        assert guesses == _guess(installation)
        assert owner == call("GET", f"{installation.url}/v1/me", token=installation.token()).status
        for key, token in keys:  # the first one may still be the answer to a poll from before
            assert 200 == _revoke_from_elsewhere(installation, key)
            assert "credential_revoked" == _decided(installation, token)
