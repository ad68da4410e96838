"""A guard beside a real node: in this process over its replica, and over HTTP."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from retinue.guard import Caller, Denied, Guard, GuardError
from retinue.verifier import UnknownPermission
from tests.guard.installed import issue, reason
from tests.support.installation import Installation, http, start_retinue
from tests.support.processes import descendants, wait_for


def test_what_a_node_decides_a_guard_decides(guard: Guard, installation: Installation) -> None:
    """
    Allowed, missing permission, unknown token, unknown permission; and after a revoke has returned nothing.
    """
    account, key, token = issue(installation, "report:read")
    caller = guard.verify(token, "report:read")
    missing = reason(guard, token, "report:write")
    unknown = reason(guard, token[:-4] + "AAAA")
    with pytest.raises(UnknownPermission):
        guard.verify(token, "rocket:launch")
    revoked = http("POST", f"{installation.url}/v1/keys/{key}/revoke", token=installation.token(), body={})

    assert isinstance(caller, Caller)
    assert (account, key, "service_account") == (caller.id, caller.credential_id, caller.kind)
    assert ("permission_missing", "token_malformed") == (missing, unknown)
    assert (200, "credential_revoked") == (revoked.status, reason(guard, token))


def test_what_is_decided_here_stands_in_the_request_log(guard: Guard, installation: Installation) -> None:
    """
    With method, path and address, within a few seconds.
    """
    account, _, token = issue(installation, "report:read")
    guard.verify(token, "report:read", method="GET", path="/reports/7", address="192.0.2.7")
    address = f"{installation.url}/v1/service-accounts/{account}/requests"

    def listed() -> bool:
        return bool(http("GET", address, token=installation.token()).json()["items"])

    wait_for("the decision is listed", listed, seconds=20)
    [item] = http("GET", address, token=installation.token()).json()["items"]
    assert ("allowed", "GET", "/reports/7", "192.0.2.7", "report:read") == (
        item["decision"], item["method"], item["path"], item["address"], item["permission"],
    )  # fmt: skip


def test_threads_share_a_guard(guard: Guard, installation: Installation) -> None:
    """
    Eight threads ask at once, and each gets its own answer.
    """
    tokens = [issue(installation, "report:read")[2] for _ in range(4)] + ["x"] * 4
    wrong: list[object] = []

    def ask(token: str) -> None:
        for _ in range(200):
            try:
                guard.verify(token, "report:read")
                allowed = True
            except Denied:
                allowed = False
            if allowed != (token != "x"):
                wrong.append(token)

    threads = [threading.Thread(target=ask, args=(token,)) for token in tokens]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [] == wrong


def test_a_fork_decides_and_logs_by_itself(guard: Guard, installation: Installation) -> None:
    """
    A child of a process that has decided already decides too; both decisions are logged, and the parent goes on.
    """
    account, key, token = issue(installation, "report:read")
    guard.verify(token, "report:read")
    child = os.fork()
    if child == 0:
        try:
            guard.verify(token, "report:read")
            os._exit(0)
        except BaseException:
            os._exit(1)
    assert 0 == os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    guard.verify(token, "report:read")
    address = f"{installation.url}/v1/keys/{key}"
    wait_for(
        "all three are counted",
        lambda: http("GET", address, token=installation.token()).json()["use_count"] == 3,
        seconds=30,
    )
    assert account


def test_without_a_replica_or_a_node_there_is_no_guard(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    It says what to set, when the application starts.
    """
    for name in ("RETINUE_HOME", "RETINUE_REPLICA", "RETINUE_NODE_URL"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(GuardError, match="RETINUE_REPLICA"):
        Guard()


def test_a_node_that_is_not_there_denies(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Nobody knows then, so nobody is allowed.
    """
    assert "replica_stale" == reason(Guard(node_url="http://127.0.0.1:9"), "x")


def test_the_lease_ends_under_a_guard(tmp_path: Path) -> None:
    """
    With the control plane and the follower stopped, a guard allows until the lease ends and then refuses; once
    they go on it allows again.
    """
    with start_retinue(tmp_path / "home") as installation:
        _, _, token = issue(installation, "report:read")
        guard = Guard(replica=installation.home / "replica")
        guard.verify(token, "report:read")
        followers = _followers(installation)
        for pid in followers:
            os.kill(pid, signal.SIGSTOP)
        try:
            began = time.monotonic()
            guard.verify(token, "report:read")
            allowed = []

            def refused() -> bool:
                asked = time.monotonic()
                try:
                    guard.verify(token, "report:read")
                except Denied as denied:
                    assert "replica_stale" == denied.reason
                    return True
                allowed.append(asked)
                return False

            wait_for("the lease has ended", refused, seconds=60, every=0.02)
        finally:
            for pid in followers:
                os.kill(pid, signal.SIGCONT)
        lasted = max(allowed) - began
        wait_for("it is allowed again", lambda: not refused(), seconds=60)
        assert 5 < lasted < 10


def test_a_replica_that_is_replaced_is_opened_anew(tmp_path: Path) -> None:
    """
    While its folder is exchanged a guard refuses, and decides from the new one afterwards.
    """
    with start_retinue(tmp_path / "home") as installation:
        _, _, token = issue(installation, "report:read")
        guard = Guard(replica=installation.home / "replica")
        guard.verify(token, "report:read")
        installation.stop()
        (installation.home / "replica" / "data.mdb").unlink()
        time.sleep(0.3)
        assert "replica_stale" == reason(guard, token)
        installation.start()

        def allowed() -> bool:
            try:
                return bool(guard.verify(token, "report:read"))
            except Denied:
                return False

        wait_for("it is allowed again", allowed, seconds=20)


def test_a_denial_is_found_by_its_id(guard: Guard, installation: Installation) -> None:
    """
    Who is refused is told an id, and the request log has it; in process and over HTTP.
    """
    account, _, token = issue(installation)
    with pytest.raises(Denied) as caught:
        guard.verify(token, "report:read")
    ident = caught.value.problem().request_id
    address = f"{installation.url}/v1/service-accounts/{account}/requests?request_id={ident}"

    def listed() -> list[Any]:
        return list(http("GET", address, token=installation.token()).json()["items"])

    wait_for("the denial is listed", lambda: bool(listed()), seconds=20)
    [item] = listed()
    assert ident is not None
    assert ident.encode() in caught.value.body
    assert (ident, "permission_missing") == (item["request_id"], item["reason"])


@pytest.mark.parametrize("need", ["", [], (), "report:*", "rocket:launch"])
def test_what_is_no_permission_lets_nobody_in(guard: Guard, installation: Installation, need: Any) -> None:
    """
    A name that nobody declared, and a list that came out empty, are mistakes of the program.
    """
    with pytest.raises(UnknownPermission):
        guard.verify(installation.token(), need)


#: What a request may say of itself: what is asked, and how a guard denies a stranger and lets in a caller.
ODD: dict[str, dict[str, Any]] = {
    "no address": {"address": ""},
    "no IP address": {"address": "unix:/run/host.sock"},
    "an unusual method": {"method": "get"},
    "no path": {"method": "OPTIONS", "path": "*"},
    "bytes that are no text": {"method": "GET", "path": "/a\udc80"},
    "control characters": {"method": "GET", "path": "/a\x00\x1f"},
    "a long path": {"method": "GET", "path": "/" + "a" * 20_000},
}


def test_odd_requests_are_decided_alike(guard: Guard, installation: Installation) -> None:
    """
    In process and over HTTP: what is no token is one for nobody, and a request with odd facts is not lost.
    """
    _, _, token = issue(installation, "report:read")
    allowed = {name: guard.verify(token, "report:read", **facts).kind for name, facts in ODD.items()}
    none = ("\x00", "x\udc80", "ü" * 20, "a" * 600, "a" * 100_000, "a b")
    denied = {text: reason(guard, text) for text in none}
    with pytest.raises(Denied) as refused:
        guard.verify("-", "report:read", scheme="refused")

    assert dict.fromkeys(ODD, "service_account") == allowed
    assert dict.fromkeys(none, "token_malformed") == denied
    assert (401, "scheme_not_accepted") == (refused.value.status, refused.value.reason)


#: A guard whose log cannot be written, then can: reasons, descriptors more than after the first time, what it says.
UNWRITABLE = """
import logging, os, sys
from pathlib import Path
from retinue.guard import Denied, Guard, local
local.WATCH_NS = 0
token, spool = sys.stdin.read().split()
guard, seen, told = Guard(replica=sys.argv[1]), set(), []
logging.getLogger("retinue.guard").addHandler(handler := logging.Handler())
handler.emit = lambda record: told.append(record.getMessage())
for number in range(20):
    try:
        guard.verify(token, "report:read")
    except Denied as denied:
        seen.add(denied.reason)
    open_now = len(os.listdir("/proc/self/fd"))
    first = first if number else open_now
Path(spool).parent.unlink()
print(*seen, open_now - first, len(told), "Not a directory" in told[0], guard.verify(token, "report:read").kind)
"""


def test_a_log_that_cannot_be_written(installation: Installation, tmp_path: Path) -> None:
    """
    Nobody is let in as long as nothing would tell of it; it says why once, keeps nothing open, and goes on after.
    """
    _, _, token = issue(installation, "report:read")
    (tmp_path / "file").touch()
    spool = tmp_path / "file" / "spool"
    ran = subprocess.run(
        [sys.executable, "-c", UNWRITABLE, str(installation.home / "replica")],
        env=installation.environment | {"RETINUE_SPOOL": str(spool)},
        input=f"{token} {spool}", capture_output=True, text=True, check=True,
    )  # fmt: skip

    assert "replica_stale 0 1 True service_account" == ran.stdout.strip()


def _followers(installation: Installation) -> list[int]:
    """Return the ids of the follower's processes of an installation."""
    assert installation.process is not None
    below = descendants(installation.process.pid)
    found = [pid for pid in below if b"follower" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    assert found
    return found
