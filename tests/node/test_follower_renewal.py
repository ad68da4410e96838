"""The node renews its own credential: wherever that is cut off, the file holds a token that is accepted."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from retinue import pepper
from retinue.node.credential import NodeToken
from retinue.token import Kind, parse
from tests.node.control import Control, Fault
from tests.node.faults import drop, half, raw, refuse
from tests.node.following import TOKEN, Home, following, settle
from tests.node.renewal import Renewal
from tests.support.installation import Installation
from tests.support.processes import wait_for


@pytest.fixture
def renewal(control: Control) -> Renewal:
    """The credential that the node has, which should be renewed."""
    control.renewal = Renewal(TOKEN)
    return control.renewal


def _held(home: Home) -> str:
    return pepper.read_private(home.path / "node-token").strip()


def test_a_due_credential_is_renewed(home: Home, control: Control, renewal: Renewal) -> None:
    """
    The follower asks once, has the new token in its file with mode 0600, and goes on with it; no token is in
    the log.
    """
    with following(home, control) as follower:
        settle(home, control)
        wait_for("the old one ends", lambda: renewal.issued and renewal.previous is None)
        control.work()
        settle(home, control)
    drafts = list(home.path.glob("node-token.*"))

    assert (renewal.present, 1, []) == (_held(home), renewal.issued, drafts)
    assert "is renewed" in follower.text()
    assert renewal.present not in follower.text()


@pytest.mark.parametrize(
    "fault",
    [drop, half, refuse(503, "database_unavailable"), refuse(409, "state_conflict"), raw(b'{"token": "x"}')],
    ids=["drop", "half", "503", "409", "no token"],
)
def test_a_renewal_that_fails_leaves_everything_as_it_was(
    home: Home, control: Control, renewal: Renewal, fault: Fault
) -> None:
    """
    Without a new token the old one stays in its file and in use, and nothing else is left behind; the next
    start renews.
    """
    control.faults["credential"].extend([fault, fault])  # a kept connection that is dropped is asked again
    with following(home, control) as follower:
        wait_for("a complaint", lambda: "renewing the credential" in follower.text())
        control.work()
        settle(home, control)
    kept = (_held(home), list(home.path.glob("node-token.*")))
    control.faults.clear()
    renewal.is_due = True
    with following(home, control):
        wait_for("the old one ends", lambda: renewal.previous is None and _held(home) == renewal.present)
        control.change("more")
        settle(home, control)

    assert (TOKEN, []) == kept
    assert TOKEN != renewal.present


def test_a_folder_that_cannot_be_written_is_found_before_a_token_is_made(
    home: Home, control: Control, renewal: Renewal
) -> None:
    """
    Where the new token could not be kept, none is asked for: the follower says so, and goes on with the old.
    """
    (home.path / "node-token.new").mkdir()
    with following(home, control) as follower:
        wait_for("a complaint", lambda: "node-token.new" in follower.text())
        control.work()
        settle(home, control)

    assert (0, TOKEN) == (renewal.issued, _held(home))


@pytest.mark.parametrize("moment", ["before the answer", "after the answer"])
def test_a_follower_that_is_killed_while_it_renews(
    home: Home, control: Control, renewal: Renewal, moment: str
) -> None:
    """
    Killed while the new token is under way, a follower is accepted when it starts again, and ends with the
    newest token.
    """
    for _ in range(3):
        renewal.is_due = True
        asked = control.count("credential")
        if moment == "before the answer":
            control.faults["credential"].append(drop)
        with following(home, control) as follower:
            wait_for("it asks", lambda: control.count("credential") > asked)  # noqa: B023
            follower.kill()
        assert renewal.accepts(_held(home))
    renewal.is_due = False
    with following(home, control):
        wait_for("one token", lambda: renewal.previous is None and _held(home) == renewal.present)
        control.change("more")
        settle(home, control)

    assert [] == list(home.path.glob("node-token.*"))


def test_a_kill_at_each_step_leaves_a_usable_token(tmp_path: Path) -> None:
    """
    At whichever line of the renewal the process is killed: the file is whole, private, and holds a token that
    the control plane accepts; the next renewal is not disturbed by what was left.
    """
    for step in range(100):
        folder = tmp_path / str(step)
        folder.mkdir()
        path, reached, new = folder / "node-token", folder / "reached", f"new-{step}"
        pepper.write_private(path, f"{TOKEN}\n")
        command = [sys.executable, "-m", "tests.node.renewing", str(path), new, str(step), str(reached)]
        code = subprocess.run(command, check=False, env=os.environ).returncode
        accepted = {TOKEN, new} if reached.exists() else {TOKEN}

        assert pepper.read_private(path).strip() in accepted
        NodeToken(path).renew(lambda: "the next")
        assert ["node-token"] == [each.name for each in folder.iterdir() if each != reached]
        assert "the next\n" == pepper.read_private(path)
        if code == 0:
            break

    assert (0, True) == (code, 10 < step < 99)


def test_a_link_to_the_token_stays_a_link(tmp_path: Path) -> None:
    """
    Where the file is a link, what it leads to is replaced.
    """
    (tmp_path / "secrets").mkdir()
    pepper.write_private(tmp_path / "secrets" / "token", TOKEN)
    (tmp_path / "token").symlink_to(tmp_path / "secrets" / "token")
    token = NodeToken(tmp_path / "token")
    token.renew(lambda: "new")

    assert (True, "new\n") == (
        (tmp_path / "token").is_symlink(),
        (tmp_path / "secrets" / "token").read_text(),
    )
    assert "new" == token.reveal()


def test_tokens_do_not_print(tmp_path: Path) -> None:
    """
    The object that holds a node's token shows where it is from, never what it is.
    """
    pepper.write_private(tmp_path / "token", TOKEN)

    assert TOKEN not in repr(NodeToken(tmp_path / "token"))


def test_a_real_node_renews_itself(installation: Installation) -> None:
    """
    Under `retinue serve`, a credential with a month left is replaced within seconds: the file holds another
    token, the old one is refused as revoked, and the node goes on.
    """
    path = installation.home / "node-token"
    old = parse(pepper.read_private(path).strip())
    assert old is not None
    installation.stop()  # Who writes past the ledger does it where nothing remembers what stood there.
    with sqlite3.connect(installation.home / "retinue.db", timeout=30) as database:
        ends = datetime.now(UTC) + timedelta(days=29)
        database.execute(
            "UPDATE credentials_credential SET expires_at = ? WHERE kid = ?",
            (ends.strftime("%Y-%m-%d %H:%M:%S.%f"), old.kid),
        )
    database.close()
    installation.start()
    wait_for("another token", lambda: pepper.read_private(path).strip() != old.reveal(), seconds=60)
    new = parse(pepper.read_private(path).strip())
    assert new is not None
    wait_for("the old one ends", lambda: _state(installation, old.kid) == "revoked", seconds=60)

    assert (Kind.NODE, "active") == (new.kind, _state(installation, new.kid))
    assert installation.cli("node", "list")


def _state(installation: Installation, kid: str) -> str:
    database = sqlite3.connect(installation.home / "retinue.db", timeout=30)
    try:
        row = database.execute("SELECT state FROM credentials_credential WHERE kid = ?", (kid,)).fetchone()
    finally:
        database.close()
    return str(row[0])
