"""The few files that pages need, read once and served under names that change with their content."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

FOLDER = Path(__file__).parent / "static"
#: Every file that is served, and its type. Nothing else of the folder is reachable.
TYPES = {"app.css": "text/css; charset=utf-8", "icon.svg": "image/svg+xml"}
KEEP = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class Asset:
    """A file with its type."""

    content: bytes
    type: str


@cache
def published() -> dict[str, str]:
    """Return the name under which each file is served: ``app.css`` as ``app.0123456789abcdef.css``."""
    return {name: _hashed(name) for name in TYPES}


@cache
def _assets() -> dict[str, Asset]:
    return {
        served: Asset((FOLDER / name).read_bytes(), TYPES[name]) for name, served in published().items()
    }


def _hashed(name: str) -> str:
    digest = hashlib.sha256((FOLDER / name).read_bytes()).hexdigest()[:16]
    stem, _, ending = name.rpartition(".")
    return f"{stem}.{digest}.{ending}"


@require_safe
def serve(request: HttpRequest, name: str) -> HttpResponse:
    """Answer with a file. Its name holds its hash, so a browser need never ask again."""
    asset = _assets().get(name)
    if asset is None:
        raise Http404
    return HttpResponse(asset.content, content_type=asset.type, headers={"Cache-Control": KEEP})
