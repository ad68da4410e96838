"""Many sign-ins at once: the memory for hashing is bounded, and a crowd gets no more attempts than one caller."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.contrib.auth.hashers import Argon2PasswordHasher
from django.db import connections

from retinue.server.console import hashing, rules
from tests.console.browser import Browser
from tests.console.people import Person

CROWD = 24


class Hashes:
    """Hashes that last until all places are taken and whoever finds none was told so."""

    def __init__(self, refusals: int) -> None:
        self.at_once = 0
        self._running = 0
        self._left = refusals
        self._lock = threading.Lock()
        self._is_used, self._is_full = threading.Event(), threading.Event()
        self._verify = Argon2PasswordHasher.verify

    def verify(self, password: str, encoded: str) -> bool:
        """Stand in for the hasher's method."""
        with self._lock:
            self._running += 1
            self.at_once = max(self.at_once, self._running)
            if self._running == hashing.AT_ONCE:
                self._is_used.set()
        self._is_used.wait(1)
        self._is_full.wait(1)
        with self._lock:
            self._running -= 1
        return self._verify(Argon2PasswordHasher(), password, encoded)

    def refused(self) -> None:
        """Say that one found no place."""
        with self._lock:
            self._left -= 1
            if not self._left:
                self._is_full.set()


def test_hashing_is_bounded(person: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    However many sign in at once, two passwords are hashed at a time; a few wait, and the rest hear 503 with a
    pause. A crowd gets no more attempts than one by one.
    """
    hashes = Hashes(CROWD - hashing.AT_ONCE - hashing.WAITING)
    monkeypatch.setattr(Argon2PasswordHasher, "verify", lambda _, *given: hashes.verify(*given))
    gate = threading.Barrier(CROWD)

    def attempt(_: int) -> tuple[int, str | None]:
        browser = Browser()
        fields = {"csrfmiddlewaretoken": browser.form_token(), "login": person.email, "password": "wrong"}
        connections.close_all()
        gate.wait(30)
        answer = browser.post("/login/", fields)
        connections.close_all()
        if answer.status_code == 503:
            hashes.refused()
        return answer.status_code, answer.headers.get("Retry-After")

    with ThreadPoolExecutor(CROWD) as threads:
        answers = list(threads.map(attempt, range(CROWD)))
    statuses = [status for status, _ in answers]

    assert hashing.AT_ONCE == hashes.at_once
    assert {200, 429, 503} == set(statuses)
    assert statuses.count(200) <= rules.MOST_OF_ADDRESS + hashing.AT_ONCE - 1
    assert statuses.count(503) <= CROWD - hashing.AT_ONCE - hashing.WAITING
    assert {"1"} == {pause for status, pause in answers if status == 503}
