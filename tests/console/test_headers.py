"""Headers of every page, static files, and pages without anything inline."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.template.loader import render_to_string

from retinue.server.console import assets
from tests.console.browser import Browser
from tests.console.people import Person

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
#: A script of ours, from a file under a name with its hash: the only kind.
_SCRIPT = re.compile(
    r'<script (?:type="module" )?src="/static/[a-z]+\.[0-9a-f]{16}\.js"(?: defer)?></script>'
)
_INLINE = re.compile(r"<style|<script|\sstyle=|\son[a-z]+=|javascript:|hx-on", re.IGNORECASE)
_OTHER_ORIGIN = re.compile(r"(?:src|href|action)=\"(?:https?:)?//", re.IGNORECASE)
ERRORS = ("400", "403", "403_csrf", "404", "429", "500")


def _pages(browser: Browser, person: Person) -> dict[str, Any]:
    stranger = Browser()
    return {
        "home": browser.get("/"),
        "sign out": browser.get("/logout/"),
        "missing": browser.get("/nope"),
        "sign in": stranger.get("/login/"),
        "redirect": stranger.get("/"),
        "empty form": stranger.sign_in("", ""),
        "wrong password": stranger.sign_in(person.email, "wrong"),
        "no token": stranger.post("/login/"),
        "other site": stranger.post("/login/", {}, **{"sec-fetch-site": "cross-site"}),
        "missing file": stranger.get("/static/nope.css"),
        "file": stranger.get(f"/static/{assets.published()['app.css'].served}"),
    }


def test_every_answer_has_the_headers(signed_in: Browser, person: Person) -> None:
    """
    Policy, type, opener, referrer and frame headers stand on every page, refusals and errors included.
    """
    expected = {
        "Content-Security-Policy": POLICY,
        "X-Content-Type-Options": "nosniff",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Referrer-Policy": "same-origin",
        "X-Frame-Options": "DENY",
        "Strict-Transport-Security": None,
    }
    for name, page in _pages(signed_in, person).items():
        assert (name, expected) == (name, {header: page.headers.get(header) for header in expected})


def test_pages_are_kept_by_nobody(signed_in: Browser, person: Person) -> None:
    """
    No cache keeps a page; a file under a name with its hash is kept for ever.
    """
    pages = _pages(signed_in, person)
    file = pages.pop("file")

    assert {"no-store"} == {page["Cache-Control"] for page in pages.values()}
    assert "public, max-age=31536000, immutable" == file["Cache-Control"]


def test_pages_hold_nothing_inline(signed_in: Browser, person: Person) -> None:
    """
    No page has a script, a style, an event attribute, or anything of another origin.
    """
    for name, page in _pages(signed_in, person).items():
        text = _SCRIPT.sub("", page.content.decode())

        assert (name, []) == (name, _INLINE.findall(text) + _OTHER_ORIGIN.findall(text))


@pytest.mark.parametrize("name", ERRORS)
def test_error_page_needs_no_database(name: str) -> None:
    """
    An error page is made from its template alone: no request, no session, no database.
    """
    page = render_to_string(f"{name}.html")

    assert name[:3] in page
    assert [] == _INLINE.findall(page) + _OTHER_ORIGIN.findall(page)


def test_failure_is_a_page_with_the_headers(signed_in: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    When a page fails, the answer is our 500 page, with the policy and without a trace.
    """
    from retinue.server.console import queries

    def fail(*_: object) -> None:
        raise RuntimeError("a secret detail")

    monkeypatch.setattr(queries, "overview", fail)
    page = signed_in.get("/")

    assert (500, POLICY) == (page.status_code, page["Content-Security-Policy"])
    assert "The server failed" in page.content.decode()
    assert "secret detail" not in page.content.decode()


def test_programs_get_no_page_headers(browser: Browser) -> None:
    """
    Answers of the API are not pages: no policy, but no guessing of types and no cache either.
    """
    answer = browser.get("/v1/me")

    assert ("nosniff", "no-store") == (answer["X-Content-Type-Options"], answer["Cache-Control"])
    assert "Content-Security-Policy" not in answer.headers


@pytest.mark.parametrize(
    ("name", "kind"), [("app.css", "text/css; charset=utf-8"), ("icon.svg", "image/svg+xml")]
)
def test_file_is_served_with_its_type(browser: Browser, name: str, kind: str) -> None:
    """
    A file is served byte for byte, with its type.
    """
    asset = assets.published()[name]
    answer = browser.get(f"/static/{asset.served}")

    assert (200, kind) == (answer.status_code, answer["Content-Type"])
    assert (assets.FOLDER / name).read_bytes() == answer.content


@pytest.mark.parametrize(
    "path",
    ["app.css", "app.0000000000000000.css", "../settings.py", "..%2fsettings.py", "", "%00", "app.css/"],
)
def test_nothing_but_listed_files_is_served(browser: Browser, path: str) -> None:
    """
    No other name reaches a file, whatever it looks like.
    """
    assert browser.get(f"/static/{path}").status_code in (400, 404)


def test_name_changes_with_the_content() -> None:
    """
    The name under which a file is served is made from its content.
    """
    before = assets._read("app.css", "text/css").served

    assert before == assets.published()["app.css"].served
    assert before != assets._read("icon.svg", "text/css").served.replace("icon", "app").replace("svg", "css")


def test_fields_are_labelled_and_errors_tied(browser: Browser, server_database: str) -> None:
    """
    Every field has a label; an error is announced, and named by the field that it belongs to.
    """
    page = browser.sign_in("no address", "").content.decode()
    ids = set(re.findall(r'\sid="([^"]+)"', page))

    for field in ("id_login", "id_password"):
        assert f'<label for="{field}">' in page
        widget = re.search(rf'<input[^>]*id="{field}"[^>]*>', page)
        assert widget is not None
        assert 'aria-invalid="true"' in widget[0]
        described = re.search(r'aria-describedby="([^"]+)"', widget[0])
        assert described is not None
        assert set(described[1].split()) <= ids


def test_page_says_its_language_and_has_one_heading(signed_in: Browser) -> None:
    """
    Screen readers learn the language, and find one first heading and the content.
    """
    for path in ("/", "/logout/"):
        page = signed_in.get(path).content.decode()

        assert '<html lang="en" dir="ltr">' in page
        assert 1 == page.count("<h1")
        assert '<main id="content"' in page
        assert 1 == len(re.findall(r'id="content"', page))
