"""``retinue gateway config``: what it prints and writes, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest

from retinue import gateways
from retinue.gateways import Parameters, Rule
from tests.cli.conftest import Run

RULE = "GET /reports/*=report:read"


@pytest.mark.parametrize("name", gateways.FORMS)
def test_printed_is_what_the_tests_run(name: str, run: Run) -> None:
    """
    The files of a form, each under its name if there are several, and nothing else on standard output.
    """
    files = gateways.render(name, Parameters((Rule.read(RULE),)))
    outcome = run("gateway", "config", name, "--rule", RULE)

    assert (0, "") == (outcome.code, outcome.err)
    assert [] == [text for text in files.values() if text not in outcome.out]
    assert (len(files) > 1) == all(f"--- {file}\n" in outcome.out for file in files)


@pytest.mark.parametrize("name", gateways.FORMS)
def test_written(name: str, run: Run, tmp_path: Path) -> None:
    """
    Into a folder that is made for them; what is there already is not overwritten, and then nothing is written.
    """
    files = gateways.render(name, Parameters((Rule.read(RULE),)))
    folder = tmp_path / "made"
    written = run("gateway", "config", name, "--rule", RULE, "--out", str(folder))
    last = list(files)[-1]
    (folder / last).write_text("mine")
    for other in list(files)[:-1]:
        (folder / other).unlink()
    again = run("gateway", "config", name, "--rule", RULE, "--out", str(folder))

    assert (0, "", 6) == (written.code, written.out, again.code)
    assert [last] == [file.name for file in folder.iterdir()]
    assert "mine" == (folder / last).read_text()
    assert str(folder / last) in again.err


@pytest.mark.parametrize(
    ("flags", "word"),
    [
        ((), "no rule"),
        (("--rule", "/a"), "rule '/a'"),
        (("--rule", '/a"; return 200;=report:read'), "rule"),
        (("--rule", RULE, "--rule", RULE), "two rules"),
        (("--rule", RULE, "--node", "127.0.0.1:8471/; }"), "--node"),
        (("--rule", RULE, "--node", "https://127.0.0.1:8471"), "http only"),
        (("--rule", RULE, "--application", "app"), "--application"),
        (("--rule", RULE, "--listen", "*:80"), "--listen"),
        (("--rule", RULE, "--organization", "a'b"), "organization"),
        (("--rule", RULE, "--pages", "http://x/\ny"), "pages"),
        (("--rule", RULE, "--token-header", "Authorization"), "token header"),
        (("--rule", RULE, "--tls-certificate", "tls.crt"), "without its key"),
        (("--rule", RULE, "--tls-certificate", "a'b", "--tls-key", "c"), "certificate"),
        (("--rule", RULE, "--http2"), "grpc_pass"),
    ],
)
def test_refused(flags: tuple[str, ...], word: str, run: Run) -> None:
    """
    A value that could not stand in a configuration is wrong usage, named with its rule; nothing is printed.
    """
    outcome = run("gateway", "config", "nginx", *flags)

    assert (2, "") == (outcome.code, outcome.out)
    assert word in outcome.err


def test_a_key_of_haproxy(run: Run) -> None:
    """
    It stands in the file of the certificate: one that is given apart would not be used.
    """
    outcome = run("gateway", "config", "haproxy", "--rule", RULE, "--tls-certificate", "a", "--tls-key", "b")

    assert (2, "") == (outcome.code, outcome.out)
    assert "one file" in outcome.err


def test_no_form(run: Run) -> None:
    """
    A gateway that there is no form for is wrong usage.
    """
    assert 2 == run("gateway", "config", "apache", "--rule", RULE).code
