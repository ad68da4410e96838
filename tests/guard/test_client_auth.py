"""``retinue.client.auth()``: a program presents its token, by each of the libraries, over real connections."""

from __future__ import annotations

import io
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from retinue.client import TokenError, auth
from tests.guard.calling import SENDERS, Api, Send, serving


@pytest.fixture
def api() -> Iterator[Api]:
    """A protected API."""
    yield from serving()


@pytest.fixture
def elsewhere() -> Iterator[Api]:
    """An API at another origin."""
    yield from serving()


@pytest.fixture(params=SENDERS)
def send(request: pytest.FixtureRequest) -> Send:
    """Sends a request by each library."""
    return SENDERS[request.param]


@pytest.fixture
def token_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that the environment names, with the first token."""
    file = tmp_path / "token"
    file.write_text("first\n")
    monkeypatch.setenv("RETINUE_TOKEN_FILE", str(file))
    monkeypatch.setenv("RETINUE_TOKEN", "of-the-variable")
    return file


def test_a_token_is_presented(send: Send, api: Api, token_file: Path) -> None:
    """
    That of the file, which comes before the variable.
    """
    assert 200 == send("GET", f"{api.url}/", auth())
    assert [("/", "Bearer first", b"")] == api.seen


def test_of_the_variable(send: Send, api: Api, token_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Where no file is named; refused, it is not sent again: there is no other.
    """
    monkeypatch.delenv("RETINUE_TOKEN_FILE")

    assert 401 == send("GET", f"{api.url}/", auth())
    assert ["Bearer of-the-variable"] == [told for _, told, _ in api.seen]


def _rotate_unseen(file: Path) -> None:
    """Put another token into the file, so that looking at the file does not show it."""
    before = file.stat()
    file.write_text("other\n")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_a_rotation_needs_no_restart(send: Send, api: Api, token_file: Path) -> None:
    """
    A token that is refused is looked for once more, and the same request is sent again, body and all.
    """
    made = auth()
    assert 200 == send("POST", f"{api.url}/", made, content=b"one")
    api.accepted = "other"
    _rotate_unseen(token_file)

    assert 200 == send("POST", f"{api.url}/", made, content=b"two")
    assert ["Bearer first", "Bearer first", "Bearer other"] == [told for _, told, _ in api.seen]
    assert [b"one", b"two", b"two"] == [body for _, _, body in api.seen]


def test_a_changed_file_is_noticed_before_it_is_refused(send: Send, api: Api, token_file: Path) -> None:
    """
    The next request has the new token at once.
    """
    made = auth()
    token_file.write_text("second token's length\n".replace(" ", "-"))
    api.accepted = "second-token's-length"

    assert 200 == send("GET", f"{api.url}/", made)
    assert 1 == len(api.seen)


def test_a_refusal_is_asked_about_once(send: Send, api: Api, token_file: Path) -> None:
    """
    With the same token in the file nothing is sent again; with another that is refused too, no third time.
    """
    made = auth()
    api.accepted = "nothing"
    assert 401 == send("GET", f"{api.url}/", made)
    assert 1 == len(api.seen)
    _rotate_unseen(token_file)
    assert 401 == send("GET", f"{api.url}/", made)
    assert 3 >= len(api.seen)


@pytest.mark.parametrize("origin", ["other port", "other host"])
def test_a_redirect_to_another_host_gets_no_token(
    send: Send, api: Api, elsewhere: Api, origin: str, token_file: Path
) -> None:
    """
    Neither at first, nor when that host refuses and the file holds another token by then.
    """
    made = auth()
    host = "127.0.0.1" if origin == "other port" else "localhost"
    api.redirect = f"http://{host}:{elsewhere.port}/there"
    _rotate_unseen(token_file)

    assert 401 == send("GET", f"{api.url}/redirect", made)
    assert {None} == {told for _, told, _ in elsewhere.seen}
    assert ["Bearer first"] == [told for _, told, _ in api.seen]


def test_a_redirect_on_the_same_host_keeps_it(send: Send, api: Api, token_file: Path) -> None:
    """
    And a refusal there is answered with the new token.
    """
    made = auth()
    api.redirect, api.accepted = "/there", "other"
    _rotate_unseen(token_file)

    assert 200 == send("GET", f"{api.url}/redirect", made)
    assert "Bearer other" == api.seen[-1][1]


def test_only_for_its_origins(send: Send, api: Api, elsewhere: Api, token_file: Path) -> None:
    """
    Named ones get the token, and no other host of the same client.
    """
    made = auth(origins=api.url)

    assert (200, 401) == (send("GET", f"{api.url}/", made), send("GET", f"{elsewhere.url}/", made))
    assert [None] == [told for _, told, _ in elsewhere.seen]


