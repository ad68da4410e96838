"""The documents at /docs/: public, static, under the same policy as every page, and nothing but the site."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from retinue.server.console import manual
from tests.console.browser import Browser
from tests.console.test_headers import POLICY


def test_site_is_served(browser: Browser, site: Path) -> None:
    """
    Pages stand at the addresses of their folders, for everybody, without a query; what has its hash in the name is
    kept, the rest is asked for again and answered in short.
    """
    with CaptureQueriesContext(connection) as sent:
        page = browser.get("/docs/how-to/install/")
        script = browser.get("/docs/assets/javascripts/a.0123.js")
        again = browser.get("/docs/how-to/install/", **{"if-none-match": page["ETag"]})

    assert (200, b"<h1>Install</h1>", POLICY, "no-cache") == (
        page.status_code, page.content, page["Content-Security-Policy"], page["Cache-Control"],
    )  # fmt: skip
    assert (200, True) == (script.status_code, "immutable" in script["Cache-Control"])
    assert (304, b"") == (again.status_code, again.content)
    assert ["/docs/how-to/install/", "/docs/"] == [
        browser.get(path)["Location"] for path in ("/docs/how-to/install", "/docs")
    ]
    assert [] == list(sent)


@pytest.mark.parametrize(
    "path",
    [
        "../settings.py", "..%2fsettings.py", "%2e%2e/settings.py", "how-to/../../settings.py", "/etc/passwd",
        "how-to", "how-to/index.html", "how-to/install/index.html", "secret.key", "link.html", "nothing/", "a%00",
    ],
)  # fmt: skip
def test_nothing_else_is_reachable(browser: Browser, site: Path, path: str) -> None:
    """
    What is no file of the site is not found: other folders, other endings, links out of it.
    """
    answer = browser.get(f"/docs/{path}")

    assert answer.status_code in (400, 404), answer.content
    assert b"SECRET" not in answer.content


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A small site of the test's own."""
    (tmp_path / "settings.py").write_text("SECRET")
    folder = tmp_path / "site"
    (folder / "how-to/install").mkdir(parents=True)
    (folder / "how-to/install/index.html").write_text("<h1>Install</h1>")
    (folder / "index.html").write_text("<h1>Home</h1>")
    (folder / "assets/javascripts").mkdir(parents=True)
    (folder / "assets/javascripts/a.0123.js").write_text("1")
    (folder / "secret.key").write_text("SECRET")
    (folder / "link.html").symlink_to(tmp_path / "settings.py")
    monkeypatch.setattr(manual, "FOLDER", folder)
    manual.files.cache_clear()
    yield folder
    manual.files.cache_clear()
