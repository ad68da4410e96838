"""The few files that pages need, read once and served under names that change with their content."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

FOLDER = Path(__file__).parent / "static"
_SCRIPT = "text/javascript; charset=utf-8"
#: Every file that is served, and its type. Nothing else of the folder is reachable.
TYPES = {
    "app.css": "text/css; charset=utf-8",
    "icon.svg": "image/svg+xml",
    "app.js": _SCRIPT,
    "clock.js": _SCRIPT,
    "review.js": _SCRIPT,
    "secret.js": _SCRIPT,
    "grid.js": _SCRIPT,
    "identify.js": _SCRIPT,
    "leave.js": _SCRIPT,
    "passkey.js": _SCRIPT,
    "session.js": _SCRIPT,
    "codes.js": _SCRIPT,
    "htmx.js": _SCRIPT,
}
#: What a package brings instead of the folder.
_OF_PACKAGES = {"htmx.js": ("django_htmx", "static/django_htmx/htmx-2.min.js")}
KEEP = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class Asset:
    """A file under the name that holds its hash, with its type."""

    served: str
    content: bytes
    type: str


@cache
def published() -> dict[str, Asset]:
    """Return every file by its own name: ``app.css`` is served as ``app.0123456789abcdef.css``."""
    return {name: _read(name, type_) for name, type_ in TYPES.items()}


def source(name: str) -> bytes:
    """Return the content of a file by its own name."""
    if name not in _OF_PACKAGES:
        return (FOLDER / name).read_bytes()
    package, path = _OF_PACKAGES[name]
    return files(package).joinpath(path).read_bytes()


def _read(name: str, type_: str) -> Asset:
    content = source(name)
    stem, _, ending = name.rpartition(".")
    return Asset(f"{stem}.{hashlib.sha256(content).hexdigest()[:16]}.{ending}", content, type_)


@require_safe
def serve(request: HttpRequest, name: str) -> HttpResponse:
    """Answer with a file. Its name holds its hash, so a browser need never ask again."""
    for asset in published().values():
        if asset.served == name:
            return HttpResponse(asset.content, content_type=asset.type, headers={"Cache-Control": KEEP})
    raise Http404
