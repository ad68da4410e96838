"""Measures Retinue beside the limits and its peers in one run, and writes a page: ``make bench-peers``.

Each contender has the same number of keys, one core for its server and another for the load (wrk). Rounds are
interleaved: every contender takes its turn before any takes the next, so that a drift of the machine hits all
alike. What counts is CPU time a request, summed over a server's processes: it is disturbed least by what else
runs. ``--quick`` shows that everything works, in seconds a turn; its figures are printed and not written.
"""

from __future__ import annotations

import argparse
import os
import platform
import random
import signal
import statistics
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from bench import chart, instructions, load, own
from bench.contenders import CONTENDERS, ROOT, Ask, Contender, Running

PAGE, PLOT = ROOT / "docs" / "reference" / "performance.md", ROOT / "docs" / "reference" / "performance.svg"
ROUNDS, SECONDS, KEYS = 3, 6, 10_000
QUICK_SECONDS, QUICK_KEYS = 1, 200
#: So many user-space instructions a verification over HTTP may take.
INSTRUCTIONS = 30_000
#: So many of the keys are drawn from under load.
DRAWN = 10_000

_LUA = """
local tokens = {{}}
for token in io.lines("{tokens}") do tokens[#tokens + 1] = token end
local method, path, body = "{method}", "{path}", [==[{body}]==]
local fields = {{ {fields} }}
local function put(text, token) return (text:gsub("{{}}", function() return token end)) end
local requests = {{}}
init = function(args)
  math.randomseed({seed})
  for _, token in ipairs(tokens) do
    local told = {{}}
    for name, value in pairs(fields) do told[name] = put(value, token) end
    requests[#requests + 1] = wrk.format(method, path, told, body ~= "" and put(body, token) or nil)
  end
end
request = function() return requests[math.random(#requests)] end
"""


NO_MEMORY = load.Memory(0.0, 0.0, 0.0)


@dataclass
class Result:
    """What was measured of a contender, round by round."""

    contender: Contender
    many: list[load.Figures] = field(default_factory=list)
    one: list[load.Figures] = field(default_factory=list)
    #: What its processes held after the last round.
    memory: load.Memory = NO_MEMORY

    def median(self, name: str, *, one: bool = False) -> float:
        """Return the median of a figure over the rounds; of one connection, or of many."""
        found: list[float] = [getattr(each, name) for each in (self.one if one else self.many)]
        return statistics.median(found)

    def spread(self, name: str) -> tuple[float, float]:
        """Return the least and the most of a figure."""
        found = [getattr(each, name) for each in self.many]
        return min(found), max(found)


