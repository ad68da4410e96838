"""``retinue routes check``: the routes of a host that no rule covers, without a server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from retinue.guard import discovery
from tests.guard.served import FRAMEWORKS, ROOT

HOST = """
from retinue.guard.testing import FakeGuard
from tests.guard.hosts import {module}
print("a host that prints")
def make():
    return {module}.{make}(FakeGuard())
app = make()
"""


def check(folder: Path, target: str, *flags: str) -> tuple[int, list[dict[str, Any]], str]:
    """Return exit code, items and talk of the command, run in a folder."""
    (folder / "home").mkdir(exist_ok=True)
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "HOME": str(folder / "home")}
    command = [sys.executable, "-m", "retinue.cli", "routes", "check", target, "-o", "json", *flags]
    ran = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60)
    return ran.returncode, json.loads(ran.stdout)["items"] if ran.stdout else [], ran.stderr


def seen(items: list[dict[str, Any]]) -> set[tuple[str, str, str]]:
    """What is said of each route: its methods, path and who gets in."""
    found = {
        (method, each["path"], ",".join(each["permissions"]) or each["access"])
        for each in items
        for method in each["methods"]
    }
    return {
        (method, path.replace("<int:report_id>", "{report_id}"), access) for method, path, access in found
    }


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_the_routes_of_each_framework(framework: str, tmp_path: Path) -> None:
    """
    Exit 7 where a route is uncovered; what is public is listed, what is covered with --all.
    """
    module, _, suffix = framework.partition("-")
    (tmp_path / "sample.py").write_text(
        HOST.format(module=f"{module}_host", make=f"make{'_' * bool(suffix)}{suffix}")
    )
    code, items, talk = check(tmp_path, "sample:app", "--all")
    found = seen(items)

    bare = framework in ("asgi", "wsgi")  # of an application that is no framework's its rules are listed
    any_method = framework in ("django", "django-asgi")
    assert (0 if bare else 7) == code, talk
    assert "a host that prints" in talk
    assert {("GET", "/reports", "report:read"), ("POST", "/reports", "report:write")} <= found
    assert ("*" if any_method else "GET", "/reports/{report_id}", "report:read") in found
    assert {"public"} == {access for _, path, access in found if path == "/healthz"}
    assert (set() if bare else {"uncovered"}) == {access for _, path, access in found if path == "/uncovered"}


def test_only_what_is_open_or_closed_to_all_is_listed(tmp_path: Path) -> None:
    """
    A factory makes the application; the covered routes are only counted.
    """
    (tmp_path / "sample.py").write_text(HOST.format(module="flask_host", make="make"))
    code, items, talk = check(tmp_path, "sample:make", "--factory")

    assert 7 == code
    assert {"public", "uncovered"} == {each["access"] for each in items}
    assert "6 routes" in talk or "7 routes" in talk


def test_without_a_guard_every_route_is_open(tmp_path: Path) -> None:
    """
    Also one that says what it requires: nothing stands before it.
    """
    (tmp_path / "plain.py").write_text(
        "from fastapi import FastAPI\nfrom retinue.guard.fastapi import Guard\n"
        "guard = Guard()\napplication = FastAPI(openapi_url=None)\n"
        "@application.get('/a', dependencies=[guard.requires('report:read')])\ndef a(): ...\n"
    )
    code, items, _ = check(tmp_path, "plain")

    assert (7, [("/a", "unguarded")]) == (code, [(each["path"], each["access"]) for each in items])


def test_rules_around_a_framework(tmp_path: Path) -> None:
    """
    The routes inside are held against the rules outside, method by method, through other middleware.
    """
    (tmp_path / "around.py").write_text(
        "from flask import Flask\nfrom retinue.guard import Guard, wsgi\nflask = Flask('x', static_folder=None)\n"
        "@flask.route('/reports/<int:n>', methods=['GET', 'POST'])\ndef a(n): ...\n"
        "@flask.get('/healthz')\ndef b(): ...\n"
        "class Timed:\n    def __init__(self, app): self.app = app\n"
        "app = Timed(wsgi.Protect(Timed(flask), Guard(), {'GET /reports/{n}': 'report:read'}, public=['/healthz']))\n"
    )
    code, items, _ = check(tmp_path, "around:app", "--all")

    assert 7 == code
    assert [
        (["GET"], "/healthz", "public"),
        (["GET"], "/reports/<int:n>", "permission"),
        (["POST"], "/reports/<int:n>", "uncovered"),
    ] == [(each["methods"], each["path"], each["access"]) for each in items]


DJANGO = """
SECRET_KEY, ALLOWED_HOSTS, ROOT_URLCONF = "sample", ["*"], "urls"
REST_FRAMEWORK = {{"UNAUTHENTICATED_USER": None}}
MIDDLEWARE = [{middleware}]
RETINUE = {{"RULES": {{"GET /by-rule": "report:read"}}}}
"""
URLS = """
from django.http import HttpResponse
from django.urls import path, re_path
from rest_framework.views import APIView
from retinue.guard.drf import Requires, TokenAuthentication
def plain(request): return HttpResponse()
class Ours(APIView):
    authentication_classes = [TokenAuthentication]
    permission_classes = [Requires("report:read")]
    def get(self, request): ...
