"""Fixtures of the console's tests: each runs on SQLite and on PostgreSQL, with a person of its own."""

from __future__ import annotations

import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from tests.server_support import django_setup

if TYPE_CHECKING:
    from retinue.server.directory.queries import Organization
    from tests.console.browser import Browser
    from tests.console.pending import Pending
    from tests.console.people import Person
    from tests.console.provider import Served

ROOT = Path(__file__).parents[2]
# Before any test module is imported: they import models.
django_setup.setup()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Run on one database what no database decides: long tables of false input."""
    from tests.server_support.django_setup import kinds

    dropped = [
        item
        for item in items
        if item.get_closest_marker("one_database")
        and isinstance(item, pytest.Function)
        and item.callspec.params.get("server_database") not in (None, kinds()[0])
    ]
    if dropped:
        config.hook.pytest_deselected(items=dropped)
        items[:] = [item for item in items if item not in dropped]


@pytest.fixture(autouse=True)
def fresh_limits(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No test is limited by the attempts of another: each has a network of its own."""
    from django.core.cache import cache

    from retinue.server.console import refusals, sessions
    from tests.console import browser

    cache.clear()
    monkeypatch.setattr(sessions, "BUDGET", refusals.Budget(burst=20, every_s=6.0))
    monkeypatch.setattr(browser, "HERE", [f"2001:db8:{secrets.token_hex(2)}:{secrets.token_hex(2)}::1"])
    yield
    cache.clear()


@pytest.fixture(autouse=True)
def apps_stand_still(monkeypatch: pytest.MonkeyPatch) -> None:
    """An app shows the same codes for the whole of a test, however long that takes."""
    from allauth.mfa.totp.internal import auth

    at = time.time()
    monkeypatch.setattr(auth, "time", SimpleNamespace(time=lambda: at))


@pytest.fixture(autouse=True)
def cheap_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Argon2 as everywhere, but small: a hash of the real size takes 100 MiB and most of each test's time."""
    from django.contrib.auth.hashers import Argon2PasswordHasher

    for name, cost in {"time_cost": 1, "memory_cost": 64, "parallelism": 1}.items():
        monkeypatch.setattr(Argon2PasswordHasher, name, cost)


@pytest.fixture
def person(server_database: str) -> Person:
    """An operator and owner of a new organization, with a password."""
    from tests.console.people import make_person

    return make_person(operator=True)


@pytest.fixture
def browser(server_database: str) -> Browser:
    """A browser without cookies."""
    from tests.console.browser import Browser

    return Browser()


@pytest.fixture
def signed_in(browser: Browser, person: Person) -> Browser:
    """A browser in which ``person`` has signed in."""
    assert browser.sign_in(person.email, person.password).status_code == 302
    return browser


@pytest.fixture
def organization(server_database: str) -> Iterator[Organization]:
    """The installation's organization, without an administrator before and after."""
    from retinue.server.directory.queries import installation
    from tests.console.pending import undo

    found = installation()
    assert found is not None
    yield found
    undo(found)


@pytest.fixture
def pending(organization: Organization) -> Pending:
    """A fresh installation with a setup code."""
    from tests.console.pending import wait

    return wait(organization)


@pytest.fixture(scope="module")
def provider_process() -> Iterator[Served]:
    """The identity provider, on a port of its own."""
    from tests.console.provider import Served

    command = [sys.executable, "-m", "tests.support.identity_provider", "0"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        yield Served(running.stdout.readline().strip())
        running.terminate()


@pytest.fixture
def served(provider_process: Served, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Served:
    """The provider, of an installation that trusts it with the addresses of one domain."""
    from retinue.server.provider import Provider
    from tests.console.provider import install
    from tests.support.identity_provider import CLIENT, SECRET

    secret = tmp_path / "client-secret"
    secret.write_text(f"{SECRET}\n")
    secret.chmod(0o600)
    install(monkeypatch, Provider(provider_process.issuer, CLIENT, secret, "Acme ID", ("sso.example",), None))
    return provider_process


@pytest.fixture
def invited(person: Person) -> str:
    """The address of somebody who was invited, and has no way to sign in yet."""
    from tests.console.people import make_invited

    return make_invited(person, "sso.example")