def main() -> int:
    """Run a campaign."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="show that everything works")
    parser.add_argument("--only", help="contenders whose names hold this text")
    options = parser.parse_args()
    # Stopped from outside, it still ends what it has started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    if load.wrk_program() is None:
        print("campaign: there is no wrk here (Debian: apt-get install wrk)")
        return 1
    wanted = [each for each in CONTENDERS if (options.only or "").lower() in each.name.lower()]
    present = [each for each in wanted if each.is_here]
    missing = [each.name for each in wanted if not each.is_here]
    seconds, keys = (QUICK_SECONDS, QUICK_KEYS) if options.quick else (SECONDS, KEYS)
    results = _run(present, seconds, keys, 1 if options.quick else ROUNDS)
    table = _table(results)
    print("\n".join(table))
    rows = [] if options.only else _own(options.quick)
    print("\n".join([*_aims(results), *(each.line for each in rows)]))
    print(f"left out: {', '.join(missing) or 'nothing'}")
    if not (options.quick or options.only):
        PAGE.write_text(page(results, missing, keys, rows))
        PLOT.write_text(chart.bars("CPU microseconds a request", _bars(results)))
    return 0


def _run(contenders: list[Contender], seconds: int, keys: int, rounds: int) -> list[Result]:
    """Start all contenders, and let them take turns."""
    results = [Result(each) for each in contenders]
    with ExitStack() as started, tempfile.TemporaryDirectory(prefix="retinue-campaign-") as name:
        running: list[tuple[Running, Path | None]] = []
        for number, each in enumerate(contenders):
            folder = Path(name) / str(number)
            folder.mkdir()
            print(f"starting {each.name}", file=sys.stderr, flush=True)
            here = started.enter_context(each.start(folder, keys))
            _ask_both(each.name, here)
            running.append((here, _script(folder, here) if here.tokens else None))
        for turn in range(rounds):
            for result, (here, script) in zip(results, running, strict=True):
                print(f"round {turn + 1}: {result.contender.name}", file=sys.stderr, flush=True)
                load.measure(here.server, here.ask.path, 1, script)  # warm
                result.many.append(load.measure(here.server, here.ask.path, seconds, script))
                result.one.append(load.measure(here.server, here.ask.path, max(seconds // 2, 1), script, 1))
                result.memory = load.memory(here.server.process.pid)
    return results


def _ask_both(name: str, here: Running) -> None:
    """Make sure that it answers a good key as good, and one that nobody has not so."""
    if not here.tokens:
        return
    good = here.tokens[0]
    bad = good[:-8] + "".join(reversed(good[-8:])) if good[-8:] != good[-8:][::-1] else good[:-1] + "0"
    for token, is_good in ((good, True), (bad, False)):
        told = _answer(here.server.url, here.ask, token)
        if (here.ask.good in told) != is_good:
            raise SystemExit(f"{name}: a {'good' if is_good else 'bad'} key is answered with {told[:200]}")


def _answer(url: str, ask: Ask, token: str) -> str:
    fields = {name: value.replace("{}", token) for name, value in ask.fields.items()}
    body = ask.body.replace("{}", token).encode() if ask.body else None
    request = urllib.request.Request(url + ask.path, body, fields, method=ask.method)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return str(answer.read().decode())
    except urllib.error.HTTPError as error:
        error.close()
        return f"{error.code}"


def _script(folder: Path, here: Running) -> Path:
    """Write what wrk asks: one of the keys, drawn at random for each request."""
    script, tokens = folder / "ask.lua", folder / "asked"
    drawn = random.sample(here.tokens, min(DRAWN, len(here.tokens)))
    tokens.touch(mode=0o600)
    tokens.write_text("\n".join(drawn) + "\n")
    fields = ", ".join(f'["{name}"] = "{value}"' for name, value in here.ask.fields.items())
    script.write_text(
        _LUA.format(
            tokens=tokens,
            method=here.ask.method,
            path=here.ask.path,
            body=here.ask.body,
            fields=fields,
            seed=7,
        )
    )
    return script


def _ours(results: list[Result]) -> Result | None:
    return next((each for each in results if each.contender.kind == "retinue"), None)


def _table(results: list[Result]) -> list[str]:
    """Return the table of all contenders, the cheapest first."""
    ours = _ours(results)
    lines = [
        "| system | what is asked | CPU µs a request | least to most | times ours | requests/s a core "
        "| p50 / p99 µs, 1 connection | p50 / p99 ms, 64 | MB, share / peak |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for each in sorted(results, key=lambda result: result.median("cpu_us")):
        cpu, (least, most) = each.median("cpu_us"), each.spread("cpu_us")
        times = "" if ours is None else f"{cpu / ours.median('cpu_us'):.2f}"
        name = f"**{each.contender.name}**" if each is ours else each.contender.name
        lines.append(
            f"| {name} | {each.contender.about} | {cpu:,.1f} | {least:,.1f} to {most:,.1f} | {times} "
            f"| {each.median('per_second'):,.0f} "
            f"| {each.median('p50_us', one=True):,.0f} / {each.median('p99_us', one=True):,.0f} "
            f"| {each.median('p50_us') / 1e3:,.2f} / {each.median('p99_us') / 1e3:,.2f} "
            f"| {each.memory.share_mb:,.0f} / {each.memory.peak_mb:,.0f} |"
        )
    return lines


def _bars(results: list[Result]) -> list[chart.Bar]:
    ordered = sorted(results, key=lambda result: result.median("cpu_us"))
    return [chart.Bar(each.contender.name, each.median("cpu_us"), each.contender.kind) for each in ordered]


def _own(quick: bool) -> list[own.Row]:
    """Measure what a node asks of itself."""
    sizes = (100, QUICK_KEYS, 2_000) if quick else (1_000, KEYS, 1_000_000)
    seconds, rounds = (QUICK_SECONDS, 1) if quick else (SECONDS - 2, ROUNDS)
    print("what a node asks of itself", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory(prefix="retinue-own-") as name:
        return own.measure(Path(name), seconds=seconds, rounds=rounds, sizes=sizes)


def page(results: list[Result], missing: list[str], keys: int, rows: Sequence[own.Row] = ()) -> str:
    """Return the page about a campaign."""
    said = f"Left out, because this machine did not have it: {', '.join(missing)}." if missing else ""
    load_now = os.getloadavg()[2]
    lines = [
        "# Performance beside other systems",
        "",
        "Written by `make bench-peers`. How each figure is made: [how fast](../explanation/performance.md).",
        "",
        f"{keys:,} keys each, one core for the server and another for the load (wrk), a key drawn at random",
        f"for each request, {ROUNDS} interleaved rounds, medians; CPU time is that of a server's processes.",
        f"Python {platform.python_version()}, {platform.machine()}; load average of the last quarter of an",
        f"hour {load_now:.1f}, of which the measuring itself is about 2.",
        said,
        "",
        *_table(results),
        "",
        "![CPU time a request, as bars](performance.svg)",
        "",
        *_aims(results),
        *[each.line for each in rows],
        "",
        "The rows below those of other systems are about one worker of a node. In process, a decision that",
        "is not asked again is the first about its key since a record has changed. A change is a durable",
        "transaction with one account's record and a fresh lease, as a follower writes it.",
    ]
    return "\n".join(lines).rstrip() + "\n"


def _aims(results: list[Result]) -> list[str]:
    """Return the aims that are ratios of this run, and whether they are reached."""
    ours = _ours(results)
    if ours is None:
        return []
    cpu, rate = ours.median("cpu_us"), ours.median("per_second")
    rows = ["| aim | reached | |", "|---|---|---|"]
    for each in results:
        name = each.contender.name
        if each.contender.kind == "limit":
            aim, ratio = (0.6 if "nginx" in name else 0.8), rate / each.median("per_second")
            rows.append(
                f"| throughput against {name}: at least {aim:.2f} | {ratio:.2f} | {_word(ratio >= aim)} |"
            )
        elif each.contender.kind == "peer":
            aim, ratio = (20 if each.contender.name in _FAST else 50), each.median("cpu_us") / cpu
            rows.append(f"| CPU against {name}: at most 1/{aim} | 1/{ratio:.0f} | {_word(ratio >= aim)} |")
    counted = instructions.entries()[-1]["figures"]["http again"]
    name = f"instructions over HTTP, as recorded last: at most {INSTRUCTIONS:,}"
    return [*rows, f"| {name} | {counted:,} | {_word(counted <= INSTRUCTIONS)} |"]


#: Peers that are not written in Python.
_FAST = frozenset({"node oidc-provider", "better-auth api-key", "OpenBao"})


def _word(is_reached: bool) -> str:
    return "yes" if is_reached else "**no**"


if __name__ == "__main__":
    sys.exit(main())
