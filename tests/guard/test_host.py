"""A guard beside a real node: in this process over its replica, and over HTTP."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

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

            def refused() -> bool:
                try:
                    guard.verify(token, "report:read")
                except Denied as denied:
                    assert "replica_stale" == denied.reason
                    return True
                return False

            wait_for("the lease has ended", refused, seconds=20, every=0.02)
            lasted = time.monotonic() - began
        finally:
            for pid in followers:
                os.kill(pid, signal.SIGCONT)
        wait_for("it is allowed again", lambda: not refused(), seconds=20)
        assert 5 < lasted < 10.5


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


def _followers(installation: Installation) -> list[int]:
    """Return the ids of the follower's processes of an installation."""
    assert installation.process is not None
    below = descendants(installation.process.pid)
    found = [pid for pid in below if b"follower" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    assert found
    return found


FRAMEWORKS = {
    "django",
    "fastapi",
    "starlette",
    "flask",
    "rest_framework",
    "httpx",
    "httpx2",
    "requests",
    "uvloop",
    "ninja",
}
#: Adapter, and what it loads of these.
ADAPTERS = {
    "asgi": set(),
    "wsgi": set(),
    "testing": set(),
    "starlette": {"starlette"},
    "fastapi": {"fastapi", "starlette"},
    "flask": {"flask"},
    "django": {"django"},
    "drf": {"django", "rest_framework", "requests"},  # the framework itself looks for it
}


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_it_is_light(adapter: str) -> None:
    """
    An adapter loads its own framework, and no other, no server and no client library.
    """
    ready = "from django.conf import settings; settings.configure(); " if adapter == "drf" else ""
    code = f"{ready}import sys, retinue.guard.{adapter}; print(*sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    names = {each.partition(".")[0] for each in out.split()}

    assert ADAPTERS[adapter] == names & FRAMEWORKS
