"""``retinue init`` on a terminal: it asks, tells at once what is wrong with an answer, and asks again."""

from __future__ import annotations

import os
import pty
import select
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.init.place import EMAIL, PASSWORD, Place

ORGANIZATION_Q, EMAIL_Q = "organization (a handle, such as acme): ", "e-mail address of the administrator: "
PASSWORD_Q, AGAIN_Q = "password of the administrator: ", "once more: "
PATIENCE_SECONDS = 120.0


class Terminal:
    """``retinue init`` on a terminal of its own, and everything that appeared there."""

    def __init__(self, place: Place, *flags: str) -> None:
        environment = {**place.environment, "TERM": "dumb"}
        self.pid, self._master = pty.fork()
        if self.pid == 0:
            os.chdir(place.folder)
            argv = [sys.executable, "-m", "retinue.cli", "init", *flags]
            os.execve(sys.executable, argv, environment)  # noqa: S606  (our own program, no shell wanted)
        self.shown = ""
        self._read = 0
        self._code: int | None = None

    def expect(self, text: str) -> None:
        """Wait until ``text`` has appeared after what was expected before."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while (place := self.shown.find(text, self._read)) < 0:
            if time.monotonic() > deadline or not self._more():
                pytest.fail(f"{text!r} did not appear in {self.shown!r}")
        self._read = place + len(text)

    def type(self, text: str) -> None:
        """Type a line."""
        os.write(self._master, f"{text}\n".encode())

    def press(self, key: bytes) -> None:
        """Press a key."""
        os.write(self._master, key)

    def end(self) -> int:
        """Read to the end and return the exit code."""
        while self._code is None:
            while self._more():
                pass
            self._code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
            os.close(self._master)
        return self._code

    def hang_up(self) -> None:
        """End a conversation that a failed test has left."""
        if self._code is None:
            self.press(b"\x03")
            self.end()

    def _more(self) -> bool:
        try:
            if not select.select([self._master], [], [], PATIENCE_SECONDS)[0]:
                return False
            data = os.read(self._master, 4096)
        except OSError:  # how a terminal says that nobody is left on the other side
            return False
        self.shown += data.decode()
        return bool(data)


@pytest.fixture
def terminal(place: Place) -> Iterator[Terminal]:
    """A terminal on which the first question waits."""
    opened = Terminal(place)
    yield opened
    opened.hang_up()


def _answer(terminal: Terminal, *conversation: tuple[str, str]) -> None:
    for question, answer in conversation:
        terminal.expect(question)
        terminal.type(answer)


def test_good_answers(place: Place, terminal: Terminal) -> None:
    """
    Three questions make an installation; the password is asked twice and never shown.
    """
    _answer(terminal, (ORGANIZATION_Q, "acme"), (EMAIL_Q, EMAIL), (PASSWORD_Q, PASSWORD), (AGAIN_Q, PASSWORD))
    code = terminal.end()
    token = place.home / "admin-token"

    assert (0, [EMAIL]) == (code, place.look()["operators"])
    assert PASSWORD not in terminal.shown
    assert (0o600, True) == (token.stat().st_mode & 0o777, str(token) in terminal.shown)


def test_bad_answers_are_told_and_asked_again(place: Place, terminal: Terminal) -> None:
    """
    Each bad answer is told at once, with its rule, and the question comes again.
    """
    _answer(terminal, (ORGANIZATION_Q, "Acme Ltd"))
    terminal.expect("1 to 63 characters of a-z")
    _answer(terminal, (ORGANIZATION_Q, ""))
    terminal.expect("1 to 63 characters of a-z")
    _answer(terminal, (ORGANIZATION_Q, "acme"), (EMAIL_Q, "admin"))
    terminal.expect("an e-mail address, such as")
    _answer(terminal, (EMAIL_Q, EMAIL), (PASSWORD_Q, "short"), (AGAIN_Q, "short"))
    terminal.expect("at least 8 characters")
    _answer(terminal, (PASSWORD_Q, PASSWORD), (AGAIN_Q, PASSWORD + "x"))
    terminal.expect("The two passwords differ")
    _answer(terminal, (PASSWORD_Q, PASSWORD), (AGAIN_Q, PASSWORD))

    assert 0 == terminal.end()
    assert [EMAIL] == place.look()["operators"]


@pytest.mark.parametrize("answered", [0, 1, 2, 3])
@pytest.mark.parametrize(("key", "code"), [(b"\x03", 130), (b"\x04", 2)], ids=["ctrl-c", "ctrl-d"])
def test_giving_up_makes_nothing(
    answered: int, key: bytes, code: int, place: Place, terminal: Terminal
) -> None:
    """
    Ctrl-C or the end of input at any question ends it; nothing was made.
    """
    conversation = [(ORGANIZATION_Q, "acme"), (EMAIL_Q, EMAIL), (PASSWORD_Q, PASSWORD), (AGAIN_Q, PASSWORD)]
    _answer(terminal, *conversation[:answered])
    terminal.expect(conversation[answered][0])
    terminal.press(key)

    assert (code, False) == (terminal.end(), place.home.exists())
    assert "Traceback" not in terminal.shown


def test_flags_answer_questions(place: Place) -> None:
    """
    What a flag answers is not asked; a bad flag is told with the questions that were answered.
    """
    good = Terminal(place, "--organization", "acme", "--admin-email", EMAIL)
    _answer(good, (PASSWORD_Q, PASSWORD), (AGAIN_Q, PASSWORD))

    assert (0, False) == (good.end(), "organization (" in good.shown)


def test_second_run_asks_nothing(place: Place) -> None:
    """
    Where an installation stands, nobody is asked anything.
    """
    place.init(*place.flags())
    again = Terminal(place)

    assert 0 == again.end()
    assert "nothing changed" in again.shown
    assert "organization (a handle" not in again.shown


def test_setup_code_needs_one_answer(place: Place) -> None:
    """
    `--no-admin` asks for the organization alone; the code is a line of its own.
    """
    opened = Terminal(place, "--no-admin")
    _answer(opened, (ORGANIZATION_Q, "acme"))

    assert 0 == opened.end()
    assert 1 == sum(line.startswith("rtnboot_") for line in opened.shown.splitlines())


def test_no_input_asks_nobody(place: Place, tmp_path: Path) -> None:
    """
    With `--no-input` a terminal makes no difference.
    """
    opened = Terminal(place, "--no-input")

    assert (2, False) == (opened.end(), place.home.exists())
    assert "--organization: needed" in opened.shown
