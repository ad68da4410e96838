"""From the routes of a host to the catalogue and back: its own OpenAPI document is imported and agrees."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from retinue.guard import Guard, openapi
from retinue.guard.testing import FakeGuard
from retinue.verifier import UnknownPermission
from tests.guard.installed import issue
from tests.guard.served import ROOT
from tests.support.installation import Installation, http
from tests.support.processes import wait_for

HOST = """
from typing import Annotated
from fastapi import Depends, FastAPI
from fastapi.security import APIKeyHeader
from retinue.guard.fastapi import Caller, Guard
guard = Guard(rules={{"GET /by-rule": "{name}:list", "GET /token": ()}}, public=["/docs*", "/redoc", "/openapi.json"])
app = FastAPI()
guard.install(app)
reader, writer = guard.requires("{name}:read"), guard.requires("{name}:write", "{name}:read")
@app.get("/things/{{thing_id}}")
def read(thing_id: int, caller: Annotated[Caller, reader]) -> str: return "x"
@app.post("/things", dependencies=[guard.requires("{name}:read"), guard.requires("{name}:write")])
def write(key: Annotated[str, Depends(APIKeyHeader(name="x"))]) -> str: return "x"
@app.get("/by-rule")
def by_rule() -> str: return "x"
@app.get("/token")
def token() -> str: return "x"
@app.get("/maybe")
def maybe(caller: Annotated[Caller | None, guard.optional()]) -> str: return "x"
@app.get("/open")
@guard.public
def opened() -> str: return "x"
"""


def command(folder: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a folder."""
    given = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "HOME": str(folder), **environment}
    argv = [sys.executable, "-m", "retinue.cli", *words]
    return subprocess.run(
        argv, cwd=folder, env=given, capture_output=True, text=True, timeout=60, check=False
    )


def written(folder: Path, name: str) -> dict[str, Any]:
    """Write a host and its OpenAPI document, as the host serves it, into a folder."""
    source = HOST.format(name=name)
    (folder / "host.py").write_text(source)
    script = "import json, host; print(json.dumps(host.app.openapi() and host.app.openapi()))"
    code = (
        "from retinue.guard.core import standing_in; from retinue.guard.testing import FakeDecider\n"
        f"with standing_in(FakeDecider()): exec({script!r})"
    )
    told = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=True
    ).stdout
    (folder / "openapi.json").write_text(told)
    document: dict[str, Any] = json.loads(told)
    return document


def test_a_host_says_what_its_operations_need(tmp_path: Path) -> None:
    """
    By dependencies and by rules; each as one way in, beside what else the operation asks for.
    """
    document = written(tmp_path, "thing")
    paths = document["paths"]
    both = ["thing:read", "thing:write"]

    assert "thing:read" == paths["/things/{thing_id}"]["get"]["x-retinue-permission"]
    assert both == paths["/things"]["post"]["x-retinue-permission"]
    assert [{"APIKeyHeader": [], "retinue": both}] == paths["/things"]["post"]["security"]
    assert [{"retinue": ["thing:list"]}] == paths["/by-rule"]["get"]["security"]
    assert [{"retinue": []}] == paths["/token"]["get"]["security"]
    assert [{"retinue": []}, {}] == paths["/maybe"]["get"]["security"]
    assert [] == paths["/open"]["get"]["security"]
    api = openapi.read(document)
    assert ["thing:list", "thing:read", "thing:write"] == list(api.permissions)
    assert [] == [each.text for each in api.operations if each.need is None]


def test_the_document_and_the_routes_agree(tmp_path: Path) -> None:
    """
    Its own document does; one that says something else is told, operation by operation, with exit 7.
    """
    document = written(tmp_path, "thing")
    same = command(tmp_path, "routes", "check", "host:app", "--openapi", "openapi.json", "-o", "json")
    del document["paths"]["/by-rule"]["get"]["x-retinue-permission"]
    document["paths"]["/by-rule"]["get"]["security"] = []
    document["paths"]["/things/{thing_id}"]["get"]["x-retinue-permission"] = "thing:look"
    (tmp_path / "other.json").write_text(json.dumps(document))
    other = command(tmp_path, "routes", "check", "host:app", "--openapi", "other.json", "-o", "json")

    assert (0, set()) == (
        same.returncode,
        {each for item in json.loads(same.stdout)["items"] for each in item["differs"]},
    ), same.stderr
    assert 7 == other.returncode
    assert "GET /things/{thing_id}: thing:read, in the document thing:look" in other.stderr
    assert "GET /by-rule: thing:list, in the document no permission" in other.stderr


def test_the_document_is_imported(guard: Guard, installation: Installation, tmp_path: Path) -> None:
    """
    Shown first, and nothing is changed by that; then it can be granted, and a guard decides about it.
    """
    name = f"thing-{secrets.token_hex(3)}"
    document = written(tmp_path, name)
    told = {"name": f"{name}:read", "label": "Read things", "sensitivity": "sensitive"}
    (tmp_path / "openapi.json").write_text(json.dumps(document | {"x-retinue-permissions": [told]}))
    token = tmp_path / "token"
    token.write_text(installation.token())
    token.chmod(0o600)
    given = {"RETINUE_URL": installation.url, "RETINUE_TOKEN_FILE": str(token)}
    preview = command(tmp_path, "permission", "import", "openapi.json", "--preview", "-o", "json", **given)
    with pytest.raises(UnknownPermission):
        guard.verify(issue(installation, "report:read")[2], f"{name}:read")
    imported = command(tmp_path, "permission", "import", "openapi.json", **given)

    assert 0 == preview.returncode == imported.returncode, preview.stderr + imported.stderr
    assert {
        (f"{name}:list", "declared", ("GET /by-rule",)),
        (f"{name}:read", "declared", ("GET /things/{thing_id}", "POST /things")),
        (f"{name}:write", "declared", ("POST /things",)),
    } == {
        (each["permission"], each["change"], tuple(sorted(each["operations"])))
        for each in json.loads(preview.stdout)["items"]
    }
    _, _, granted = issue(installation, f"{name}:read")

    def knows() -> bool:
        try:
            return guard.verify(granted, f"{name}:read").permission == f"{name}:read"
        except UnknownPermission:
            return False

    wait_for("the guard knows the permission", knows, seconds=10)
    # A document that says less takes no description away.
    (tmp_path / "openapi.json").write_text(json.dumps(document))
    again = command(tmp_path, "permission", "import", "openapi.json", "--preview", "-o", "json", **given)
    assert {"unchanged"} == {each["change"] for each in json.loads(again.stdout)["items"]}
    command(tmp_path, "permission", "import", "openapi.json", **given)
    listed = http(
        "GET", f"{installation.url}/v1/permissions?search={name}", token=installation.token()
    ).json()
    assert "Read things" in [each["label"] for each in listed["items"]]


def test_the_document_is_served_complete(retinue_guard: FakeGuard) -> None:
    """
    Also after the framework has thrown it away and made another.
    """
    from fastapi import FastAPI

    from retinue.guard.fastapi import Guard as FastApiGuard

    app = FastAPI()
    FastApiGuard(guard=retinue_guard, rules={"GET /x": "a:read"}).install(app)

    @app.get("/x")
    def x() -> str:
        return "x"

    told = []
    for _ in range(3):
        told.append(app.openapi()["paths"]["/x"]["get"]["x-retinue-permission"])
        app.openapi_schema = None

    assert ["a:read"] * 3 == told
