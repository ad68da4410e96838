"""The documents at ``/docs/``: the static site in the package, public, without database and network.

Only files that were there when the process first served one are reachable, each under its own name: no name
that somebody sends is ever joined to a path.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import cache
from html import unescape
from pathlib import Path

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import condition, require_safe

from retinue.server.console.assets import KEEP

FOLDER = Path(__file__).parents[1] / "site"
#: What a file is by its ending; a file with another ending is not served.
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".webp": "image/webp",
    ".conf": "text/plain; charset=utf-8",
    ".py": "text/plain; charset=utf-8",
    ".md": "text/markdown; charset=utf-8",
    ".txt": "text/plain; charset=utf-8",
}
#: Names of scripts and styles hold their hash; other files are asked for again.
_HASHED = ("assets/javascripts/", "assets/stylesheets/")
CHECK = "no-cache"
_TITLE = re.compile(r"<h1[^>]*>([^<]+)")


@dataclass(frozen=True, slots=True)
class File:
    """A file of the site: where it is, its type, and the tag of its content."""

    path: Path
    type: str
    tag: str


@cache
def files() -> dict[str, File]:
    """Return every file of the site by its address below ``/docs/``; a page by that of its folder."""
    found = {}
    for path in sorted(FOLDER.rglob("*")):
        kind = TYPES.get(path.suffix)
        if kind is None or not path.is_file() or path.is_symlink():
            continue
        address = path.relative_to(FOLDER).as_posix()
        tag = f'"{hashlib.sha256(path.read_bytes()).hexdigest()[:16]}"'
        found[address.removesuffix("index.html")] = File(path, kind, tag)
    return found


@cache
def _titles() -> list[tuple[str, str]]:
    """Return the title and the address of every page."""
    pages = ((name, file) for name, file in files().items() if file.path.name == "index.html")
    found = ((_TITLE.search(file.path.read_text(encoding="utf-8")), name) for name, file in pages)
    return [(unescape(title[1]).strip(), f"/docs/{name}") for title, name in found if title is not None]


def titled(words: list[str]) -> list[tuple[str, str]]:
    """Return title and address of the pages whose title or address has all these words, in lower case."""
    return [
        (title, url) for title, url in _titles() if all(each in f"{title} {url}".lower() for each in words)
    ]


def _tag(_request: HttpRequest, name: str = "") -> str | None:
    found = files().get(name)
    return found.tag if found else None


@require_safe
@condition(etag_func=_tag)
def serve(request: HttpRequest, name: str = "") -> HttpResponse:
    """Answer with a file of the site; a page without its last slash leads to the one with it."""
    found = files().get(name)
    if found is None:
        if f"{name}/" in files():
            return redirect(f"/docs/{name}/")
        raise Http404
    keeps = KEEP if name.startswith(_HASHED) else CHECK
    content = found.path.read_bytes()
    return HttpResponse(content, content_type=found.type, headers={"Cache-Control": keeps})
