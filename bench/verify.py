"""Measures a verification: in process, and over HTTP beside the same server's constant answer.

Everything is a ratio in one run, because machines differ. ``--quick`` ends within 40 seconds. The HTTP part
needs ``wrk``; without it that part is left out, and the output says so.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import secrets
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from retinue import pepper, permission
from retinue.decision import Allowed
from retinue.replica import records
from retinue.replica.records import Change, Kind, encode
from retinue.replica.store import Store
from retinue.token import BASE62, Token, mint
from retinue.token import Kind as TokenKind
from retinue.verifier import Question, Verifier

NEED = "report:read"
SAMPLE = 20_000


def main() -> int:
    """Run all parts and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer keys and seconds")
    options = parser.parse_args()
    sizes = (1_000, 50_000) if options.quick else (1_000, 1_000_000)
    seconds = 2 if options.quick else 6
    with tempfile.TemporaryDirectory(prefix="retinue-bench-") as name:
        homes = [_home(Path(name) / str(size), size) for size in sizes]
        print(f"{'in process':34} {'median us':>10} {'p99 us':>8}")
        medians = [_in_process(home, size) for home, size in zip(homes, sizes, strict=True)]
        print(f"{'ratio of the medians':34} {medians[1] / medians[0]:10.2f}")
        _garbage(homes[0][0])
        if shutil.which("wrk") is None:
            print("over HTTP: left out, there is no wrk here")
            return 0
        for home, size in zip(homes, sizes, strict=True):
            _over_http(home, size, seconds)
    return 0


Home = tuple[Path, list[Token]]


def _home(home: Path, size: int) -> Home:
    """Make a node's folder with ``size`` keys; returns it with a sample of their tokens."""
    home.mkdir(parents=True)
    pepper.create(home / "pepper")
    active = pepper.load(home / "pepper").active
    store = Store(home / "replica", writable=True, map_bytes=8 << 30)
    first = [
        _change(Kind.PERMISSION, NEED, records.Permission(NEED, 7)),
        _change(
            Kind.ORGANIZATION, "org_1", records.Organization("org_1", "acme", "Acme", "enabled", ("bearer",))
        ),
        _change(Kind.HOLDER, "role:reader", records.Holder("role:reader", permission.mask([1, 7, 40]))),
    ]
    store.apply(first, records.Meta(1, 1, complete=True))
    kept = _fill(store, size, active)
    store.close()
    random.shuffle(kept)
    return home, kept


def _fill(store: Store, size: int, active: pepper.Pepper) -> list[Token]:
    """Write ``size`` accounts with a key each; returns the tokens of a sample of them."""
    kept: list[Token] = []
    every = max(size // SAMPLE, 1)
    batch: list[Change] = []
    for number in range(size):
        if number % every == 0:
            token = mint(TokenKind.API_KEY)
            kept.append(token)
            kid, digest = token.kid, active.digest(token.as_bytes())
        else:  # nobody asks for these: they only make the replica large
            kid, digest = "".join(random.choices(BASE62, k=12)), secrets.token_bytes(32)
        principal = f"sa_{number:016d}"
        account = records.Principal(
            principal,
            "service_account",
            "org_1",
            f"a{number}",
            f"a{number}",
            "enabled",
            b"",
            ("role:reader",),
        )
        credential = records.Credential(
            f"key_{kid}", "sa", "org_1", principal, "active", (records.Digest(digest, active.id),)
        )
        batch += [_change(Kind.PRINCIPAL, principal, account), _change(Kind.CREDENTIAL, kid, credential)]
        if len(batch) >= 100_000:
            store.apply(batch, records.Meta(1, 1, complete=True))
            batch = []
    store.apply(batch, records.Meta(1, 1, complete=True))
    return kept


def _change(kind: Kind, key: str, record: records.Record) -> Change:
    return Change(1, kind, key, encode(record))


def _in_process(made: Home, size: int) -> float:
    home, tokens = made
    store = Store(home / "replica")
    verifier = Verifier(store, pepper.load(home / "pepper"))
    questions = [Question(token.reveal(), (NEED,)) for token in tokens]
    assert isinstance(verifier.verify(questions[0]), Allowed)
    median, slow = _percentiles(verifier.verify, questions)
    print(f"{f'verify, {size:,} keys':34} {median:10.2f} {slow:8.2f}")
    store.close()
    return median


def _garbage(home: Path) -> None:
    store = Store(home / "replica")
    verifier = Verifier(store, pepper.load(home / "pepper"))
    median, slow = _percentiles(verifier.verify, [Question("rtnsa_" + "x" * 62, (NEED,))] * 5_000)
    print(f"{'refuse garbage':34} {median:10.2f} {slow:8.2f}")
    store.close()


def _percentiles(act: Callable[[Question], object], questions: list[Question]) -> tuple[float, float]:
    """Return median and 99th percentile in microseconds, over fresh questions after a warm-up."""
    for question in questions[:2_000]:
        act(question)
    clock = time.perf_counter_ns
    taken = []
    for question in questions:
        began = clock()
        act(question)
        taken.append(clock() - began)
    taken.sort()
    return statistics.median(taken) / 1000, taken[len(taken) * 99 // 100] / 1000


def _over_http(made: Home, size: int, seconds: int) -> None:
    home, tokens = made
    with _worker(home) as port:
        script = home / "verify.lua"
        script.write_text(_LUA % ",\n".join(f'"{token.reveal()}"' for token in tokens[:2_000]))
        rounds = []
        for _ in range(3):
            hello = _wrk(f"http://127.0.0.1:{port}/hello", seconds)
            verify = _wrk(f"http://127.0.0.1:{port}/v1/verify", seconds, script)
            rounds.append((verify, hello, verify / hello))
        verify, hello, ratio = (statistics.median(column) for column in zip(*rounds, strict=True))
        print(
            f"HTTP verify, {size:,} keys: {verify:,.0f}/s, constant answer {hello:,.0f}/s, ratio {ratio:.2f}"
        )


_LUA = """
local tokens = { %s }
local n = 0
request = function()
  n = n + 1
  local body = '{"token":"' .. tokens[n %% #tokens + 1] .. '","need":["report:read"]}'
  return wrk.format("POST", nil, { ["Content-Type"] = "application/json" }, body)
end
"""


def _wrk(url: str, seconds: int, script: Path | None = None) -> float:
    """Return requests a second. Raises if any answer was not 2xx."""
    command = ["wrk", "-t1", "-c64", f"-d{seconds}s", *(["-s", str(script)] if script else []), url]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in text:
        raise SystemExit(f"{url}: not every answer was 2xx\n{text}")
    found = re.search(r"Requests/sec:\s+([0-9.]+)", text)
    if found is None:
        raise SystemExit(f"wrk said nothing of requests a second:\n{text}")
    return float(found[1])


@contextmanager
def _worker(home: Path) -> Iterator[int]:
    """Run one worker of a node on a free port; the load runs on the other core."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    environment = {
        **os.environ,
        "RETINUE_HOME": str(home),
        "RETINUE_NODE_PORT": str(port),
        "RETINUE_BENCH": "1",
    }
    command = [sys.executable, "-m", "retinue.node", "worker", "--index", "0"]
    process = subprocess.Popen(command, env=environment)
    try:
        deadline = time.monotonic() + 15
        while time.monotonic() < deadline:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=1).close()
                break
            except (urllib.error.URLError, OSError):
                time.sleep(0.1)
        else:
            raise SystemExit("the worker is not ready after 15 s")
        yield port
    finally:
        process.terminate()
        process.wait(30)


if __name__ == "__main__":
    sys.exit(main())
