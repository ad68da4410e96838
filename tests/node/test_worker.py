"""The life of a worker: start without a replica, a replica that comes and goes, drain, a hard kill."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from retinue import pepper
from retinue.node import identity
from retinue.replica.records import Meta
from retinue.replica.store import Store
from retinue.supervisor import REFUSES
from retinue.usage import SpoolTail
from tests.node.wire import Wire, request
from tests.node.world import REVISION, Node, World, build, running
from tests.support.leases import leased
from tests.support.processes import free_port, wait_for


def _empty(home: Path) -> World:
    """A home with a pepper and nothing else."""
    home.mkdir()
    pepper.create(home / "pepper")
    return World(home)


def _good_request(node: Node) -> bytes:
    token = node.world.token("reader")
    return request("/v1/forward-auth/report:read", f"Authorization: Bearer {token}")


def test_without_a_replica_nothing_is_allowed(tmp_path: Path) -> None:
    """
    Before the replica is there the worker is up, not ready, and answers 503; then it is ready by itself.
    """
    world = _empty(tmp_path / "home")
    with running(world) as node:
        unready = node.get("/readyz")
        world.tokens = build(world.home, complete=False).tokens
        time.sleep(0.5)  # not a proof: gives the worker time to make the mistake
        incomplete = node.forward_auth("report:read", "reader")
        asked = node.get(
            "/v1/verify", method="POST", body=json.dumps({"token": world.token("reader")}).encode()
        )
        store = Store(world.replica, writable=True, map_bytes=64 << 20)
        store.apply([], leased(Meta(1, REVISION, True)))
        store.close()
        wait_for("readiness", lambda: node.get("/readyz").status == 200)
        complete = node.forward_auth("report:read", "reader")

    assert (503, "replica_stale", "1") == (unready.status, unready.code, unready.fields["retry-after"])
    assert (503, "replica_stale", "1") == (
        incomplete.status,
        incomplete.code,
        incomplete.fields["retry-after"],
    )
    assert (200, "replica_stale") == (asked.status, asked.json()["reason"])
    assert 200 == complete.status


def test_a_replica_that_disappears_allows_nothing(tmp_path: Path) -> None:
    """
    A worker does not go on with a replica that was taken away; it takes up the one that comes instead.
    """
    world = build(tmp_path / "home")
    with running(world) as node:
        assert node.is_good()
        shutil.rmtree(world.replica)
        wait_for("a refusal", lambda: node.forward_auth("report:read", "reader").status == 503)
        world.tokens = build(world.home).tokens
        wait_for("a good answer", node.is_good)


def test_a_new_signing_key_is_taken_up(tmp_path: Path) -> None:
    """
    The follower may replace the key while workers run; without a usable key nothing is allowed.
    """
    world = build(tmp_path / "home")
    path = world.replica / identity.FILE
    with running(world) as node:
        old = identity.load(world.replica)
        os.utime(path, (0, 0))
        new = identity.load_or_create(world.replica)
        wait_for("the new key", lambda: new.kid in node.get("/v1/identity-keys").body.decode())
        listed = {key["kid"] for key in node.get("/v1/identity-keys").json()["keys"]}
        path.chmod(0o644)
        wait_for("a refusal", lambda: node.forward_auth("report:read", "reader").status == 503)
        path.chmod(0o600)
        wait_for("a good answer", node.is_good)

    assert {old.kid, new.kid, "other-node"} == listed


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_drain(tmp_path: Path, number: signal.Signals) -> None:
    """
    On a signal readiness goes off first, running requests end, the socket closes, the exit code is 0.
    """
    world = build(tmp_path / "home")
    with running(world) as node:
        data = _good_request(node)
        half, watch, idle = Wire(node.port), Wire(node.port), Wire(node.port)
        half.send(data[:40])
        for wire in (watch, idle):
            wire.send(request("/readyz"))
            assert 200 == wire.reply().status
        node.process.send_signal(number)
        wait_for("readiness off", lambda: _readiness(watch, node.port) == 503)
        half.send(data[40:])
        finished = half.reply()
        code = node.process.wait(60)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", node.port), timeout=60)

    assert (200, "close") == (finished.status, finished.fields["connection"])
    assert 0 == code
    assert b"" == idle.socket.recv(1)


def _readiness(wire: Wire, port: int) -> int:
    """Ask on a connection that is open, or on a new one if that was ended."""
    try:
        wire.send(request("/readyz"))
        return wire.reply().status
    except (EOFError, ConnectionResetError):
        with Wire(port) as other:
            other.send(request("/readyz"))
            return other.reply().status


def test_two_workers_share_a_port_and_one_may_leave(tmp_path: Path) -> None:
    """
    While one worker drains the other goes on; no keep-alive client sees a failure that it did not cause.
    """
    world = build(tmp_path / "home")
    port = free_port()
    failures: list[str] = []
    answered = 0
    ending = threading.Event()

    def ask() -> None:
        nonlocal answered
        while not ending.is_set():
            try:
                with Wire(port) as wire:
                    for _ in range(5):
                        wire.send(data)
                        reply = wire.reply()
                        answered += 1
                        if reply.status != 200:
                            failures.append(str(reply.status))
                        if reply.fields.get("connection") == "close":
                            break
            except ConnectionRefusedError as error:
                failures.append(repr(error))
            except (EOFError, ConnectionResetError):
                pass  # a connection that waited to be accepted by the worker that left

    with running(world, index=0, port=port) as first, running(world, index=1, port=port) as second:
        data = _good_request(first)
        thread = threading.Thread(target=ask)
        thread.start()
        first.process.send_signal(signal.SIGTERM)
        code = first.process.wait(60)
        before = answered
        wait_for("more answers", lambda: answered > before + 20)
        ending.set()
        thread.join(10)
        alive = second.is_good()

    assert ([], 0, True) == (failures, code, alive)


def test_a_kill_loses_no_decision(tmp_path: Path) -> None:
    """
    Each decision that was answered before kill -9 is in the spool, whole.
    """
    world = build(tmp_path / "home")
    with running(world) as node:
        with Wire(node.port) as wire:
            for _ in range(200):
                wire.send(_good_request(node))
                assert 200 == wire.reply().status
        node.process.kill()
        node.process.wait()
    (folder,) = world.spool.iterdir()
    tail = SpoolTail(folder)

    assert (0, 200) == (tail.read(0)[0], len(tail.read(1000)[1]))


def test_a_full_disk_leaves_verification_on(tmp_path: Path) -> None:
    """
    When the request log cannot be written any more, decisions go on.
    """
    world = build(tmp_path / "home")
    with running(world) as node:
        shutil.rmtree(world.spool)
        world.spool.write_text("in the way")

        assert node.is_good()
        assert node.get("/metrics").status == 200
        world.spool.unlink()


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("RETINUE_NODE_PORT", "70000"),
        ("RETINUE_NODE_PORT", "http"),
        ("RETINUE_TRUSTED_PROXIES", "everybody"),
        ("RETINUE_CONTROL_URL", "ftp://x"),
        ("RETINUE_OPEN_DECISIONS", "maybe"),
        ("RETINUE_BRANDS", "UPPER"),
        ("RETINUE_NODE_NAME", "a b"),
        ("RETINUE_MAX_CONNECTIONS", "0"),
    ],
)
def test_a_bad_setting_is_named(tmp_path: Path, variable: str, value: str) -> None:
    """
    A setting that cannot be used ends the start for good, with its name.
    """
    done = _start(tmp_path, **{variable: value})

    assert (REFUSES, True) == (done.returncode, variable in done.stderr)


@pytest.mark.parametrize("damage", ["missing", "open"])
def test_without_a_private_pepper_it_does_not_start(tmp_path: Path, damage: str) -> None:
    """
    A missing pepper, or one that others can read, ends the start for good, with the name of the file.
    """
    if damage == "open":
        pepper.create(tmp_path / "pepper")
        (tmp_path / "pepper").chmod(0o644)
    done = _start(tmp_path)

    assert (REFUSES, True) == (done.returncode, str(tmp_path / "pepper") in done.stderr)
    assert "Traceback" not in done.stderr


def _start(home: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    environ = {"PATH": os.environ["PATH"], "RETINUE_HOME": str(home), "RETINUE_NODE_PORT": str(free_port())}
    command = [sys.executable, "-m", "retinue.node", "worker"]
    return subprocess.run(
        command, env={**environ, **settings}, capture_output=True, text=True, timeout=120, check=False
    )


def test_too_many_connections_are_not_held(tmp_path: Path) -> None:
    """
    Beyond the bound a connection is ended at once; those that are open go on.
    """
    world = build(tmp_path / "home")
    with running(world, RETINUE_MAX_CONNECTIONS="20") as node, Wire(node.port) as kept:
        kept.send(request("/healthz"))
        first = kept.reply().status
        others, ended, statuses = [Wire(node.port) for _ in range(40)], set[int](), set[int]()

        def are_ended() -> bool:
            ended.update(place for place, wire in enumerate(others) if _is_ended(wire))
            kept.send(request("/healthz"))
            statuses.add(kept.reply().status)
            return len(ended) >= 20

        wait_for("the others are ended", are_ended)
        for wire in others:
            wire.socket.close()

    assert (200, {200}) == (first, statuses)


def _is_ended(wire: Wire) -> bool:
    wire.socket.setblocking(False)
    try:
        return wire.socket.recv(1) == b""
    except ConnectionResetError:
        return True
    except BlockingIOError:
        return False