class Silent(APIView):
    authentication_classes = [TokenAuthentication]
    permission_classes = []
    def get(self, request): ...
class Theirs(APIView):
    authentication_classes = []
    permission_classes = []
    def get(self, request): ...
urlpatterns = [
    path("by-rule", plain), re_path(r"^ours/(?P<pk>[^/.]+)/$", Ours.as_view()),
    path("silent", Silent.as_view()), path("theirs", Theirs.as_view()),
]
"""


@pytest.mark.parametrize(
    ("middleware", "expected"),
    [
        (
            '"retinue.guard.django.Middleware"',
            {
                "/by-rule": "permission",
                "/ours/<pk>/": "permission",
                "/silent": "uncovered",
                "/theirs": "uncovered",
            },
        ),
        (
            "",
            {
                "/by-rule": "unguarded",
                "/ours/<pk>/": "permission",
                "/silent": "uncovered",
                "/theirs": "unguarded",
            },
        ),
    ],
    ids=["middleware", "authentication alone"],
)
def test_a_project_by_its_settings(middleware: str, expected: dict[str, str], tmp_path: Path) -> None:
    """
    With the middleware every view is decided about; without it only those that Retinue authenticates for.
    """
    (tmp_path / "site_settings.py").write_text(DJANGO.format(middleware=middleware))
    (tmp_path / "urls.py").write_text(URLS)
    code, items, talk = check(tmp_path, "site_settings", "--all")

    assert (7, expected) == (code, {each["path"]: each["access"] for each in items}), talk


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("nowhere:app", "no module nowhere"),
        ("broken:app", "ZeroDivisionError"),
        ("ended:app", "SystemExit: no database"),
        ("needs:app", "it needs no_such_package"),
        ("empty:app", "empty has no app"),
        ("empty", "neither app nor application"),
        (":app", "name a module"),
        ("other:app", "no application of FastAPI"),
    ],
)
def test_what_is_no_application(
    target: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    It is told in one line what was found instead, and nothing is left in the process.
    """
    (tmp_path / "broken.py").write_text("1 / 0")
    (tmp_path / "ended.py").write_text("raise SystemExit('no database')")
    (tmp_path / "needs.py").write_text("import no_such_package")
    (tmp_path / "empty.py").write_text("")
    (tmp_path / "other.py").write_text("app = object()")
    before = list(sys.path)
    for name in ("broken", "ended", "needs", "empty", "other"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    with pytest.raises(discovery.DiscoveryError, match=words):
        discovery.find(target, folder=tmp_path)

    assert before == sys.path


def test_an_application_that_cannot_be_read_is_a_failure(tmp_path: Path) -> None:
    """
    Exit 1, not 7: nothing is known about its routes then.
    """
    code, items, talk = check(tmp_path, "nowhere:app")

    assert (1, []) == (code, items)
    assert "no module nowhere" in talk
