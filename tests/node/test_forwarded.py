"""What a gateway tells about the request behind its question: method, path, address; and who may tell it."""

from __future__ import annotations

import json

import pytest

from retinue.token import Kind, mint
from retinue.usage import Entry, SpoolTail
from tests.node.world import Node, World, running


def _last_entry(node: Node) -> Entry:
    entries = []
    for folder in node.world.spool.iterdir():
        tail = SpoolTail(folder)
        entries += tail.read(100_000)[1]
        tail.close()
    # Of those of one millisecond, the one that was written last.
    return max(reversed(entries), key=lambda entry: entry.at_ms)


def _logged(node: Node, *fields: str, target: str = "report:read", method: str = "GET") -> Entry:
    """Ask with a token that is used here alone, and return what was logged."""
    assert node.forward_auth(target, "bäcker", *fields, method=method).status == 200
    entry = _last_entry(node)
    assert entry.account_name == "bäcker"
    return entry


def test_method_and_path_come_from_the_gateway(node: Node) -> None:
    """
    X-Forwarded-Method and X-Forwarded-Uri describe the original request; the query is not logged.
    """
    fields = ("X-Forwarded-Method: DELETE", "X-Forwarded-Uri: /reports/1?page=2", "User-Agent: etl/1")
    entry = _logged(node, *fields)

    assert ("DELETE", "/reports/1", "etl/1") == (entry.method, entry.path, entry.client)


def test_a_token_in_what_strangers_write_is_logged_in_its_display_form(node: Node) -> None:
    """
    In the path, however it is told, and in the name of the client.
    """
    token = mint(Kind.API_KEY, "acme")
    fields = (f"X-Forwarded-Uri: /hook/{token.reveal()}/x", f"User-Agent: etl {token.reveal()}")
    forwarded = _logged(node, *fields)
    rest = _logged(node, target=f"report:read/hook/{token.reveal()}/x")
    body = {"token": node.world.token("bäcker"), "path": f"/hook/{token.reveal()}/x"}
    node.get("/v1/verify", "Content-Type: application/json", method="POST", body=json.dumps(body).encode())
    asked = _last_entry(node)

    assert [f"/hook/{token.display}/x"] * 3 == [entry.path for entry in (forwarded, rest, asked)]
    assert f"etl {token.display}" == forwarded.client


def test_method_and_path_from_the_path_itself(node: Node) -> None:
    """
    With Envoy the rest of the path is the original path; it wins over fields that a client may have sent.
    """
    entry = _logged(
        node,
        "X-Forwarded-Method: GET",
        "X-Forwarded-Uri: /harmless",
        target="report:read/reports/1?page=2",
        method="PUT",
    )

    assert ("PUT", "/reports/1") == (entry.method, entry.path)


@pytest.mark.parametrize(
    "path",
    [
        "/reports/..%2fadmin/1",
        "/a/../b",
        "/a//b",
        "/a%5cb",
        "/a\\b",
        "/a%00",
        "/%2e%2e/b",
        "relative",
        "/a/.",
    ],
)
def test_ambiguous_original_paths_are_refused(node: Node, path: str) -> None:
    """
    Encoded separators and dot segments reach another route than the one that was checked: 400.
    """
    by_field = node.forward_auth("report:read", "reader", f"X-Forwarded-Uri: {path}")

    assert (400, "path_refused") == (by_field.status, by_field.code)
    if path.startswith("/"):
        assert 400 == node.forward_auth("report:read" + path, "reader").status


@pytest.mark.parametrize(
    "fields",
    [
        ("X-Forwarded-Method: GET", "X-Forwarded-Method: PUT"),
        ("X-Forwarded-Uri: /a", "X-Forwarded-Uri: /b"),
        ("X-Forwarded-Method: get it",),
    ],
)
def test_ambiguous_descriptions_are_refused(node: Node, fields: tuple[str, ...]) -> None:
    """
    Two methods or two paths are nobody's.
    """
    assert 400 == node.forward_auth("report:read", "reader", *fields).status


@pytest.mark.parametrize(
    ("forwarded", "address"),
    [
        ((), "127.0.0.1"),
        (("192.0.2.7",), "192.0.2.7"),
        (("203.0.113.1, 192.0.2.7",), "192.0.2.7"),
        (("203.0.113.1", "192.0.2.7"), "192.0.2.7"),
        (("203.0.113.1, 192.0.2.7, 127.0.0.9",), "192.0.2.7"),
        (("2001:db8::7",), "2001:db8::7"),
        (("::ffff:192.0.2.7",), "192.0.2.7"),
        (("192.0.2.7, nonsense",), None),
        (("192.0.2.7,",), None),
    ],
)
def test_the_client_address_is_read_from_the_right(
    node: Node, forwarded: tuple[str, ...], address: str | None
) -> None:
    """
    The rightmost address that is not a gateway's is the client; what is left of it is hearsay.
    """
    entry = _logged(node, *(f"X-Forwarded-For: {value}" for value in forwarded))

    assert address == entry.address


def test_strangers_forward_nothing(world: World) -> None:
    """
    From a peer that is no configured gateway, forwarded fields count for nothing.
    """
    with running(world, index=7, RETINUE_TRUSTED_PROXIES="198.51.100.0/24") as node:
        entry = _logged(
            node, "X-Forwarded-For: 192.0.2.7", "X-Forwarded-Method: PUT", "X-Forwarded-Uri: /forged"
        )

    assert ("127.0.0.1", None, None) == (entry.address, entry.method, entry.path)
