"""What a node asks of itself, each as a ratio in one run: part of :mod:`bench.campaign`.

Workers take turns under load, like the contenders of a campaign. In process every decision is the
first about its key since a record has changed, unless it says "again": see ``docs/adr/0004``.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench import load, replica
from retinue import pepper, permission
from retinue.decision import Allowed
from retinue.guard.entries import entry_for, known_entry
from retinue.kept import Kept, Known
from retinue.replica import records
from retinue.replica.records import Change, Kind, encode
from retinue.replica.store import Store
from retinue.token import Token
from retinue.usage import Spool
from retinue.verifier import Question, Verifier

_DELAY = "\ndelay = function() return {ms} end\n"
_LUA = """
local requests = {{}}
init = function(args)
  for token in io.lines("{tokens}") do
    local body = '{{"token":"' .. token .. '","need":["report:read"]}}'
    requests[#requests + 1] = wrk.format("POST", nil, {{ ["Content-Type"] = "application/json" }}, body)
  end
end
request = function() return requests[math.random(#requests)] end
"""
_NS, _TURNS = 1e9, 5_000


@dataclass(frozen=True)
class Row:
    """An aim: what was measured, what was asked for, and whether it is reached."""

    aim: str
    reached: str
    is_reached: bool

    @property
    def line(self) -> str:
        """The row of a table."""
        return f"| {self.aim} | {self.reached} | {'yes' if self.is_reached else '**no**'} |"


def most(name: str, ratio: float, limit: float) -> Row:
    """Return the row of what must not be more than ``limit``."""
    return Row(f"{name}: at most {limit:g}", f"{ratio:.2f}", ratio <= limit)


def least(name: str, ratio: float, limit: float) -> Row:
    """Return the row of what must not be less than ``limit``."""
    return Row(f"{name}: at least {limit:g}", f"{ratio:.2f}", ratio >= limit)


def measure(folder: Path, *, seconds: int, rounds: int, sizes: tuple[int, int, int]) -> list[Row]:
    """Measure all of it; ``sizes`` are the keys of three replicas, the middle one the usual."""
    few, usual, many = (replica.make(folder / f"keys-{size}", size) for size in sizes)
    return [*_in_process(folder, usual, many), *_over_http(folder, few, usual, many, seconds, rounds)]


# --- over HTTP ---


def _over_http(
    folder: Path, few: replica.Home, usual: replica.Home, many: replica.Home, seconds: int, rounds: int
) -> list[Row]:
    with ExitStack() as started:
        here = started.enter_context(load.worker(usual.folder))
        small, large = (started.enter_context(load.worker(home.folder)) for home in (few, many))
        silent = started.enter_context(load.worker(usual.folder, module="bench.unlogged"))
        turns = {
            "hit": (here, _script(folder, "hit", usual.tokens)),
            "silent": (silent, folder / "hit.lua"),
            "garbage": (here, _script(folder, "garbage", usual.tokens, spoiled=True)),
            "few": (small, _script(folder, "few", few.tokens)),
            "many": (large, _script(folder, "many", many.tokens)),
        }
        found: dict[str, list[load.Figures]] = {name: [] for name in turns}
        for server, script in turns.values():
            load.measure(server, "/v1/verify", 1, script)
        for _ in range(rounds):
            for name, (server, script) in turns.items():
                found[name].append(load.measure(server, "/v1/verify", seconds, script))
        cpu = {name: statistics.median(each.cpu_us for each in those) for name, those in found.items()}
        peak = statistics.median(each.per_second for each in found["hit"])
        memory = load.memory(here.process.pid)
        return [
            most("garbage, CPU against a hit", cpu["garbage"] / cpu["hit"], 0.6),
            most(f"{few.size:,} -> {many.size:,} keys, CPU", cpu["many"] / cpu["few"], 1.25),
            most("request log on, CPU against off", cpu["hit"] / cpu["silent"], 1.1),
            most("memory of a worker beside the replica, MB", memory.private_mb, 30),
            *_at_half(folder, usual, here, peak, seconds),
        ]


def _at_half(folder: Path, home: replica.Home, here: load.Server, peak: float, seconds: int) -> Iterator[Row]:
    """Latency at half of the peak load, while the replica changes a hundred times a second; beside nginx."""
    script = _script(folder, "half", home.tokens, delay_ms=_delay_ms(peak))
    with _changing(home):
        ours = load.measure(here, "/v1/verify", 2 * seconds, script)
    name = f"p99 at {ours.per_second:,.0f}/s with 100 changes/s"
    yield most(f"{name} ({ours.p99_us:,.0f} us), against p50", ours.p99_us / ours.p50_us, 5)
    if load.nginx_program() is None:
        return
    with load.nginx(folder / "nginx") as server:
        full = load.measure(server, "/", seconds)
        paced = folder / "paced.lua"
        paced.write_text(_DELAY.format(ms=_delay_ms(full.per_second)))
        theirs = load.measure(server, "/", 2 * seconds, paced)
    beside = f"nginx at half of its peak ({theirs.p99_us:,.0f} us)"
    yield most(f"{name}, against {beside}", ours.p99_us / theirs.p99_us, 1.5)


def _delay_ms(peak: float) -> int:
    """Return for how long each connection waits, so that all together ask half as much as they could."""
    return max(round(load.CONNECTIONS / (peak / 2) * 1_000), 1)


@contextmanager
def _changing(home: replica.Home) -> Iterator[None]:
    command = [sys.executable, "-m", "bench.changing", str(home.folder)]
    process = subprocess.Popen(command, preexec_fn=load.beside)
    try:
        time.sleep(0.5)
        yield
        if process.poll() is not None:
            raise SystemExit("the changes have ended")
    finally:
        process.terminate()
        process.wait(30)


def _script(
    folder: Path, name: str, tokens: list[Token], *, spoiled: bool = False, delay_ms: int = 0
) -> Path:
    """Write what wrk asks: a token drawn at random for each request, or one with a wrong checksum."""
    script, file = folder / f"{name}.lua", folder / f"{name}.tokens"
    file.touch(mode=0o600)
    texts = [token.reveal() for token in tokens]
    file.write_text("".join(f"{text[:-1] + _other(text[-1]) if spoiled else text}\n" for text in texts))
    script.write_text(_LUA.format(tokens=file) + (_DELAY.format(ms=delay_ms) if delay_ms else ""))
    return script


def _other(sign: str) -> str:
    return "0" if sign != "0" else "1"


# --- in process ---


def _in_process(folder: Path, usual: replica.Home, many: replica.Home) -> Iterator[Row]:
    for home, limit_us in ((usual, 3), (many, 5)):
        for again in (False, True):
            median, p99 = _decisions(home, again=again)
            name = f"decision and log entry in process, {home.size:,} keys{', asked again' if again else ''}"
            yield most(f"{name}, median us", median / 1e3, limit_us)
            yield most(f"{name}, 99 % us", p99 / 1e3, 15)
    held = {count: _account(folder, permissions=count) for count in (10, 1_000)}
    yield most("10 -> 1,000 permissions, decision", held[1_000] / held[10], 1.1)
    groups = {count: _account(folder, groups=count) for count in (1, 100)}
    yield most("1 -> 100 groups, decision", groups[100] / groups[1], 1.5)
    again_ = {count: _account(folder, groups=count, again=True) for count in (1, 100)}
    yield most("1 -> 100 groups, decision asked again", again_[100] / again_[1], 1.5)
    yield least("two processes on two cores, decisions of one", _side_by_side(usual), 1.8)


def _decisions(home: replica.Home, *, again: bool) -> tuple[float, float]:
    """Return median and 99th percentile in ns of decisions with their entries, over random tokens."""
    store = Store(home.folder / "replica")
    verifier = Verifier(store, pepper.load(home.folder / "pepper"))
    spool = Spool(home.folder / "spool", "bench")

    def act(question: Question) -> None:
        found = verifier.find(question)
        if isinstance(found, Known):
            spool.append_encoded(known_entry(found, question, found.at_ns, 0, None), True)
        else:
            assert isinstance(found, Allowed)
            spool.append(entry_for(found, question, time.time_ns(), 0, None))

    questions = [Question(token.reveal(), (replica.NEED,)) for token in home.tokens[:_TURNS]]
    taken = _timed(verifier, act, questions, again=again)
    spool.close()
    store.close()
    return statistics.median(taken), taken[len(taken) * 99 // 100]


def _timed(
    verifier: Verifier, act: Callable[[Question], None], questions: list[Question], *, again: bool
) -> list[int]:
    """Return how long each took in ns, ascending: as the first in its state, or as one of many."""
    for question in questions * (2 if again else 1):
        act(question)
    clock, taken = time.perf_counter_ns, []
    for question in questions:
        if not again:
            verifier._kept = Kept()
        began = clock()
        act(question)
        taken.append(clock() - began)
    return sorted(taken)


def _account(folder: Path, *, permissions: int = 10, groups: int = 0, again: bool = False) -> float:
    """Return the median ns of a decision for accounts that hold so much, the last group giving it."""
    home = replica.make(folder / f"held-{permissions}-{groups}-{again}", 100)
    writing = Store(home.folder / "replica", writable=True)
    with writing.snapshot() as snapshot:
        meta, rows = snapshot.meta(), list(snapshot.items(Kind.PRINCIPAL))
        accounts = [snapshot.principal(key) for key, _ in rows]
    held = permission.mask([7, *range(8, 7 + permissions)])
    names = tuple(f"group:{number}" for number in range(groups))
    changes = [
        Change(2, Kind.PRINCIPAL, each.id, encode(_with(each, b"" if groups else held, names)))
        for each in accounts
        if each is not None
    ]
    for name in names:
        gives = permission.mask([7] if name == names[-1] else [40])
        changes.append(Change(2, Kind.HOLDER, name, encode(records.Holder(name, gives))))
    writing.apply(changes, meta)
    writing.close()
    store = Store(home.folder / "replica")
    verifier = Verifier(store, pepper.load(home.folder / "pepper"))

    def act(question: Question) -> None:
        assert isinstance(verifier.verify(question), Allowed)

    questions = [Question(token.reveal(), (replica.NEED,)) for token in home.tokens] * 20
    taken = _timed(verifier, act, questions, again=again)
    store.close()
    return statistics.median(taken)


def _with(each: records.Principal, held: bytes, names: tuple[str, ...]) -> records.Principal:
    return records.Principal(
        each.id, each.kind, each.organization, each.handle, each.name, each.state, held, names
    )


def _side_by_side(home: replica.Home) -> float:
    """Return how many decisions two processes make, each on a core, in those of one."""
    alone = _made(home, 1)
    return _made(home, 2) / alone if len(os.sched_getaffinity(0)) > 1 else 0.0


def _made(home: replica.Home, processes: int, seconds: float = 1.5) -> int:
    """Return how many decisions so many processes make."""
    cores, ends = sorted(os.sched_getaffinity(0)), []
    for number in range(processes):
        reading, writing = os.pipe()
        if os.fork() == 0:
            os.sched_setaffinity(0, {cores[number % len(cores)]})
            os.write(writing, str(_count(home, seconds)).encode())
            os._exit(0)
        os.close(writing)
        ends.append(reading)
    made = 0
    for reading in ends:
        with os.fdopen(reading) as told:
            made += int(told.read() or 0)
        os.wait()
    return made


def _count(home: replica.Home, seconds: float) -> int:
    verifier = Verifier(Store(home.folder / "replica"), pepper.load(home.folder / "pepper"))
    questions = [Question(token.reveal(), (replica.NEED,)) for token in home.tokens[:_TURNS]]
    ends, made = time.monotonic() + seconds, 0
    while time.monotonic() < ends:
        for question in questions[:100]:
            verifier.verify(question)
        made += 100
    return made
