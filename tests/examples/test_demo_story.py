"""What `retinue demo` shows: each situation of its story is there, in what the product itself says."""

from __future__ import annotations

import json
import re
import shlex
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.support.demo import MOST_SECONDS, Demo, started, three_ports
from tests.support.installation import PROGRAM
from tests.support.processes import wait_for
from tests.support.requirements import requires


class Story:
    """A running demo, asked by the command line with the environment that it printed."""

    def __init__(self, demo: Demo) -> None:
        self.demo = demo
        self._environment = demo.told(r"^  next +(.+)$").partition(";")[0]

    def ask(self, line: str) -> Any:
        """Return what a command says as JSON."""
        return json.loads(self.demo.shell(f"{self._environment}; {PROGRAM} {line} -o json"))

    def found(self, kind: str) -> set[str]:
        """Return the names of what a finding is about, as soon as there is one: they are renewed each minute."""
        listed = wait_for(
            kind, lambda: self.ask(f"finding list --kind {kind}")["items"], seconds=100, every=0.5
        )
        return {each["subject"]["name"] for each in listed}

    def decided(self, filters: str) -> list[dict[str, Any]]:
        """Return decisions of the request log, as soon as there are some."""
        found: list[dict[str, Any]] = wait_for(
            filters, lambda: self.ask(f"log list --limit 5 {filters}")["items"], seconds=60, every=0.5
        )
        return found


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """One demo for all situations."""
    with started(PROGRAM, tmp_path_factory.mktemp("demo"), "--port", str(three_ports())) as demo:
        yield Story(demo)


@requires("curl")
def test_from_the_command_to_a_denial(story: Story) -> None:
    """
    In a row, as somebody pastes what is printed: the console answers, the curl is allowed, stands in the request log, the
    revoke holds, the curl is denied. The times are printed.
    """
    demo = story.demo
    console = demo.told(r"^✓ console +(\S+)")
    curl = demo.told(r"^✓ try it +(curl .+)$")
    assert "200" == demo.status(f"curl {console}/login/")
    usable = time.monotonic() - demo.began
    assert "200" == demo.status(curl)
    called = time.monotonic() - demo.began
    story.decided("--account demo-etl --decision allowed --path /reports --since 1m")
    begun = time.monotonic()
    demo.shell(demo.told(r"^  next +(.+)$"))
    assert "401" == demo.status(curl)
    denied = time.monotonic() - begun
    print(f"console {usable:.1f} s, first curl {called:.1f} s, revoke to 401 {denied:.1f} s")

    assert called < MOST_SECONDS
    header = Path(shlex.split(curl)[2].removeprefix("@"))
    assert re.fullmatch(r"Authorization: Bearer rtnsa_\S+\n?", header.read_text())


def test_key_that_expires_soon(story: Story) -> None:
    """
    A key ends in six days.
    """
    key = story.ask("key get billing-export/main")
    left = datetime.fromisoformat(key["expires_at"]) - datetime.now(UTC)

    assert timedelta(days=5) < left < timedelta(days=6)


def test_rotation_in_progress(story: Story) -> None:
    """
    The old key retires, the new one is active, and both are called.
    """
    for name in ("main", "next"):
        assert "allowed" == story.decided(f"--key warehouse-sync/{name} --since 5m")[0]["decision"]
    states = {each["name"]: each["status"] for each in story.ask("key list warehouse-sync")["items"]}

    assert {"main": "retiring", "next": "active"} == states


def test_compromised_key_that_is_still_called(story: Story) -> None:
    """
    It is revoked for good, and the request log says why its calls are denied.
    """
    keys = story.ask("key list legacy-crawler")["items"]
    (leaked,) = [each for each in keys if each["name"] == "leaked"]
    (call, *_) = story.decided(f"--key {leaked['id']} --decision denied --since 5m")

    assert ("revoked", "compromised") == (leaked["status"], leaked["reason"])
    assert "credential_revoked" == call["reason"]


def test_account_whose_owner_left(story: Story) -> None:
    """
    Nobody answers for it any more, and it is found.
    """
    assert "nightly-backup" in story.found("ownerless")


def test_account_that_holds_more_than_it_uses(story: Story) -> None:
    """
    14 permissions held, a few used: it is found, with how many.
    """
    story.found("over_permitted")
    items = story.ask("finding list --kind over_permitted")["items"]
    (found,) = [each for each in items if each["subject"]["name"] == "crm-bridge"]

    assert 14 == found["evidence"]["held"]
    assert 1 <= found["evidence"]["used"] <= 5


def test_client_that_lacks_one_permission(story: Story) -> None:
    """
    Its denials name the permission.
    """
    (call, *_) = story.decided("--account mobile-gateway --decision denied --since 5m")

    assert ("permission_missing", "report:write") == (call["reason"], call["permission"])


def test_personal_token_of_a_program(story: Story) -> None:
    """
    It is found as what it is.
    """
    assert "ci-pipeline" in story.found("pat_in_production")


def test_review_that_is_due(story: Story) -> None:
    """
    An access review of all accounts is due in three days.
    """
    (review,) = story.ask("review list")["items"]
    left = datetime.fromisoformat(review["due_at"]) - datetime.now(UTC)

    assert ("open", True) == (review["state"], timedelta(days=2) < left <= timedelta(days=3))


def test_second_organization(story: Story) -> None:
    """
    One server, two sets of rules; its invitation stands in a private file.
    """
    organizations = {each["handle"] for each in story.ask("org list")["items"]}
    told = story.demo.told(r"^✓ other +(.+)$")
    code = Path(told.rpartition(" ")[2])

    assert {"acme", "orbit"} <= organizations
    assert "preset planhat" in told
    assert 0o600 == code.stat().st_mode & 0o777
