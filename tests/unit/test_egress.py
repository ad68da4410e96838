"""The one way out: no private address however it is written, no redirect, no waiting, no other address than was seen."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from retinue.network import networks
from retinue.server import egress
from retinue.server.egress import Forbidden, Unreachable
from tests.support.outside import receiver

LOOPBACK = networks("127.0.0.0/8,::1/128")
PRIVATE = [
    "127.0.0.1", "127.1", "0x7f000001", "2130706433", "017700000001", "0.0.0.0", "10.0.0.1", "172.16.0.1",  # noqa: S104
    "192.168.1.1", "169.254.169.254", "100.64.0.1", "224.0.0.1", "255.255.255.255", "192.0.2.1", "198.18.0.1",
    "[::1]", "[::]", "[fe80::1]", "[fc00::1]", "[fec0::1]", "[ff02::1]", "[::ffff:10.0.0.1]", "[::ffff:127.0.0.1]",
    "[64:ff9b::10.0.0.1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[2001:db8::1]", "[::127.0.0.1]", "[fe80::1%25lo]",
]  # fmt: skip


@pytest.mark.parametrize("host", PRIVATE)
def test_no_way_of_writing_leads_inside(host: str) -> None:
    """
    Loopback, private, link-local, metadata, reserved and translated addresses are refused before anything is asked,
    in every form that a resolver takes.
    """
    with pytest.raises(Forbidden):
        egress.post(f"https://{host}/", b"", {}, ())


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.com/", "file:///etc/passwd", "https://", "https:///x", "//example.com", "https://u:p@example.com/",
        "https://u@example.com/", "https://example.com/#f", "https://example.com:0/", "https://example.com:99999/",
        "https://exa mple.com/", "https://example.com/\r\nX: y", "https://exämple.com/", "http://example.com/",
        "https://example.com/" + "x" * 2048,
    ],
)  # fmt: skip
def test_what_is_no_address_is_refused(url: str) -> None:
    """
    Other schemes, credentials, fragments, control characters, and plain text to anywhere that is not allowed.
    """
    with pytest.raises(Forbidden):
        egress.check_url(url, ())


def _resolves(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> list[str]:
    """Have names resolve to these addresses in turn; return which names were asked for."""
    asked: list[str] = []
    left = list(answers)

    def getaddrinfo(host: str, port: int, **_: Any) -> list[Any]:
        asked.append(host)
        found = left.pop(0) if len(left) > 1 else left[0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port)) for each in found]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return asked


@pytest.mark.parametrize("addresses", [["127.0.0.1"], ["93.184.215.14", "10.0.0.1"], ["169.254.169.254"]])
def test_a_name_that_leads_inside_is_refused(monkeypatch: pytest.MonkeyPatch, addresses: list[str]) -> None:
    """
    A public name with a private address, also beside a public one, is not called.
    """
    _resolves(monkeypatch, addresses)
    with pytest.raises(Forbidden, match="not public"):
        egress.post("https://innocent.example/", b"", {}, ())


def test_a_name_is_resolved_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    A name that is public when it is looked at and private a moment later is connected to at the address that was
    looked at.
    """
    asked = _resolves(monkeypatch, ["93.184.215.14"], ["127.0.0.1"])
    tried: list[Any] = []

    def connect(address: Any, timeout: float) -> socket.socket:
        tried.append(address)
        raise OSError("no way")

    monkeypatch.setattr(socket, "create_connection", connect)
    with pytest.raises(Unreachable):
        egress.post("https://rebinding.example/", b"", {}, ())

    assert (["rebinding.example"], [("93.184.215.14", 443)]) == (asked, tried)


def test_an_allowed_network_is_called_and_redirects_are_not_followed() -> None:
    """
    What the operator allows is called, in plain text too; an answer that points elsewhere is an answer, and the place
    that it points to is not asked.
    """
    with receiver() as here, receiver() as there:
        here.statuses, here.location = [307], there.url
        answer = egress.post(f"{here.url}/hook?x=1", b"{}", {"X-A": "b"}, LOOPBACK)

        assert (307, [], ["/hook?x=1"]) == (answer.status, there.got, [each.path for each in here.got])
        assert ("b", "127.0.0.1") == (
            here.got[0].headers["x-a"],
            here.got[0].headers["host"].partition(":")[0],
        )


def _listening(talk: Callable[[socket.socket], None]) -> tuple[int, socket.socket]:
    """Listen on loopback and talk so to whoever connects."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        try:
            connection, _ = listener.accept()
            with connection:
                talk(connection)
        except OSError:
            return

    threading.Thread(target=serve, daemon=True).start()
    return listener.getsockname()[1], listener


def test_who_drips_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    A server that sends a byte now and then holds a call no longer than one that sends nothing.
    """
    monkeypatch.setattr(egress, "TOTAL_SECONDS", 0.5)

    def drip(connection: socket.socket) -> None:
        for _ in range(100):
            connection.sendall(b"H")
            time.sleep(0.05)

    port, listener = _listening(drip)
    began = time.monotonic()
    with listener, pytest.raises(Unreachable, match=r"within 0\.5 s"):
        egress.post(f"http://127.0.0.1:{port}/", b"{}", {}, LOOPBACK)

    assert 3 > time.monotonic() - began


def test_an_endless_answer_is_not_read() -> None:
    """
    Of an answer a megabyte is read at most.
    """
    sent: list[int] = []

    def pour(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        for _ in range(1000):
            sent.append(connection.send(b"x" * 65536))

    port, listener = _listening(pour)
    with listener:
        assert 200 == egress.post(f"http://127.0.0.1:{port}/", b"{}", {}, LOOPBACK).status
    assert 16 << 20 > sum(sent)


@pytest.mark.parametrize("said", [b"", b"SSH-2.0-x\r\n", b"HTTP/1.1 999999 x\r\n\r\n"])
def test_what_is_no_answer_is_said_without_its_words(said: bytes) -> None:
    """
    A service that does not speak HTTP gives an error that repeats nothing of what it sent.
    """

    def talk(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(said)

    port, listener = _listening(talk)
    with listener, pytest.raises(Unreachable) as error:
        egress.post(f"http://127.0.0.1:{port}/", b"{}", {}, LOOPBACK)
    assert "SSH" not in str(error.value)


def test_tls_must_be_that_of_the_name() -> None:
    """
    A port that does not speak TLS is no way out; the certificate is checked by the usual roots, TLS 1.2 at least.
    """
    with receiver() as here, pytest.raises(Unreachable):
        egress.post(here.url.replace("http://", "https://"), b"{}", {}, LOOPBACK)
    assert ssl.create_default_context().verify_mode is ssl.CERT_REQUIRED
