"""Measures a verification: in process, and over HTTP beside constant answers.

Everything is a ratio in one run, because machines differ: the targets take turns, round by round, so that
a drift of the machine hits all alike. ``--quick`` ends within 40 seconds. The load comes from wrk; without
it the part over HTTP is left out, and the output says so. nginx joins where there is one.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

# Run as a script, so the root of the repository is not where modules are looked for.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench import load, replica
from retinue import pepper
from retinue.decision import Allowed
from retinue.replica.store import Store
from retinue.usage import Entry, Spool
from retinue.verifier import Question, Verifier

ROUNDS = 3


def main() -> int:
    """Run all parts and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer keys and seconds")
    options = parser.parse_args()
    sizes = (1_000, 50_000) if options.quick else (1_000, 1_000_000)
    with tempfile.TemporaryDirectory(prefix="retinue-bench-") as name:
        homes = [replica.make(Path(name) / str(size), size) for size in sizes]
        _in_process(homes)
        if load.wrk_program() is None:
            print("over HTTP: left out, there is no wrk here (Debian: apt-get install wrk)")
        else:
            _over_http(homes, Path(name), 1.0 if options.quick else 5.0)
    return 0


def _in_process(homes: list[replica.Home]) -> None:
    print(f"{'in process, nanoseconds':44} {'median':>8} {'p99':>8}")
    medians = [_decisions(home) for home in homes]
    print(f"{'ratio of the medians':44} {medians[-1] / medians[0]:8.2f}")
    garbage = _garbage(homes[0])
    print(f"{'garbage against a hit':44} {garbage / medians[0]:8.2f}")


def _decisions(home: replica.Home) -> float:
    """Time whole decisions with their entry in the request log, over random tokens."""
    store = Store(home.folder / "replica")
    verifier = Verifier(store, pepper.load(home.folder / "pepper"))
    questions = [Question(token.reveal(), (replica.NEED,)) for token in home.tokens]
    assert isinstance(verifier.verify(questions[0]), Allowed)
    spool = Spool(home.folder / "spool", "bench")

    def decide_and_log(question: Question) -> None:
        decision = verifier.verify(question)
        assert isinstance(decision, Allowed)
        caller = decision.caller
        spool.append(
            Entry(0, caller.organization, caller.id, caller.name, caller.kind, caller.credential_id, True,
                  None, decision.permission, None, None, None, None, caller.revision, 0)
        )  # fmt: skip

    median = _row(f"decision, {home.size:,} keys", verifier.verify, questions)
    _row(f"decision and request log, {home.size:,} keys", decide_and_log, questions)
    spool.close()
    store.close()
    return median


def _garbage(home: replica.Home) -> float:
    store = Store(home.folder / "replica")
    verifier = Verifier(store, pepper.load(home.folder / "pepper"))
    median = _row(
        "refusal of garbage", verifier.verify, [Question("rtnsa_" + "x" * 62, (replica.NEED,))] * 5_000
    )
    store.close()
    return median


def _row(name: str, act: Callable[[Question], object], questions: list[Question]) -> float:
    """Print median and 99th percentile in ns over all questions, after a warm-up; return the median."""
    for question in questions[:2_000]:
        act(question)
    clock = time.perf_counter_ns
    taken = []
    for question in questions:
        began = clock()
        act(question)
        taken.append(clock() - began)
    taken.sort()
    median = statistics.median(taken)
    print(f"{name:44} {median:8,.0f} {taken[len(taken) * 99 // 100]:8,.0f}")
    return median


def _over_http(homes: list[replica.Home], folder: Path, seconds: float) -> None:
    with ExitStack() as running:
        turns: dict[str, tuple[load.Server, str, Path | None]] = {}
        if load.nginx_program() is not None:
            turns["nginx, return 200"] = (running.enter_context(load.nginx(folder / "nginx")), "/", None)
        for home in homes:
            server = running.enter_context(load.worker(home.folder))
            if not any(path == "/hello" for _, path, _ in turns.values()):
                turns["constant answer to GET"] = (server, "/hello", None)
                turns["constant answer to the same question"] = (server, "/hello", _script(home))
            turns[f"verify, {home.size:,} keys"] = (server, "/v1/verify", _script(home))
        rounds: dict[str, list[load.Figures]] = {name: [] for name in turns}
        for _ in range(ROUNDS):
            for name, (server, path, script) in turns.items():
                rounds[name].append(load.measure(server, path, seconds, script))
    _table(rounds)


def _table(rounds: dict[str, list[load.Figures]]) -> None:
    """Print each target's median, and what fraction of each constant answer a verification reaches."""
    print(f"\n{'over HTTP, one core':44} {'req/s':>8} {'CPU us':>8}")
    rate = {name: statistics.median(each.per_second for each in found) for name, found in rounds.items()}
    for name, found in rounds.items():
        cpu = statistics.median(each.cpu_us for each in found)
        print(f"{name:44} {rate[name]:8,.0f} {cpu:8.2f}")
    verifying = [name for name in rate if name.startswith("verify")]
    print(f"\n{'requests a second, as a ratio':44} {'ratio':>8}")
    for other in [name for name in rate if name not in verifying]:
        for name in verifying:
            print(f"{f'{name} / {other}':68} {rate[name] / rate[other]:6.2f}")
    print(f"{f'{verifying[-1]} / {verifying[0]}':68} {rate[verifying[-1]] / rate[verifying[0]]:6.2f}")


_LUA = """
local requests = {}
init = function(args)
  for token in io.lines("%s") do
    local body = '{"token":"' .. token .. '","need":["report:read"]}'
    requests[#requests + 1] = wrk.format("POST", nil, { ["Content-Type"] = "application/json" }, body)
  end
end
request = function() return requests[math.random(#requests)] end
"""


def _script(home: replica.Home) -> Path:
    """Write what wrk asks: a token drawn at random for each request."""
    script, tokens = home.folder / "verify.lua", home.folder / "tokens"
    if not script.exists():
        tokens.touch(mode=0o600)
        tokens.write_text("".join(f"{token.reveal()}\n" for token in home.tokens))
        script.write_text(_LUA % tokens)
    return script


if __name__ == "__main__":
    sys.exit(main())
