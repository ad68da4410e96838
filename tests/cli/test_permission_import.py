"""``retinue permission import``: what is read from a file, what is sent, and what a preview tells."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.cli.control_plane import FakeServer

DOCUMENT = """
openapi: 3.1.0
paths:
  /reports:
    get: {x-retinue-permission: "report:read"}
    post: {security: [{acme: ["report:write"]}]}
    delete: {}
components: {securitySchemes: {acme: {type: http, scheme: bearer}}}
"""


@pytest.fixture(autouse=True)
def _document(tmp_path: Path) -> None:
    (tmp_path / "openapi.yaml").write_text(DOCUMENT)


def test_an_openapi_document(run: Run, server: FakeServer) -> None:
    """
    Each permission of its operations, with what is known of it already; what says nothing is named.
    """
    outcome = run("permission", "import", "openapi.yaml")

    [known, other] = [each["name"] for each in server.calls[-1].body["permissions"]], server.calls[-1].body
    assert (0, ["report:read"]) == (outcome.code, known)
    assert set(other["permissions"][0]) >= {"label", "description"}
    assert "say nothing of a permission: POST /reports, DELETE /reports" in outcome.err


def test_the_scopes_of_a_scheme(run: Run, server: FakeServer) -> None:
    """
    That is named by --scheme; from standard input as well.
    """
    run("permission", "import", "-", "--scheme", "acme", stdin=DOCUMENT)

    assert ["report:read", "report:write"] == [each["name"] for each in server.calls[-1].body["permissions"]]


def test_a_preview_changes_nothing(run: Run, server: FakeServer) -> None:
    """
    It reads the catalogue alone, and tells for which operations a permission is.
    """
    outcome = run("permission", "import", "openapi.yaml", "--scheme", "acme", "--preview", "-o", "json")

    assert (0, []) == (outcome.code, server.changes())
    assert {"report:read": ["GET /reports"], "report:write": ["POST /reports"]} == {
        each["permission"]: each["operations"] for each in json.loads(outcome.out)["items"]
    }


def test_a_preview_of_a_list(run: Run, server: FakeServer) -> None:
    """
    Of ``permissions.yaml`` too; what is Retinue's own is told to be reserved.
    """
    server.replies["GET", "/v1/permissions"] = (
        200,
        {
            "items": [
                {"name": "role:read", "management": True, "declared_by": "retinue"},
                {"name": "report:read", "sensitivity": "normal", "declared_by": "file"},
                {"name": "report:write", "sensitivity": "normal", "declared_by": "import"},
                {"name": "old:read", "declared_by": "import"},
            ],
            "next": None,
        },
    )
    Path("permissions.yaml").write_text(
        "permissions: [report:read, {name: report:write, label: W}, role:look]\n"
    )
    outcome = run("permission", "import", "permissions.yaml", "--preview", "--withdraw-others", "-o", "tsv")

    assert [
        "change\tpermission\toperations",
        "withdrawn\told:read\t",
        "unchanged\treport:read\t",
        "described\treport:write\t",
        "reserved\trole:look\t",
    ] == outcome.out.splitlines()
    assert [] == server.changes()


@pytest.mark.parametrize(
    ("text", "flags", "words"),
    [
        ("openapi: 3.1.0\npaths: {}\n", (), "names no permission"),
        ("swagger: '2.0'\n", (), "openapi: must be 3.0"),
        ("openapi: 3.1.0\npaths: {/x: {get: {x-retinue-permission: X}}}\n", (), "paths./x.get.x-retinue-permission[0]"),
        ("permissions: [a:read]\n", ("--scheme", "x"), "no OpenAPI document"),
        ("permissions: [7]\n", ("--preview",), "permissions[0]"),
        ("[" * 5000, (), "nested too deeply"),
        ("- a\n", (), "no list"),
    ],
)  # fmt: skip
def test_what_cannot_be_read(
    text: str, flags: tuple[str, ...], words: str, run: Run, server: FakeServer
) -> None:
    """
    It is wrong usage, said with its place, and nothing is sent.
    """
    Path("file.yaml").write_text(text)
    outcome = run("permission", "import", "file.yaml", *flags)

    assert (2, "", []) == (outcome.code, outcome.out, server.changes())
    assert words in outcome.err