def test_warnings_are_logged_once(
    send: Send, api: Api, token_file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """
    What the header fields of an answer say, never the token, and nothing that is no instant.
    """
    made = auth()
    api.told = {
        "Retinue-Token-Expires": "2026-12-01T00:00:00.000Z",
        "Retinue-Token-Retires": "2026-11-30T00:00:00.000Z",
        "Retinue-Token-Rotate-By": "\x1b[31m soon",
    }
    with caplog.at_level(logging.WARNING, "retinue.client"):
        send("GET", f"{api.url}/", made)
        send("GET", f"{api.url}/", made)

    assert [
        "the token expires at 2026-12-01T00:00:00.000Z",
        "the token was rotated and ends at 2026-11-30T00:00:00.000Z: use the new one",
    ] == caplog.messages


def test_a_stream_that_was_read_is_not_sent_again(
    api: Api, token_file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """
    The refusal stands, it is said why, and the next request has the new token.
    """

    def parts() -> Iterator[bytes]:
        yield b"a"
        yield b"b"

    api.accepted = "other"
    for library in ("httpx", "httpx2", "requests"):
        token_file.write_text("first\n")
        made = auth()
        _rotate_unseen(token_file)
        assert 401 == SENDERS[library]("POST", f"{api.url}/", made, content=parts())
        assert "cannot be sent again" in caplog.messages[-1]
        assert 200 == SENDERS[library]("GET", f"{api.url}/", made)

    assert 6 == len(api.seen)
    assert {b"ab", b""} == {body for _, _, body in api.seen}


def test_a_file_is_wound_back(api: Api, token_file: Path) -> None:
    """
    To where it stood when requests was given it.
    """
    made, body = auth(), io.BytesIO(b"skipped, sent")
    body.seek(9)
    api.accepted = "other"
    _rotate_unseen(token_file)

    assert 200 == SENDERS["requests"]("POST", f"{api.url}/", made, content=body)
    assert [b"sent", b"sent"] == [each for _, _, each in api.seen]


def test_a_file_that_is_gone_leaves_the_token(
    send: Send, api: Api, token_file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """
    A secret that is exchanged may be missing for a moment; that is logged.
    """
    made = auth()
    token_file.unlink()

    assert 200 == send("GET", f"{api.url}/", made)
    assert "kept as it was" in caplog.text
    assert "first" not in caplog.text


@pytest.mark.parametrize(
    ("content", "words"),
    [("", "empty"), ("two tokens", "more than one"), ("a\nb", "more than one"), ("x" * 5000, "too large"),
     ("t\u00f6ken", "characters"), (None, "No such file")],
)  # fmt: skip
def test_what_is_no_token(content: str | None, words: str, token_file: Path) -> None:
    """
    It is told when the auth is made, without repeating it.
    """
    if content is None:
        token_file.unlink()
    else:
        token_file.write_text(content, encoding="utf-8")
    with pytest.raises(TokenError, match=words) as caught:
        auth()

    assert not content or content not in str(caught.value)


def test_no_token_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    It is said which variables to set; and an origin has to be one.
    """
    monkeypatch.delenv("RETINUE_TOKEN_FILE", raising=False)
    monkeypatch.delenv("RETINUE_TOKEN", raising=False)
    with pytest.raises(TokenError, match="RETINUE_TOKEN_FILE"):
        auth()
    monkeypatch.setenv("RETINUE_TOKEN", "t")
    with pytest.raises(ValueError, match="an origin"):
        auth(origins="https://api.example.com/reports")


@pytest.mark.parametrize("library", ["httpx", "httpx2", "requests", None])
def test_it_loads_no_library(library: str | None) -> None:
    """
    Of the libraries only the one that the program has imported is there, and no Django.
    """
    code = f"{f'import {library}; ' if library else ''}from retinue.client import auth; auth(); import sys; print(*sys.modules)"
    environment = {"RETINUE_TOKEN": "t", "PATH": ""}
    ran = subprocess.run(
        [sys.executable, "-c", code], env=environment, check=True, capture_output=True, text=True
    )
    names = {each.partition(".")[0] for each in ran.stdout.split()}

    assert {library} - {None} == names & {"httpx", "httpx2", "requests", "django", "fastapi", "flask"}


def test_a_library_that_comes_later_is_told() -> None:
    """
    Made before httpx is imported it would not see a refusal: the first request says so.
    """
    code = (
        "from retinue.client import auth; made = auth(); import httpx\n"
        "try: httpx.Client().get('http://127.0.0.1:9', auth=made)\n"
        "except Exception as error: print(type(error).__name__, error)"
    )
    environment = {"RETINUE_TOKEN": "t", "PATH": ""}
    ran = subprocess.run(
        [sys.executable, "-c", code], env=environment, check=True, capture_output=True, text=True
    )

    assert ran.stdout.startswith("TokenError import httpx before")
