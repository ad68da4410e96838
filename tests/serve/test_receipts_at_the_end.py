"""A change that waits for nodes while the process ends: its caller is told where to follow it, at once."""

from __future__ import annotations

import secrets
import signal
import threading
import time
from pathlib import Path

import pytest

from tests.serve.serving import serving
from tests.support.installation import Installation
from tests.support.processes import wait_for
from tests.support.wire import Reply, Wire


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """An installation that is not served yet."""
    made = Installation(tmp_path_factory.mktemp("ending") / "home")
    made.init()
    return made


def _gone(wire: Wire, url: str) -> str:
    """Let a node be heard once, and never again; return its name."""
    made = wire.call("POST", "/v1/nodes", {"name": "gone"}).body
    at = {"epoch": 0, "revision": 0}
    said = {"node": "gone", "incarnation": secrets.token_hex(16), "applied": at, "wait": 0}
    assert 200 == Wire(url, made["token"]).call("POST", "/v1/feed/poll", said).status
    return str(made["node"]["name"])


def _key(wire: Wire) -> str:
    me = wire.call("GET", "/v1/me").body["principal"]["id"]
    made = {"name": "etl", "purpose": "a test", "owners": [me]}
    account = wire.call("POST", "/v1/service-accounts", made).body["id"]
    return str(wire.call("POST", f"/v1/service-accounts/{account}/keys", {"name": "k"}).body["key"]["id"])


def test_a_revoke_that_waits_is_told_where_to_follow_it(installation: Installation, tmp_path: Path) -> None:
    """
    A node is silent, so the receipt of a revoke waits for its lease. At SIGTERM the call is answered 202 with
    the receipt's address, long before the lease has ended; after a new start that address tells how it stands.
    """
    flags = ["--port", str(installation.port), "--node-port", str(installation.node_port), "--workers", "1"]
    answers: list[Reply] = []
    with serving(installation, tmp_path / "log", *flags, ready=(installation.url,)) as served:
        wire, looks = (Wire(installation.url, installation.token()) for _ in range(2))
        node, key = _gone(wire, installation.url), _key(wire)
        caller = threading.Thread(
            target=lambda: answers.append(wire.call("POST", f"/v1/keys/{key}/revoke", {}))
        )
        caller.start()
        wait_for(
            "it is committed",
            lambda: looks.call("GET", f"/v1/keys/{key}").body["state"] == "revoked",
            seconds=10,
        )
        ended = time.monotonic()
        served.process.send_signal(signal.SIGTERM)
        caller.join(20)
        answered = time.monotonic() - ended
        code = served.process.wait(30)
    receipt = answers[0].body["receipt"]
    place = answers[0].headers["location"]
    with serving(installation, tmp_path / "log", *flags, ready=(installation.url,)):
        found = Wire(installation.url, installation.token()).call("GET", place)

    assert (202, "pending", f"/v1/receipts/{receipt['id']}") == (answers[0].status, receipt["state"], place)
    assert "waiting" == {each["node"]: each["how"] for each in receipt["nodes"]}[node]
    assert answered < 4.0
    assert 0 == code
    assert (200, receipt["revision"]) == (found.status, found.body["revision"])
