"""The comparison with other systems: what it asks, what it makes of its figures, and how it shows them."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, cast

import pytest

from bench import campaign, chart, load
from bench.campaign import Result
from bench.contenders import CONTENDERS, Ask, Contender, Running


def result(name: str, kind: str, *cpu: float) -> Result:
    """What was measured of a contender, by the CPU time of each round."""
    contender = Contender(name, "asked", cast(Any, None), kind)
    figures = [load.Figures(1e6 / each, each, 100, 200) for each in cpu]
    return Result(contender, figures, figures)


RESULTS = [
    result("nginx, return 200", "limit", 9, 8, 10),
    result("Retinue, POST /v1/verify", "retinue", 18, 16, 17),
    result("OpenBao", "peer", 340, 350, 339),
    result("Authlib", "peer", 800, 700, 750),
]


def test_the_page_has_medians_and_aims() -> None:
    """
    The cheapest first, with the spread, as a ratio to ours; an aim that is not reached says so.
    """
    page = campaign.page(RESULTS, ["better-auth api-key"], 10_000)
    rows = [line for line in page.splitlines() if line.startswith("| ")]

    assert ["nginx, return 200", "**Retinue, POST /v1/verify**", "OpenBao", "Authlib"] == [
        row.split(" | ")[0].removeprefix("| ") for row in rows[1:5]
    ]
    assert "| 340.0 | 339.0 to 350.0 | 20.00 |" in page
    assert "| CPU against OpenBao: at most 1/20 | 1/20 | yes |" in page
    assert "| CPU against Authlib: at most 1/50 | 1/44 | **no** |" in page
    assert "| throughput against nginx, return 200: at least 0.60 | 0.53 | **no** |" in page
    assert "Left out, because this machine did not have it: better-auth api-key." in page


def test_the_plot_is_an_image() -> None:
    """
    Well-formed, a bar for each, longer for more, and names are escaped.
    """
    values = [
        chart.Bar("a & b", 8, "limit"),
        chart.Bar("ours", 16.5, "retinue"),
        chart.Bar("<c>", 3000, "peer"),
    ]
    svg = ET.fromstring(chart.bars("CPU", values))  # noqa: S314  (written here)
    space = "{http://www.w3.org/2000/svg}"
    widths = [float(each.get("width", "0")) for each in svg.findall(f"{space}rect")[1:]]
    words = [each.text for each in svg.findall(f"{space}text")]

    assert sorted(widths) == widths
    assert {"a & b", "<c>", "16.5", "3,000.0"} <= set(words)


def test_each_contender_stands_once() -> None:
    """
    Two limits, ourselves, and seven peers; nobody is measured against a name that is mistyped.
    """
    assert len(CONTENDERS) == len({each.name for each in CONTENDERS})
    assert {"limit": 2, "retinue": 1, "peer": 7} == {
        kind: sum(each.kind == kind for each in CONTENDERS) for kind in ("limit", "retinue", "peer")
    }
    assert campaign._FAST <= {each.name for each in CONTENDERS}


class _Careless(BaseHTTPRequestHandler):
    """Answers every key as good."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"allowed": true}')

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@contextmanager
def careless() -> Iterator[str]:
    """A server that lets in everybody."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Careless)
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_who_lets_in_everybody_is_not_measured() -> None:
    """
    A contender is asked about a key that nobody has, too: a wrong answer costs less than a right one.
    """
    with careless() as url:
        here = Running(load.Server(url, cast(Any, None)), Ask("/", good="allowed"), ["a-token-of-letters"])
        with pytest.raises(SystemExit, match="a bad key is answered"):
            campaign._ask_both("careless", here)


def test_what_the_load_asks(tmp_path: Path) -> None:
    """
    Method, path, fields and body stand in the script, and the tokens in a file that others cannot read.
    """
    ask = Ask("/v1/verify", "POST", {"X-Key": "Key {}"}, '{"token":"{}"}')
    here = Running(load.Server("http://127.0.0.1:9", cast(Any, None)), ask, ["t1", "t2"])
    script = campaign._script(tmp_path, here).read_text()

    assert {"t1", "t2"} == set((tmp_path / "asked").read_text().split())
    assert 0o600 == (tmp_path / "asked").stat().st_mode & 0o777
    assert 'local method, path, body = "POST", "/v1/verify", [==[{"token":"{}"}]==]' in script
    assert '["X-Key"] = "Key {}"' in script


def test_latencies_are_read_in_each_unit() -> None:
    """
    wrk tells microseconds, milliseconds or seconds.
    """
    text = "  Latency Distribution\n     50%  421.00us\n     75%    1.50ms\n     99%    2.10s\n"

    assert (421.0, 2.1e6, 0.0) == tuple(load._microseconds(text, each) for each in ("50", "99", "90"))
