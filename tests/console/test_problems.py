"""The pages about problems: each code has one, for everybody, and it says what to do."""

from __future__ import annotations

import html
import re
import tomllib

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from retinue.cli.app import app
from retinue.problem import CATALOGUE, problem
from retinue.server.console import problems
from retinue.server.console.problems import explained
from tests.console.browser import Browser
from tests.console.test_headers import _INLINE, _OTHER_ORIGIN, POLICY


@pytest.mark.parametrize("code", CATALOGUE)
def test_type_of_a_problem_leads_to_its_page(browser: Browser, code: str) -> None:
    """
    What an error answer gives as `type` is a page with title, cause, fix and command; nobody need sign in.
    """
    page = browser.get(problem(code).type)
    text = html.unescape(re.sub(r"<[^>]+>", "", page.content.decode()))
    told = explained()[code]

    assert (200, POLICY, "nosniff") == (
        page.status_code, page["Content-Security-Policy"], page["X-Content-Type-Options"],
    )  # fmt: skip
    for part in (code, str(told.status), told.title, told.cause, told.fix, *told.command.splitlines()):
        assert part.replace("`", "") in text
    assert [] == _INLINE.findall(page.content.decode()) + _OTHER_ORIGIN.findall(page.content.decode())


def test_no_text_is_left_over() -> None:
    """
    What is explained is in the catalogue, in its order.
    """
    assert list(CATALOGUE) == list(tomllib.loads(problems._TEXTS.read_text()))


def test_list_leads_to_every_page(browser: Browser) -> None:
    """
    The list has each code once, with a link.
    """
    page = browser.get("/docs/errors")
    links = re.findall(r'href="(/docs/errors/[a-z_]+)"', page.content.decode())

    assert (200, POLICY) == (page.status_code, page["Content-Security-Policy"])
    assert [f"/docs/errors/{code}" for code in CATALOGUE] == links
    assert "/docs/errors" == browser.get("/docs/errors/")["Location"]


@pytest.mark.parametrize(
    "path", ["nope", "NOT_FOUND", "not_found/", "not_found.html", "%3Cscript%3E", "../v1"]
)
def test_no_other_page_is_there(browser: Browser, path: str) -> None:
    """
    A code that is none is not found; nothing of the address is repeated.
    """
    page = browser.get(f"/docs/errors/{path}")

    assert page.status_code in (400, 404)
    assert "<script>" not in page.content.decode()


def test_page_needs_no_database(signed_in: Browser) -> None:
    """
    The page about a database that is away is there while it is away, also for who is signed in.
    """
    with CaptureQueriesContext(connection) as sent:
        page = signed_in.get("/docs/errors/database_unavailable")

    assert (200, 0) == (page.status_code, len(sent))


@pytest.mark.parametrize("method", ["post", "put", "delete"])
def test_pages_are_only_read(browser: Browser, method: str) -> None:
    """
    Nothing is sent there.
    """
    answer = getattr(browser.client, method)("/docs/errors/not_found", headers={"host": browser.host})

    assert answer.status_code in (403, 405)


@pytest.mark.parametrize(
    ("code", "line"), [(c, line) for c, each in explained().items() for line in each.command.splitlines()]
)
def test_command_exists(code: str, line: str) -> None:
    """
    Each command is one of ours with options that it has, or curl.
    """
    words = line.split()
    if words[0] == "curl":
        return

    assert "retinue" == words[0]
    nested, place = app, 1
    while place < len(words) and words[place][0].isalpha() and words[place] in nested:
        nested, place = nested[words[place]], place + 1
    assert place > 1, line
    names = {name for argument in nested.assemble_argument_collection() for name in argument.names}
    assert {word for word in words if word.startswith("--")} <= names | {"--help", "--print-curl"}
