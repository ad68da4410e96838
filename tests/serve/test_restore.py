"""A backup of the database is put back, with real processes: nothing that was revoked since comes back.

Neither on the node nor on the control plane, whoever notices it: the file beside the database, the node, or
the operator who says so.
"""

from __future__ import annotations

import random
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.support.installation import ADMIN_EMAIL, Installation, http
from tests.support.processes import wait_for

JSON = dict[str, Any]


class Estate:
    """An installation with accounts and keys, and a backup of its database."""

    def __init__(self, installation: Installation) -> None:
        self.installation = installation
        self.database = installation.home / "retinue.db"
        self.backup = installation.home.parent / "backup.db"
        self._tokens: list[str] = []

    def call(self, method: str, path: str, body: object = None) -> JSON:
        """Call the API as the administrator. Raises ``AssertionError`` unless it worked."""
        url, token = f"{self.installation.url}/v1{path}", self.installation.token()
        answer = http(method, url, token=token, body=body)
        assert answer.status in (200, 201, 202), answer.body
        found: JSON = answer.json()
        return found

    def account(self, name: str) -> str:
        """Make an account that may read and write reports; return its id."""
        made = {"name": name, "purpose": "a test", "owners": [ADMIN_EMAIL]}
        permissions = ["report:read", "report:write"]
        return str(self.call("POST", "/service-accounts", made | {"permissions": permissions})["id"])

    def key(self, account: str, name: str) -> tuple[str, str]:
        """Issue a key; return its id and token."""
        made = self.call("POST", f"/service-accounts/{account}/keys", {"name": name})
        self._tokens.append(made["token"])
        return str(made["key"]["id"]), str(made["token"])

    def save(self) -> None:
        """Make a backup while it runs, as SQLite does it."""
        self.backup.unlink(missing_ok=True)
        with closing(sqlite3.connect(self.database)) as source:
            source.execute("VACUUM INTO ?", [str(self.backup)])

    def put_back(self, *, also_home: bool = False) -> None:
        """Put the backup in the place of the database; ``also_home`` loses the file beside it as well."""
        for suffix in ("-wal", "-shm"):
            Path(f"{self.database}{suffix}").unlink(missing_ok=True)
        self.database.write_bytes(self.backup.read_bytes())
        if also_home:
            (self.installation.home / "checkpoint").unlink()

    def asks(self, token: str, need: str = "report:read") -> tuple[bool, str | None]:
        """Ask the node about a token."""
        url = f"{self.installation.node_url}/v1/verify"
        answer = http("POST", url, body={"token": token, "need": [need]}).json()
        return answer["allowed"], answer["reason"]

    def epoch(self) -> JSON:
        """Return the present epoch."""
        return self.call("GET", "/epochs/current")

    def _decides(self) -> bool:
        return all(self.asks(token)[1] != "replica_stale" for token in self._tokens[:1])

    def recovered(self) -> JSON:
        """Wait until the history is sure again, and the node decides; return the epoch."""
        wait_for("it is open", lambda: self.epoch()["state"] == "open", seconds=60)
        wait_for("the node decides", lambda: self._decides(), seconds=30)
        return self.epoch()


@pytest.fixture
def estate(tmp_path: Path) -> Iterator[Estate]:
    """A fresh installation that serves."""
    installation = Installation(tmp_path / "home")
    installation.init()
    installation.start("--workers", "1")
    yield Estate(installation)
    installation.stop()


