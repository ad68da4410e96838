"""Measures the console's pages in a large organization: 10,000 accounts, 50,000 keys, a million requests.

``python -m bench.console``, from the root of the repository, on SQLite and on PostgreSQL, each of this run.
The pages are those of the URL configuration, so none is left out, and a few that are asked for something that
is hard to find. Two times stand for each: until the first byte of the answer comes over an open connection,
from the control plane in a process of its own; and until the whole page is made in this process, without a
network. The requests lie within 30 days. ``--quick`` has a tenth of them, and fewer rounds; without it the
tables are written into ``docs/reference/console-times.md``. Files, which are longer than pages, are left out.
"""

from __future__ import annotations

import argparse
import http.client
import os
import platform
import re
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from django.db import connection

from bench.writes import _database
from tests.server_support import django_setup
from tests.support.processes import free_port, status_of, wait_for

if TYPE_CHECKING:
    from tests.console.browser import Browser
    from tests.console.crowd import Crowd

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "console-times.md"
REQUESTS = 1_000_000
ROUNDS = 7
QUICK_ROUNDS = 3
ACCOUNT = "accounts/sa_0005000"
#: What is asked for besides, under the organization's address.
HARD = (
    *(f"{ACCOUNT}{tab}" for tab in ("", "/findings", "/keys", "/access", "/requests", "/audit", "/settings")),
    "accounts?search=bulk_000500",
    "requests?path=/none",
    "requests/chart?range=30d",
    "findings?kind=over_permitted",
    "access/explain?permission=report:read&principal=bulk_0005000",
    "palette?q=bulk_00050",
)
_SPREAD = {
    "sqlite": "UPDATE traffic_request SET at = datetime('now', '-' || (id % 2592000) || ' seconds')",
    "postgresql": "UPDATE traffic_request SET at = now() - (id % 2592000) * interval '1 second'",
}
#: A page that takes longer is given up, and has taken this long.
SECONDS = 30.0
#: What a page should stay below, in milliseconds to its first byte.
AIM = 300
NAMES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}
#: Ids, which differ from run to run.
_ID = re.compile(r"\b([a-z]{2,4})_[A-Za-z0-9]{12,16}\b")


@dataclass
class Times:
    """How long a page took each time, in milliseconds."""

    first_byte: list[float] = field(default_factory=list)
    in_process: list[float] = field(default_factory=list)

    def __str__(self) -> str:
        both = (self.first_byte, self.in_process)
        return " | ".join(f"{statistics.median(each):,.0f} | {max(each):,.0f}" for each in both)


