"""Request targets that a server and an application could read in two ways: the guard goes by the application's."""

from __future__ import annotations

import asyncio
import socket
import threading
from typing import Any

import pytest
from flask import Flask
from werkzeug.serving import make_server

from retinue.guard import GuardError, asgi, wsgi
from retinue.guard.testing import FakeGuard

#: A target, or what a middleware made of one: SCRIPT_NAME, PATH_INFO, what came; and the path that counts.
SERVED = {
    "plain": ("", "/a", "/a?x=1", "/a"),
    "encoded slash": ("", "/a/b", "/a%2fb", "/a%2fb"),
    "absolute form": ("", "/a", "http://h/a?x", "/a"),
    "absolute form, no path": ("", "", "http://h", "/"),
    "mounted": ("/m", "/a", "/m/a", "/m/a"),
    "no slash": ("", "admin", "admin", "admin"),
    "no slash, mounted": ("/m", "admin", "/madmin", "admin"),
    "no slash, a scheme": ("", "admin", "https:admin", "admin"),
    "no slash, later a scheme": ("", "admin/a://x/open", "admin/a://x/open", "admin/a://x/open"),
    "fragment": ("", "/admin", "/admin#/open", "/admin"),
    "rewritten": ("", "/admin", "/open", "/admin"),
    "moved": ("/m", "/admin", "/open", "/m/admin"),
    "not told": ("", "/\xc3\xbc", "", "/ü"),
}


@pytest.mark.parametrize("name", SERVED)
def test_a_path_of_wsgi(name: str) -> None:
    """
    The path as it came counts only where it is the one that the application goes by.
    """
    mount, inside, came, expected = SERVED[name]
    environ = {"REQUEST_METHOD": "GET", "SCRIPT_NAME": mount, "PATH_INFO": inside, "RAW_URI": came}

    assert expected == wsgi.request_of(environ).path


def test_a_mount_that_the_request_names_fits_no_rule() -> None:
    """
    gunicorn takes the mount from a header field: `/open` before `/admin` would make of a closed path an open one.
    """
    environ = {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "/open",
        "PATH_INFO": "/admin",
        "RAW_URI": "/open/admin",
    }

    assert "/open/admin" == wsgi.request_of(environ).path
    assert "admin" == wsgi.request_of(environ | {"HTTP_SCRIPT_NAME": "/open"}).path


@pytest.mark.parametrize(
    ("root", "path", "raw", "expected"),
    [
        ("", "/a/b", b"/a%2fb", "/a%2fb"),
        ("/m", "/m/a/b", b"/m/a%2fb", "/m/a%2fb"),
        ("/m", "/a/b", b"/m/a%2fb", "/m/a%2fb"),
        ("", "/admin", b"/open", "/admin"),
        ("/m", "/admin", b"/open", "/admin"),
        ("", "/ü", b"/%c3%bc", "/%c3%bc"),
        ("", "/a", None, "/a"),
    ],
)
def test_a_path_of_asgi(root: str, path: str, raw: bytes | None, expected: str) -> None:
    """
    Also where the server leaves out the place at which the application is mounted.
    """
    scope: dict[str, Any] = {
        "type": "http",
        "method": "GET",
        "path": path,
        "raw_path": raw,
        "root_path": root,
        "headers": [],
    }

    assert expected == asgi.request_of(scope).path


def test_a_target_without_a_slash_opens_nothing() -> None:
    """
    Flask answers ``GET admin`` like ``GET /admin``: what is public at ``/`` does not let it in.
    """
    inside = Flask(__name__)
    inside.add_url_rule("/", view_func=lambda: "open", endpoint="open")
    inside.add_url_rule("/<path:name>", view_func=lambda name: f"secret {name}", endpoint="secret")
    app = wsgi.Protect(inside, FakeGuard(), {"/{name}": "admin:write"}, public=["/", "/open"])
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        targets = (
            "admin",
            "https:admin",
            "admin/a://x/open",
            ":admin://x/open",
            "open#/../../admin",
            "//admin",
        )
        answers = {target: _answer(server.server_port, target) for target in targets}
        let_in = _answer(server.server_port, "http://h/open")
    finally:
        server.shutdown()
        thread.join()
        server.server_close()

    assert dict.fromkeys(targets, "401") == answers
    assert "200" == let_in


def _answer(port: int, target: str) -> str:
    with socket.create_connection(("127.0.0.1", port), 10) as connection:
        connection.sendall(f"GET {target} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n".encode())
        return connection.makefile("rb").readline().split()[1].decode()


def test_a_kind_of_connection_that_is_not_known() -> None:
    """
    No rule is about it, so it does not reach the application; the application's own start does.
    """
    reached = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        reached.append(scope["type"])

    async def ask(kind: str) -> None:
        await asgi.Protect(app, FakeGuard(), {"/*": "report:read"})({"type": kind}, None, None)  # type: ignore[arg-type]

    asyncio.run(ask("lifespan"))
    with pytest.raises(GuardError, match="webtransport"):
        asyncio.run(ask("webtransport"))

    assert ["lifespan"] == reached
