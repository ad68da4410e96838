"""Servers that are none of ours, or that break off: one error line, an exit code, and nothing left behind."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cli.answers import ISSUED
from tests.cli.conftest import Run

_HEAD = "HTTP/1.1 {} X\r\nContent-Type: text/html\r\nContent-Length: {}\r\nLocation: https://else.example\r\n\r\n{}"
PAGE, SHORT = "<html>no</html>", '{"items": ['
ANSWERS = {
    "a page": (1, _HEAD.format(200, len(PAGE), PAGE)),
    "another type": (1, _HEAD.format(200, 2, "[]")),
    "an empty answer": (1, "HTTP/1.1 204 No Content\r\n\r\n"),
    "elsewhere": (1, _HEAD.format(302, 0, "")),
    "a proxy's page": (9, _HEAD.format(502, len(PAGE), PAGE)),
    "half an answer": (9, _HEAD.format(200, 500, SHORT)),
    "no HTTP": (9, "\x00SSH-2.0-OpenSSH\r\n"),
    "nothing": (9, ""),
    "a problem of odd types": (3, _HEAD.format(404, 27, '{"code": [], "required": 7}')),
}
COMMANDS = {
    "list": ("account", "list"),
    "issue": ("key", "issue", "sa_0123456789abcdef", "--out", "token"),
    "login": ("login", "--start"),
}
Serve = Callable[..., str]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Answer one connection after the other with these bytes, the last ones again and again."""
    listeners: list[socket.socket] = []

    def begin(*answers: bytes) -> str:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)

        def answer() -> None:
            left = list(answers)
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(65536)
                    connection.sendall(left.pop(0) if len(left) > 1 else left[0])

        threading.Thread(target=answer, daemon=True).start()
        return f"http://127.0.0.1:{listener.getsockname()[1]}"

    yield begin
    for each in listeners:
        each.shutdown(socket.SHUT_RDWR)
        each.close()


@pytest.mark.parametrize("words", COMMANDS.values(), ids=COMMANDS)
@pytest.mark.parametrize(("code", "answer"), ANSWERS.values(), ids=ANSWERS)
def test_bad_answer_is_an_error(
    run: Run, serve: Serve, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], code: int, answer: str
) -> None:
    """Nothing on standard output, no trace of the program, no file for a token that never came."""
    monkeypatch.setenv("RETINUE_URL", serve(answer.encode()))
    outcome = run(*words)

    assert (code, "", False) == (outcome.code, outcome.out, Path("token").exists()), outcome.err
    assert outcome.err.startswith("error: "), outcome.err
    assert "Traceback" not in outcome.err


def test_token_of_an_answer_that_was_lost_is_asked_for_again(
    run: Run, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key whose answer broke off is asked for once more, under the same Idempotency-Key: its holder gets a token."""
    whole = json.dumps(ISSUED)
    cut, sent = _HEAD.format(201, 5000, whole[:40]), _HEAD.format(201, len(whole.encode()), whole)
    monkeypatch.setenv("RETINUE_URL", serve(cut.encode(), sent.encode()))
    outcome = run("key", "issue", "sa_0123456789abcdef", "--out", "token")

    assert (0, str(ISSUED["token"])) == (outcome.code, Path("token").read_text().strip()), outcome.err
