"""The OpenAPI document: equal to the table, and changed only on purpose."""

from __future__ import annotations

import json
from pathlib import Path

from retinue.server.api import (
    document,
    routes,  # noqa: F401  (imports every noun: the table is complete, whichever test runs first)
)
from retinue.server.api.operations import OPERATIONS, Access
from tests.api.world import STRANGER, World


def test_document_is_the_table() -> None:
    """
    Each operation of the table is described once, with its permission, and nothing else is.
    """
    described = {
        (method.upper(), path, tuple(each["x-retinue-permission"]))
        for path, methods in document.build(OPERATIONS)["paths"].items()
        for method, each in methods.items()
    }

    assert {
        (
            each.method,
            f"/v1{each.path}",
            tuple(each.needs.value if isinstance(each.needs, Access) else each.needs),
        )
        for each in OPERATIONS
    } == described


def test_document_is_reviewed(snapshots: Path, writes_snapshots: bool) -> None:
    """
    A change of the document is seen in review: it equals the stored one.
    """
    path = snapshots / "openapi.json"
    made = json.dumps(document.build(OPERATIONS), indent=1, sort_keys=True) + "\n"
    if writes_snapshots:
        path.parent.mkdir(exist_ok=True)
        path.write_text(made)

    assert json.loads(path.read_text()) == json.loads(made)


def test_document_is_public(world: World) -> None:
    """
    Anybody may read the document and the identity keys.
    """
    answers = [STRANGER.get("/v1/openapi.json"), STRANGER.get("/v1/identity-keys")]

    assert [200, 200] == [each.status for each in answers]
    assert "3.1.0" == answers[0].json["openapi"]
    assert isinstance(answers[1].json["keys"], list)