def main() -> int:
    """Run on both databases, print the tables, the slowest page first, and write them into the documents."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the requests, fewer rounds")
    options = parser.parse_args()
    django_setup.setup()
    requests, rounds = (REQUESTS // 10, QUICK_ROUNDS) if options.quick else (REQUESTS, ROUNDS)
    found: dict[str, dict[str, Times]] = {}
    for kind in django_setup.kinds():
        with _database(kind) as url, django_setup.database(url):
            found[kind] = _measured(url, requests, rounds)
    text = page(found, requests, rounds)
    print(text)
    if not options.quick:
        PAGE.write_text(text)
    return 0


def page(found: Mapping[str, Mapping[str, Times]], requests: int, rounds: int) -> str:
    """Return the page of the documents: a table for each database, the slowest page first."""
    lines = [
        "# How long the console's pages take",
        "",
        "Written by `make bench-console`, which makes a large organization: 10,000 accounts, 50,000 keys, "
        f"60,000 events of the audit log and {requests:,} requests within 30 days. Milliseconds of {rounds} "
        "calls each: until the first byte of the answer comes over an open connection from a server in a "
        "process of its own, and until the whole page is made, without a network. All pages are asked for, "
        "one after the other, without a break.",
        "",
        f"Python {platform.python_version()}, {platform.machine()}, {os.cpu_count()} cores; load average of "
        f"the last quarter of an hour {os.getloadavg()[2]:.1f}, of which the measuring itself is about 1.",
    ]
    for kind, pages in found.items():
        slow = sum(1 for each in pages.values() if statistics.median(each.first_byte) > AIM)
        lines += [
            "",
            f"## {NAMES[kind]}",
            "",
            f"{len(pages)} pages; {slow} of them take more than {AIM} ms to the first byte.",
            "",
            "| page | first byte, median | worst | in process, median | worst |",
            "|---|---|---|---|---|",
        ]
        by_time = sorted(pages.items(), key=lambda each: -statistics.median(each[1].first_byte))
        lines += [f"| `{name}` | {times} |" for name, times in by_time]
    return "\n".join(lines) + "\n"


def addresses(made: Crowd) -> Iterator[str]:
    """Yield the address of every page of an organization, then of those that are hard."""
    from tests.console.addresses import pages

    yield from (address for _name, address in pages(made))
    handle = made.person.principal.organization.handle
    yield from (f"/o/{handle}/{each}" for each in HARD)


def _measured(url: str, requests: int, rounds: int) -> dict[str, Times]:
    """Return the times of each page."""
    from tests.console.browser import Browser

    made = _large(url, requests)
    browser = Browser()
    browser.sign_in(made.person.email, made.person.password)
    handle = made.person.principal.organization.handle
    found: dict[str, Times] = {}
    with (
        _served(url) as port,
        closing(http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)) as connected,
    ):
        for address in dict.fromkeys(addresses(made)):
            answer = browser.get(address)
            status = answer.status_code
            if status == 405 or answer.streaming:  # it is only sent, or it is a file
                continue
            if status >= 400:  # a call that takes too long is given up: that is a figure too
                print(f"{address}: {status}")
            times = found.setdefault(_ID.sub(r"{\1}", address.removeprefix(f"/o/{handle}")), Times())
            for _ in range(rounds):
                times.first_byte.append(_first_byte(connected, browser, address))
                times.in_process.append(_in_process(browser, address))
    return found


def _large(url: str, requests: int) -> Crowd:
    """Make the organization: something on every page, and as much of it as a large one has."""
    from retinue.server.governance.models import KeptFinding
    from retinue.server.ledger.guard import suspended_for_schema_changes
    from tests.api import bulk
    from tests.api.world import Caller, World
    from tests.console.crowd import crowd
    from tests.server_support.findings import look
    from tests.server_support.hours import recount

    made = crowd(url)
    organization = made.person.principal.organization
    bulk.REQUESTS = requests
    bulk.fill(World(organization, Caller(None, made.person.principal)))
    with suspended_for_schema_changes(), connection.cursor() as cursor:
        cursor.execute(_SPREAD[connection.vendor])
        recount()
        cursor.execute("ANALYZE")
    for which in ("first", "second"):
        began = time.perf_counter()
        look(organization.id)
        print(f"{connection.vendor}: the {which} look at everything took {time.perf_counter() - began:.1f} s")
    print(f"{connection.vendor}: {KeptFinding.objects.count():,} findings", flush=True)
    return made


@contextmanager
def _served(url: str) -> Iterator[int]:
    """Serve the database by the control plane in a process of its own; yield its port."""
    port = free_port()
    command = [sys.executable, "-m", "retinue.server", "serve", "--host", "127.0.0.1", "--port", str(port)]
    environment = {**os.environ, "RETINUE_DATABASE_URL": url, "RETINUE_URL": f"http://127.0.0.1:{port}"}
    with subprocess.Popen(command, env=environment) as running:
        try:
            wait_for("it answers", lambda: status_of(f"http://127.0.0.1:{port}/login/") == 200, seconds=60)
            yield port
        finally:
            running.terminate()


def _first_byte(connected: http.client.HTTPConnection, browser: Browser, address: str) -> float:
    """Return the time from the request, over a connection that is open, to the first byte of the answer."""
    if connected.sock is None:
        connected.connect()
    assert connected.sock is not None
    cookies = "; ".join(f"{each.key}={each.value}" for each in browser.client.cookies.values())
    began = time.perf_counter()
    try:
        connected.request("GET", address, headers={"Cookie": cookies})
        connected.sock.recv(1, socket.MSG_PEEK)
    except TimeoutError:
        print(f"{address}: given up after {SECONDS:.0f} s", flush=True)
        connected.close()
        return SECONDS * 1e3
    taken = (time.perf_counter() - began) * 1e3
    with connected.getresponse() as answer:
        answer.read()
        if answer.status >= 400:
            print(f"{address}: {answer.status}")
    return taken


def _in_process(browser: Browser, address: str) -> float:
    began = time.perf_counter()
    browser.get(address)
    return (time.perf_counter() - began) * 1e3


if __name__ == "__main__":
    raise SystemExit(main())
