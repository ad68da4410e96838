"""Rules for scanners find each planted token and nothing else; our own scanner confirms by checksum."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from retinue.cli.scanner import _FORMS
from retinue.token import Kind, Token, mint
from tests.cli.conftest import Run

BIN = Path(sys.executable).parent
FORMS = tuple(_FORMS)


@pytest.fixture
def planted(tmp_path: Path) -> tuple[Path, list[Token]]:
    """A folder with three tokens in the ways in which people leave them, and with what only looks like one."""
    tokens = [mint(kind) for kind in (Kind.API_KEY, Kind.PERSONAL, Kind.INGEST)]
    folder = tmp_path / "repository"
    folder.mkdir()
    (folder / "settings.py").write_text(
        f'KEY_{tokens[0].reveal()}\nurl = "https://x/?t={tokens[1].reveal()}"\n'
    )
    (folder / "env").write_text(f"TOKEN={tokens[2].reveal()}")
    near = tokens[0].reveal()
    (folder / "near.txt").write_text(f"x{near}y rtnsa_short {near[:-1]} {near[:5]}-{near[5:]}\n")
    return folder, tokens


def _rule(run: Run, form: str) -> str:
    outcome = run("scanner", "export", "--format", form)
    assert (0, "") == (outcome.code, outcome.err)
    return outcome.out


def test_gitleaks_finds_what_is_there(run: Run, planted: tuple[Path, list[Token]], tmp_path: Path) -> None:
    """
    gitleaks itself, with the rule that is printed: each token once, and no other match.
    """
    folder, tokens = planted
    rule, report = tmp_path / "rules.toml", tmp_path / "report.json"
    rule.write_text(_rule(run, "gitleaks"))
    command = [
        str(each) for each in (BIN / "gitleaks", "dir", folder, "-c", rule, "--no-banner", "-r", report)
    ]
    done = subprocess.run([*command, "-f", "json"], capture_output=True, text=True, timeout=180)
    found = json.loads(report.read_text())

    assert 1 == done.returncode, done.stderr
    assert sorted(each.reveal() for each in tokens) == sorted(each["Secret"] for each in found)


def test_detect_secrets_finds_what_is_there(
    run: Run, planted: tuple[Path, list[Token]], tmp_path: Path
) -> None:
    """
    detect-secrets itself, with the plugin that is printed: each token once, and no other match of ours.
    """
    folder, tokens = planted
    plugin = tmp_path / "retinue_token.py"
    plugin.write_text(_rule(run, "detect-secrets"))
    command = [str(each) for each in (BIN / "detect-secrets", "scan", "--all-files", "-p", plugin, folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=180, cwd=tmp_path)
    results = json.loads(done.stdout)["results"]
    ours = [each for some in results.values() for each in some if each["type"] == "Retinue token"]

    assert len(tokens) == len(ours), done.stderr


@pytest.mark.parametrize("form", FORMS)
def test_every_form_says_the_same(run: Run, form: str, planted: tuple[Path, list[Token]]) -> None:
    """
    The pattern of each form finds the planted tokens and nothing beside them; YAML and JSON are well-formed.
    """
    folder, tokens = planted
    text = _rule(run, form)
    if form in ("semgrep", "kingfisher", "trufflehog"):
        assert yaml.safe_load(text)
    if form == "secretlint":
        text = json.loads(text)["rules"][0]["options"]["patterns"][0]["pattern"]
    core = re.search(r"\(\?:rtn\)\(\?:[a-z|]+\)_\[0-9A-Za-z\]\{12\}_\[0-9A-Za-z\]\{49\}", text)
    assert core is not None, text
    held = "\n".join(file.read_text() for file in sorted(folder.iterdir()))
    found = re.findall(f"(?<![0-9A-Za-z]){core[0]}(?![0-9A-Za-z])", held)

    assert sorted(each.reveal() for each in tokens) == sorted(found)
    assert "[^0-9A-Za-z]" in text or "(?<![0-9A-Za-z])" in text
    assert "\\b" not in text


def test_our_own_scanner_confirms(run: Run, planted: tuple[Path, list[Token]]) -> None:
    """
    File, line and display form of each token, no character of a secret; a wrong checksum is no token. Without any the
    exit code is 0.
    """
    folder, tokens = planted
    wrong = tokens[0].reveal()[:-1] + ("0" if tokens[0].reveal()[-1] != "0" else "1")
    (folder / "wrong").write_text(wrong)
    outcome = run("scanner", "scan", str(folder))
    (folder / "clean").mkdir()

    assert 7 == outcome.code
    assert [
        f"{folder}/env:1: {tokens[2].display}",
        *(f"{folder}/settings.py:{n + 1}: {tokens[n].display}" for n in (0, 1)),
    ] == (outcome.out.splitlines())
    assert not any(each.reveal()[20:30] in outcome.out for each in tokens)
    assert (0, "") == ((clean := run("scanner", "scan", str(folder / "clean"))).code, clean.out)


def test_other_brands_are_stated(run: Run, tmp_path: Path) -> None:
    """
    A deployment names its brands, retired ones too; what is no brand, and a file that is not there, are refused.
    """
    token = mint(Kind.API_KEY, brand="acme")
    (tmp_path / "x").write_text(token.reveal())

    assert 0 == run("scanner", "scan", str(tmp_path)).code
    assert 7 == run("scanner", "scan", str(tmp_path), "--brand", "acme", "--brand", "rtn").code
    assert (
        "(?:acme|rtn)"
        in run("scanner", "export", "--format", "gitleaks", "--brand", "acme", "--brand", "rtn").out
    )
    assert (2, 2) == (
        run("scanner", "scan", "--brand", "A b").code,
        run("scanner", "scan", "/no/such/place").code,
    )
