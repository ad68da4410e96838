"""Over HTTP: each scheme where its organization accepts it, one credential alone, and how refusals are told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from retinue.usage import Entry, SpoolTail, spools
from tests.node.schemes_world import add, answer, encoded, fields
from tests.node.world import Node, World, build, running


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """The usual replica, with organizations of other schemes."""
    built = build(tmp_path_factory.mktemp("schemes") / "home")
    add(built)
    return built


@pytest.fixture(scope="module")
def node(world: World) -> Iterator[Node]:
    """A worker over ``world``."""
    with running(world) as started:
        yield started


@pytest.mark.parametrize(
    ("expected", "name", "how"),
    [
        ((200, ""), "pair", "apikey"),
        ((200, ""), "pair", "ApiKey"),
        ((200, ""), "pair", "basic"),
        ((200, ""), "pair", "header"),
        ((200, ""), "pair", "x-api-key"),
        ((403, "scheme_not_accepted"), "pair", "bearer"),
        ((401, "token_missing"), "pair", "X_Api_Key"),
        ((200, ""), "token", "bearer"),
        ((200, ""), "token", "lower case"),
        ((200, ""), "token", "user"),
        ((401, "scheme_not_accepted"), "token", "header"),
        ((401, "scheme_not_accepted"), "token", "basic"),
        ((401, "scheme_not_accepted"), "reader", "user"),
        ((200, ""), "reader", "bearer"),
    ],
)
def test_a_token_works_in_the_schemes_of_its_organization(
    node: Node, expected: tuple[int, str], name: str, how: str
) -> None:
    """
    And in no other, with the statuses that its organization wants. A dash is never an underscore.
    """
    assert expected == answer(node.get("/v1/forward-auth/report:read", *fields(node.world, how, name)))


@pytest.mark.parametrize(
    ("expected", "organization", "how"),
    [
        ((200, ""), "pairs", "apikey"),
        ((200, ""), "pairs", "header"),
        ((403, "scheme_not_accepted"), "pairs", "bearer"),
        ((401, "scheme_not_accepted"), "acme", "apikey"),
        ((401, "token_missing"), "acme", "header"),
        ((401, "token_unknown"), "acme", "bearer"),
    ],
)
def test_a_protected_organization_has_its_own_schemes(
    node: Node, expected: tuple[int, str], organization: str, how: str
) -> None:
    """
    From the first step on; a header that means something to another organization means nothing here.
    """
    target = f"/v1/forward-auth/report:read@{organization}"

    assert expected == answer(node.get(target, *fields(node.world, how, "pair")))


@pytest.mark.parametrize("first", ["apikey", "basic", "bearer"])
def test_two_credentials_are_none(node: Node, first: str) -> None:
    """
    In two places, or twice in one: never "the first wins", even if both are the same.
    """
    world = node.world
    both = (*fields(world, first, "pair"), *fields(world, "header", "pair"))
    twice = fields(world, "header", "pair") * 2

    assert (403, "scheme_not_accepted") == answer(node.get("/v1/forward-auth/report:read@pairs", *both))
    assert (401, "scheme_not_accepted") == answer(node.get("/v1/forward-auth/report:read", *both))
    assert (401, "scheme_not_accepted") == answer(node.get("/v1/forward-auth/report:read", *twice))


@pytest.mark.parametrize(
    "value",
    ["Basic", "Basic !!!", "Basic " + encoded("no-colon"), "Apikey " + encoded("no-colon"), "Basic " + encoded("ü:ü"),
     "Basic YTpi\tYTpi", "Apikey YTpi=", "Digest x", "Negotiate YTpi", "Basic " + "QUFB" * 400],
)  # fmt: skip
def test_what_is_not_well_formed_is_no_scheme(node: Node, value: str) -> None:
    """
    Strict base64 of ASCII with a colon, at most a kilobyte.
    """
    reply = node.get("/v1/forward-auth/report:read", f"Authorization: {value}")

    assert (401, "scheme_not_accepted") == answer(reply)


@pytest.mark.parametrize("name", ["pair", "token", "ingest"])
def test_no_token_is_accepted_in_a_query(node: Node, name: str) -> None:
    """
    Of any format, under any name.
    """
    token = node.world.token(name)
    for uri in (f"/x?key={token}", f"/x?token={token}", f"/x?a=1&api_key={token}"):
        reply = node.get("/v1/forward-auth/report:read", f"X-Forwarded-Uri: {uri}", "X-Forwarded-Method: GET")
        assert 401 == reply.status
        assert token not in reply.body.decode()


def test_refusals_are_told_as_the_organization_wants(node: Node) -> None:
    """
    The flat form and its statuses for the one that wants them, problem details for the others.
    """
    flat = node.get("/v1/forward-auth/report:read@pairs")
    usual = node.get("/v1/forward-auth/report:read@acme")

    assert (403, "application/json") == (flat.status, flat.fields["content-type"])
    assert {"status_code", "message", "request_id"} == flat.json().keys()
    assert 403 == flat.json()["status_code"]
    assert 'Apikey realm="retinue", Basic realm="retinue"' == flat.fields["www-authenticate"]
    assert (401, "application/problem+json") == (usual.status, usual.fields["content-type"])
    assert "token_missing" == usual.code


def test_a_missing_permission_has_the_status_of_the_organization(node: Node) -> None:
    """
    404 instead of 403, after the credential is known.
    """
    reply = node.get("/v1/forward-auth/report:write", *fields(node.world, "apikey", "pair"))

    assert (404, "permission_missing") == answer(reply)
    assert 404 == reply.json()["status_code"]


@pytest.mark.parametrize(
    ("expected", "method", "path"),
    [
        ((200, ""), "POST", "/analytics/{}"),
        ((200, ""), "POST", "/analytics/bulk/{}"),
        ((200, ""), "PUT", "/{}/data"),
        ((403, "method_not_allowed"), "GET", "/analytics/{}"),
        ((403, "kind_not_accepted"), "POST", "/reports/{}"),
        ((403, "kind_not_accepted"), "POST", "/{}"),
        ((401, "token_missing"), "POST", "/analytics/{}x"),
        ((401, "token_missing"), "POST", "/write/cpu"),
        ((200, ""), "POST", "/analytics/{}?x=1"),
    ],
)
def test_an_ingest_token_may_stand_in_a_path(
    node: Node, expected: tuple[int, str], method: str, path: str
) -> None:
    """
    In the path of an endpoint that it is bound to, by a method that writes.
    """
    uri = path.format(node.world.token("ingest"))
    said = (f"X-Forwarded-Method: {method}", f"X-Forwarded-Uri: {uri}")

    assert expected == answer(node.get("/v1/forward-auth/report:write@points", *said))
    assert expected == answer(node.get("/v1/forward-auth/report:write", *said))


def test_other_ids_beside_the_token_do_no_harm(node: Node) -> None:
    """
    A UUID that is no token is an id; where no organization lets tokens stand in a path, so is every UUID.
    """
    other = "00000000-0000-4000-8000-000000000000"
    token = node.world.token("ingest")
    said = ("X-Forwarded-Method: POST", f"X-Forwarded-Uri: /{token}/data")

    assert (401, "token_missing") == answer(
        node.get(
            "/v1/forward-auth/report:write", "X-Forwarded-Method: POST", f"X-Forwarded-Uri: /{other}/data"
        )
    )
    assert (401, "token_missing") == answer(node.get("/v1/forward-auth/report:write@acme", *said))


def test_an_ingest_token_as_user_name(node: Node) -> None:
    """
    Basic with an empty password, where the organization lets it stand there; never in a header as bearer.
    """
    said = ("X-Forwarded-Method: POST", "X-Forwarded-Uri: /write/cpu")
    target = "/v1/forward-auth/report:write@points"

    assert (200, "") == answer(node.get(target, *fields(node.world, "user", "ingest"), *said))
    assert (401, "scheme_not_accepted") == answer(
        node.get(target, *fields(node.world, "bearer", "ingest"), *said)
    )


def test_the_log_keeps_no_token(world: World, node: Node) -> None:
    """
    The path is logged with a place instead of the ingest token; so is what a client says of itself.
    """
    token = world.token("ingest")
    said = ("X-Forwarded-Method: POST", f"X-Forwarded-Uri: /analytics/{token}", f"User-Agent: curl {token}")
    assert 200 == node.get("/v1/forward-auth/report:write@points", *said).status

    entries = [entry for path in spools(world.spool) for entry in _all(path)]
    paths = {entry.path for entry in entries}

    assert "/analytics/{token}" in paths
    written = b"".join(file.read_bytes() for path in spools(world.spool) for file in path.glob("*.seg"))
    assert token.encode() not in written
    assert all(world.token(name).encode() not in written for name in world.tokens)


def _all(path: Path) -> list[Entry]:
    tail = SpoolTail(path)
    found = tail.read(1000)[1]
    tail.close()
    return found