def test_nothing_revoked_comes_back(estate: Estate) -> None:
    """
    Keys were revoked, an account disabled, a grant removed and a key issued after the backup. It is put back:
    the start notices, the node says what it knows, all of it ends again on the node and on the control plane,
    and the report names the key that was lost. While that lasts nobody is let in by a credential.
    """
    installation, account, other = estate.installation, estate.account("etl"), estate.account("ci")
    revoked, kept, disabled = estate.key(account, "k1"), estate.key(account, "k2"), estate.key(other, "k1")
    grants = estate.call("GET", f"/service-accounts/{account}/grants")["items"]
    [write] = [each["id"] for each in grants if each["permission"] == "report:write"]
    estate.save()
    estate.call("POST", f"/keys/{revoked[0]}/revoke", {})
    estate.call("POST", f"/service-accounts/{other}/disable", {})
    estate.call("DELETE", f"/service-accounts/{account}/grants/{write}")
    lost = estate.key(account, "late")
    assert (True, None) == estate.asks(lost[1])
    installation.stop()
    estate.put_back()
    installation.start("--workers", "1")

    assert ("recovering", "checkpoint", 2) == tuple(
        estate.epoch()[name] for name in ("state", "cause", "epoch")
    )
    for _, token in (revoked, kept):
        said = http("GET", f"{installation.url}/v1/me", token=token)
        assert (503, "epoch_recovering") == (said.status, said.json()["code"])
    assert "recovering" == http("GET", f"{installation.url}/readyz").json()["status"]
    metrics = http("GET", f"{installation.url}/metrics", token=installation.token()).body.decode()
    assert "retinue_epoch_recovering 1.0" in metrics
    epoch = estate.recovered()

    assert (False, "credential_revoked") == estate.asks(revoked[1])
    assert (False, "account_disabled") == estate.asks(disabled[1])
    assert [(True, None), (False, "permission_missing")] == [
        estate.asks(kept[1], need) for need in ("report:read", "report:write")
    ]
    assert (False, "token_unknown") == estate.asks(lost[1])
    said = http("GET", f"{installation.url}/v1/me", token=revoked[1])
    assert (401, "credential_revoked") == (said.status, said.json()["code"])
    assert [("local", "reported")] == [(each["node"], each["state"]) for each in epoch["journals"]]
    report = estate.call("GET", "/epochs/2/lost?outcome=unknown")["items"]
    assert [lost[0]] == [each["subject"] for each in report if each["kind"] == "credential"]
    assert 0 == epoch["lost"]["open"] == epoch["lost"]["waiting"]


def test_a_database_that_went_on_after_the_restore(estate: Estate) -> None:
    """
    Home and database were put back together, so the start cannot know; it makes changes beyond the revision of
    the node before that one is heard. The node is noticed all the same, and nothing revoked stays alive.
    """
    installation, account = estate.installation, estate.account("etl")
    key, token = estate.key(account, "k1")
    estate.save()
    estate.call("POST", f"/keys/{key}/revoke", {})
    wait_for("the node has it", lambda: estate.asks(token)[1] == "credential_revoked")
    installation.stop()
    estate.put_back(also_home=True)
    installation.start("--only", "control")
    for number in range(10):
        estate.account(f"after-{number}")
    assert 1 == estate.epoch()["epoch"]
    installation.stop()
    installation.start("--workers", "1")
    wait_for("it is noticed", lambda: estate.epoch()["epoch"] == 2, seconds=30)

    assert "node_ahead" == estate.recovered()["cause"]
    assert (False, "credential_revoked") == estate.asks(token)
    assert "revoked" == estate.call("GET", f"/keys/{key}")["status"]


def test_the_operator_says_so(estate: Estate) -> None:
    """
    `serve --restored` is taken for a restore although nothing shows it, once; a node that is named is not
    waited for.
    """
    installation = estate.installation
    installation.stop()
    installation.start("--only", "control", "--restored", "--skip-node", "local")
    found = wait_for("it is open", lambda: (e := estate.epoch())["state"] == "open" and e, seconds=30)
    assert ("declared", "skipped") == (found["cause"], found["journals"][0]["state"])
    installation.stop()
    installation.start("--workers", "1")

    assert 2 == estate.recovered()["epoch"]


def test_a_kill_in_the_middle_of_it_leaves_nothing_half_done(estate: Estate) -> None:
    """
    The control plane is killed again and again while it does again what was lost. In the end each of the keys
    is revoked, by one event each.
    """
    installation, chance = estate.installation, random.Random(7)  # noqa: S311
    accounts = [estate.account(f"a{number}") for number in range(30)]
    keys = [estate.key(account, f"k{number}")[0] for account in accounts for number in range(8)]
    estate.save()
    for key in keys:
        estate.call("POST", f"/keys/{key}/revoke", {})
    time.sleep(0.5)
    installation.stop()
    estate.put_back()
    installation.start("--workers", "1")
    wait_for("journals are in", lambda: not _awaited(estate), seconds=30)
    left = estate.epoch()["seconds_left"]
    for _ in range(5):
        time.sleep(max(left, 0) + chance.uniform(0.05, 0.4))
        installation.kill()
        installation.start("--workers", "1")
        left = estate.epoch()["seconds_left"]
    estate.recovered()

    with closing(sqlite3.connect(estate.database)) as rows:
        events = rows.execute("SELECT subject FROM ledger_auditevent WHERE type = 'key.revoked'").fetchall()
        states = rows.execute("SELECT id FROM credentials_credential WHERE state = 'revoked'").fetchall()
    assert sorted(keys) == sorted(each for (each,) in events)
    assert set(keys) == {each for (each,) in states}


def _awaited(estate: Estate) -> list[str]:
    return [each["node"] for each in estate.epoch()["journals"] if each["state"] == "awaited"]
