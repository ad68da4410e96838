"""Permissions from an OpenAPI document: what is read, what is refused, and where it is said to be wrong."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from retinue.guard import openapi
from retinue.guard.openapi import OpenApiError, Operation


def document(**paths: Any) -> dict[str, Any]:
    """A document with these operations of GET, by path without its slash."""
    return {"openapi": "3.1.0", "paths": {f"/{name}": {"get": each} for name, each in paths.items()}}


def test_what_operations_say() -> None:
    """
    By the extension, by the scopes of the scheme, by what holds for all of them; public, any token, nothing.
    """
    told = document(
        one={"x-retinue-permission": "report:read"},
        both={"x-retinue-permission": ["report:read", "report:write"], "security": []},
        scoped={"security": [{"retinue": ["report:list"]}]},
        either={"security": [{"retinue": ["a:read"]}, {"retinue": ["b:read"]}]},
        beside={"security": [{"other": ["whatever else"]}]},
        public={"security": []},
        optional={"security": [{"retinue": []}, {}]},
        inherits={},
    )
    told["security"] = [{"retinue": []}]
    api = openapi.read(told)

    assert {
        Operation("GET", "/one", ("report:read",)),
        Operation("GET", "/both", ("report:read", "report:write")),
        Operation("GET", "/scoped", ("report:list",)),
        Operation("GET", "/either", ("a:read", "b:read"), is_any=True),
        Operation("GET", "/beside", None),
        Operation("GET", "/public", (), is_public=True),
        Operation("GET", "/optional", (), is_public=True),
        Operation("GET", "/inherits", ()),
    } == set(api.operations)
    assert ["a:read", "b:read", "report:list", "report:read", "report:write"] == list(api.permissions)
    assert ["GET /one", "GET /both"] == [each.text for each in api.used_by["report:read"]]


def test_descriptions() -> None:
    """
    At the top of the document, or those of an OAuth scheme that is named; the first win.
    """
    flows = {
        "clientCredentials": {"scopes": {"a:read": "Reads", "b:read": "Of the scheme", "not a name": ""}}
    }
    told = document(x={"security": [{"oauth": ["a:read"]}]}) | {
        "components": {"securitySchemes": {"oauth": {"type": "oauth2", "flows": flows}}},
        "x-retinue-permissions": ["c:read", {"name": "b:read", "label": "B", "sensitivity": "sensitive"}],
    }

    assert {
        "a:read": {"description": "Reads"},
        "b:read": {"label": "B", "sensitivity": "sensitive"},
        "c:read": {},
    } == openapi.read(told, "oauth").permissions


def test_references_to_path_items() -> None:
    """
    Are followed inside the document, escapes and all; what stands beside one wins.
    """
    told = {
        "openapi": "3.1.0",
        "components": {"pathItems": {"a/b": {"$ref": "#/components/pathItems/c"}, "c": {"get": {"x-retinue-permission": "c:read"}}}},
        "paths": {"/x": {"$ref": "#/components/pathItems/a~1b", "post": {"x-retinue-permission": "c:write"}}},
    }  # fmt: skip

    assert {("GET", ("c:read",)), ("POST", ("c:write",))} == {
        (each.method, each.need) for each in openapi.read(told).operations
    }


@pytest.mark.parametrize(
    ("told", "place"),
    [
        ([], "openapi:"),
        ({"swagger": "2.0"}, "openapi:"),
        ({"openapi": 3.1}, "openapi:"),
        ({"openapi": "3.0.0", "paths": []}, "paths:"),
        ({"openapi": "3.0.0", "paths": {"x": {}}}, "paths.x:"),
        ({"openapi": "3.0.0", "paths": {"/x": {"get": []}}}, "paths./x.get:"),
        (document(x={"x-retinue-permission": []}), "paths./x.get.x-retinue-permission:"),
        (document(x={"x-retinue-permission": ["a:read", "A"]}), "paths./x.get.x-retinue-permission[1]:"),
        (document(x={"x-retinue-permission": "report:*"}), "paths./x.get.x-retinue-permission[0]:"),
        (document(x={"security": {}}), "paths./x.get.security:"),
        (document(x={"security": [{"retinue": ["read"]}]}), "paths./x.get.security[0].retinue[0]:"),
        (document(x={}) | {"security": [[]]}, "security[0]:"),
        (document() | {"components": {"securitySchemes": 7}}, "components.securitySchemes:"),
        (document() | {"x-retinue-permissions": [{"name": "a:read", "labels": "x"}]}, "x-retinue-permissions[0].labels:"),
        (document() | {"x-retinue-permissions": [{"name": "a:read", "label": 1}]}, "x-retinue-permissions[0].label:"),
        (document() | {"x-retinue-permissions": [{"label": "x"}]}, "x-retinue-permissions[0].name:"),
        (document() | {"x-retinue-permissions": ["a:read", "a:read"]}, "x-retinue-permissions[1].name:"),
        ({"openapi": "3.1.0", "paths": {"/x": {"$ref": "https://elsewhere.example/x"}}}, "paths./x.$ref:"),
        ({"openapi": "3.1.0", "paths": {"/x": {"$ref": "#/nowhere"}}}, "paths./x.$ref:"),
        ({"openapi": "3.1.0", "paths": {"/x": {"$ref": "#/paths/~1x"}}}, "paths./x.$ref:"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_by_its_place(told: Any, place: str) -> None:
    """
    And refused as a whole: a rule that is half read would be another rule.
    """
    with pytest.raises(OpenApiError) as caught:
        openapi.read(told)

    assert str(caught.value).startswith(place)


def test_a_scheme_that_is_not_there() -> None:
    """
    A mistyped name would import nothing, silently.
    """
    with pytest.raises(OpenApiError, match=r"^components\.securitySchemes: no scheme 'retinu'"):
        openapi.read(document(), "retinu")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\xff", "not UTF-8"),
        (b"x" * (openapi.MAX_BYTES + 1), "larger than 4 MiB"),
        (b'{"openapi": 3', "line 1: not JSON"),
        (b"a: b: c", "line 1: not YAML"),
        (b'{"a": 1, "a": 2}', "the key 'a' stands twice"),
        (b"x:\n  a: 1\n  a: 2", "line 3: the key 'a' stands twice"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"a":' * 100_000, "nested too deeply"),
        (b"- " * 100_000, "nested too deeply"),
        (b"{a: " * 100_000, "not JSON"),
        (b"!!python/object/apply:os.getcwd []", "not YAML"),
        (b"a: &a {x: 1}\nb: {<<: *a}", "merge keys"),
    ],
)
def test_what_is_no_document(data: bytes, words: str) -> None:
    """
    It is told in a line, at once, and nothing is built of it.
    """
    began = time.process_time()
    with pytest.raises(OpenApiError, match=words):
        openapi.parse(data)

    assert time.process_time() - began < 2


def test_aliases_that_multiply() -> None:
    """
    Nine lists of nine of each other are a billion entries if they are written out: they are not.
    """
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 10)]
    text = "openapi: 3.1.0\npaths: {}\nx-retinue-permissions: *a9\n"
    began = time.process_time()
    with pytest.raises(OpenApiError, match="x-retinue-permissions"):
        openapi.read(openapi.parse(("\n".join(lines) + "\n" + text).encode()))

    assert time.process_time() - began < 2


def test_too_many_operations() -> None:
    """
    An alias can repeat one path item without end; what is read is counted.
    """
    item = {method: {"x-retinue-permission": "a:read"} for method in openapi.METHODS}
    told = {"openapi": "3.1.0", "paths": {f"/{number}": item for number in range(openapi.MAX_OPERATIONS)}}
    with pytest.raises(OpenApiError, match="at most 10000 operations"):
        openapi.read(told)


@pytest.mark.parametrize(("tag", "quote"), [("", ""), ("!!int ", ""), ("!!int ", '"')])
def test_numbers_to_the_base_60_are_short(tag: str, quote: str) -> None:
    """
    Reading a long one would take minutes; as a text of the document it is no number.
    """
    number = "1" + ":1" * 100_000
    began = time.monotonic()
    with pytest.raises(OpenApiError, match="line 2: a number of more than 100 characters"):
        openapi.parse(f"openapi: 3.1.0\nx: {tag}{quote}{number}{quote}\n".encode())

    assert number == openapi.parse(f'x: "{number}"'.encode())["x"]
    assert time.monotonic() - began < 5


def test_many_paths_that_lead_to_one_large_mapping() -> None:
    """
    It is not copied for each of them: the time grows with the document, not with its square.
    """
    told = {
        "openapi": "3.1.0",
        "x": {f"x-{number}": 0 for number in range(100_000)},
        "paths": {f"/{number}": {"$ref": "#/x"} for number in range(40_000)},
    }
    began = time.monotonic()

    assert () == openapi.read(told).operations
    assert time.monotonic() - began < 5


def test_json_and_yaml_are_one() -> None:
    """
    The same document in both forms, with a byte order mark too.
    """
    told = document(x={"x-retinue-permission": "a:read", "responses": {"200": {"description": "ok"}}})
    as_json = json.dumps(told).encode()
    as_yaml = b"openapi: 3.1.0\npaths:\n  /x: {get: {x-retinue-permission: 'a:read', responses: {200: {description: ok}}}}\n"

    read = [openapi.read(openapi.parse(each)) for each in (as_json, b"\xef\xbb\xbf" + as_json, as_yaml)]
    assert read[0] == read[1] == read[2]


@pytest.mark.parametrize(
    ("one", "other"),
    [("/reports/{id}", "/reports/<int:report_id>"), ("/{a}/x/{b}", "/<a>/x/<uuid:b>")],
)
def test_the_same_path_by_two_frameworks(one: str, other: str) -> None:
    """
    Names and types of its parts do not matter; where they stand does.
    """
    assert openapi.same_path(one) == openapi.same_path(other) != openapi.same_path("/reports")
