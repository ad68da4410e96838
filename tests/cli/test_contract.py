"""What commands send is what the API takes, as its stored document says."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.cli.commands import COMMANDS
from tests.cli.conftest import Run
from tests.cli.control_plane import Call, FakeServer
from tests.cli.test_reasons import CHANGING

DOCUMENT = json.loads((Path(__file__).parents[1] / "api" / "snapshots" / "openapi.json").read_text())


def operation_of(call: Call) -> dict[str, Any]:
    """The operation that a call reaches; an exact address wins over one with parameters."""
    fitting = [
        path
        for path, methods in DOCUMENT["paths"].items()
        if call.method.lower() in methods and re.fullmatch(re.sub(r"{\w+}", "[^/]+", path), call.path)
    ]
    found: dict[str, Any] = DOCUMENT["paths"][min(fitting, key=lambda path: path.count("{"))][
        call.method.lower()
    ]
    return found


def fields_of(operation: dict[str, Any]) -> set[str]:
    """The fields that the body of an operation may have."""
    content = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if content is None:
        return set()
    name = content["schema"]["$ref"].rpartition("/")[2]
    return set(DOCUMENT["components"]["schemas"][name]["properties"])


@pytest.mark.parametrize("name", [name for name in COMMANDS if name != "verify"])  # verify asks a node
def test_commands_send_what_the_api_takes(name: str, run: Run, server: FakeServer) -> None:
    """Each call has an operation, and nothing in its query or body is unknown there."""
    run(*COMMANDS[name], *(("--reason", "ticket 7") if name in CHANGING else ()))

    assert server.calls
    for call in server.calls:
        operation = operation_of(call)
        asked = {each["name"] for each in operation["parameters"] if each["in"] == "query"}
        assert (set(), set()) == (set(call.query) - asked, set(call.body or {}) - fields_of(operation)), call
