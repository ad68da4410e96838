"""What is shipped: wheel and sdist, the container's files, and the units of systemd."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shlex
import shutil
import signal
import stat
import subprocess
import sys
import tarfile
import time
import venv
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.support.demo import MOST_SECONDS, started, three_ports
from tests.support.requirements import requires

ROOT = Path(__file__).parents[2]
SECONDS = 120
#: What is not as it should be, and which the sample is there to show.
FOUND = {
    *(
        "ownerless",
        "expires_soon",
        "pat_in_production",
        "disabled_in_use",
        "idle_account",
        "shared_token",
        "over_permitted",
    ),
}


def _copy(to: Path) -> Path:
    """Copy what is tracked, as it stands now, and return where it is."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    for name in filter(None, listed.decode().split("\0")):
        if (ROOT / name).is_file():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, to / name)
    return to


def _build(source: Path, *targets: str) -> dict[str, Path]:
    """Build in a source tree without network; return the artefacts by their ending."""
    environment = {**os.environ, "SOURCE_DATE_EPOCH": "1580601600"}
    flags = [flag for target in targets for flag in ("-t", target)]
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", *flags],
        cwd=source, env=environment, check=True, capture_output=True, timeout=SECONDS,
    )  # fmt: skip
    return {path.suffix: path for path in sorted((source / "dist").iterdir())}


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Wheel and sdist of this tree."""
    return _build(_copy(tmp_path_factory.mktemp("first")), "sdist", "wheel")


def test_build_is_reproducible(built: dict[str, Path], tmp_path: Path) -> None:
    """
    Another place gives the same bytes, and so does the wheel that is built from the sdist.
    """
    again = _build(_copy(tmp_path / "a longer path"), "sdist", "wheel")
    with tarfile.open(built[".gz"]) as archive:
        archive.extractall(tmp_path, filter="data")
    (unpacked,) = tmp_path.glob("retinue-*")

    assert [_digest(built[ending]) for ending in (".gz", ".whl")] == [
        _digest(again[ending]) for ending in (".gz", ".whl")
    ]
    assert _digest(built[".whl"]) == _digest(_build(unpacked, "wheel")[".whl"])


def test_wheel_holds_what_it_needs(built: dict[str, Path]) -> None:
    """
    The wheel has the package with its types, templates and documents, the licence, and nothing else.
    """
    names = zipfile.ZipFile(built[".whl"]).namelist()

    assert {
        "retinue/py.typed",
        "retinue/server/site/index.html",
        "retinue/server/site/search.json",
        "retinue/server/site/how-to/install.md",
        "retinue/server/site/llms.txt",
        "retinue/server/console/templates/console/base.html",
        "retinue/demo/run.py",
    } <= set(names)
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert {"retinue"} == {name.partition("/")[0].partition("-")[0] for name in names}
    assert [] == [name for name in names if "__pycache__" in name or name.endswith((".db", ".pyc"))]


@requires("curl")
def test_wheel_runs_the_demo(built: dict[str, Path], tmp_path: Path) -> None:
    """
    In an empty environment the locked packages and the wheel are all that `retinue demo` needs. It gives a curl that
    works, with a header from a private file; the printed revoke makes it 401. What the sample shows is found by the
    product itself. The checklist ticks on the terminal. Nothing is left after Ctrl-C, and a setting of another
    installation has no effect.
    """
    place = tmp_path / "clean"
    venv.create(place)
    # Nothing is compiled beforehand: what the demo needs is, when it needs it.
    pip = [sys.executable, "-m", "pip", "--python", str(place / "bin/python"), "install", "--no-compile"]
    pip += ["--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "--require-hashes", "-r", str(ROOT / "requirements/all.txt")], check=True)
    subprocess.run([*pip, "--no-deps", str(built[".whl"])], check=True)
    program = str(place / "bin/retinue")
    port = str(three_ports())
    with started(
        program, tmp_path, "--port", port, RETINUE_DATABASE_URL="postgres://nobody@127.0.0.1:1/none"
    ) as demo:
        curl = demo.told(r"^✓ try it +(curl .+)$")
        header = Path(shlex.split(curl)[2].removeprefix("@"))

        assert "200" == demo.status(curl)
        seconds = time.monotonic() - demo.began
        print(f"retinue demo to the first successful curl: {seconds:.1f} s")
        assert seconds < MOST_SECONDS
        assert 0o600 == stat.S_IMODE(header.stat().st_mode)
        revoke = demo.told(r"^  next +(.+)$")
        environment = revoke.partition(";")[0]
        cli = f"{environment}; {program}"
        demo.waits_for(f"{cli} finding list", FOUND)
        demo.waits_for(f"{cli} account list", {"active", "attention", "disabled", "idle", "ownerless"})
        demo.waits_for(f"{cli} log list", {"allowed", "credential_revoked", "permission_missing"})

        demo.shell(revoke)
        assert "401" == demo.status(curl)
        assert demo.told(r"^✓ step 3  (.+)$").startswith("call the API")
        assert "credential_revoked" in demo.told(r"^✓ step 7  (.+)$")
        assert 0 == demo.end(signal.SIGINT)
        assert [] == demo.left()


def test_sbom(tmp_path: Path) -> None:
    """
    The bill of materials is valid CycloneDX (its maker checks it by the schema), and names each locked package with
    version and digests, and nothing else.
    """
    target = tmp_path / "retinue.cdx.json"
    made = subprocess.run(
        ["make", "-s", "sbom", f"SBOM={target}"], cwd=ROOT, capture_output=True, text=True, timeout=300
    )
    assert 0 == made.returncode, made.stderr
    document = json.loads(target.read_text())
    locked = {
        (name, version, *sorted(re.findall(r"--hash=sha256:([0-9a-f]{64})", digests)))
        for name, version, digests in re.findall(
            r"^([a-z0-9][a-z0-9._-]*)(?:\[[^\]]*\])?==(\S+)([^#]*?)(?=^\S|\Z)",
            (ROOT / "requirements/all.txt").read_text(),
            re.MULTILINE,
        )
    }

    assert ("CycloneDX", "1.6") == (document["bomFormat"], document["specVersion"])
    assert "retinue" == document["metadata"]["component"]["name"]
    assert len(locked) > 30
    assert locked == {(each["name"], each["version"], *_digests(each)) for each in document["components"]}
    assert all(each["purl"].endswith(f"@{each['version']}") for each in document["components"])


def _digests(component: dict[str, Any]) -> list[str]:
    return sorted(each["content"] for one in component["externalReferences"] for each in one["hashes"])
