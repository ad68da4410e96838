"""What an adapter loads."""

from __future__ import annotations

import subprocess
import sys

import pytest

FRAMEWORKS = {
    "django",
    "fastapi",
    "starlette",
    "flask",
    "rest_framework",
    "httpx",
    "httpx2",
    "requests",
    "uvloop",
    "ninja",
}
#: Adapter, and what it loads of these.
ADAPTERS = {
    "asgi": set(),
    "wsgi": set(),
    "testing": set(),
    "starlette": {"starlette"},
    "fastapi": {"fastapi", "starlette"},
    "flask": {"flask"},
    "django": {"django"},
    "drf": {"django", "rest_framework", "requests"},  # the framework itself looks for it
}


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_it_is_light(adapter: str) -> None:
    """
    An adapter loads its own framework, and no other, no server and no client library.
    """
    ready = "from django.conf import settings; settings.configure(); " if adapter == "drf" else ""
    code = f"{ready}import sys, retinue.guard.{adapter}; print(*sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    names = {each.partition(".")[0] for each in out.split()}

    assert ADAPTERS[adapter] == names & FRAMEWORKS
