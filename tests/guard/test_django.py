"""The adapters for Django and Django REST framework, beyond what every sample host shows."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.guard.served import ROOT

#: A project of one file; each case is its settings, its views, and what is asked.
_PROGRAM = """
import json
import django
from django.conf import settings
from django.test import Client
from django.urls import path
from retinue.guard.testing import FakeGuard, Tokens

fake = FakeGuard()
tokens = Tokens(fake)
urlpatterns = []
settings.configure(
    ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], SECRET_KEY="sample", RETINUE={"GUARD": fake, **%(retinue)s},
    MIDDLEWARE=%(middleware)r,
    REST_FRAMEWORK={
        "DEFAULT_AUTHENTICATION_CLASSES": ["retinue.guard.drf.TokenAuthentication"],
        "EXCEPTION_HANDLER": %(handler)r, "UNAUTHENTICATED_USER": None,
    },
)
django.setup()
from django.http import HttpResponse
from django.utils.decorators import method_decorator
from django.views import View
from rest_framework.decorators import action, api_view, permission_classes
from rest_framework.permissions import AllowAny, BasePermission, IsAuthenticated
from rest_framework.response import Response
from rest_framework.routers import SimpleRouter
from rest_framework.views import APIView
from rest_framework.viewsets import ViewSet
from retinue.guard import django as guarded
from retinue.guard.django import retinue_optional, retinue_public, retinue_required
from retinue.guard.drf import Public, Requires
%(views)s
client = Client(raise_request_exception=False)
def ask(address, *permissions, method="get", **fields):
    headers = tokens(*permissions, name="etl") if permissions != ("",) else {}
    answer = getattr(client, method)(address, headers=headers | fields)
    code = json.loads(answer.content).get("code") if answer.content[:1] == b"{" else None
    return [answer.status_code, code]
print(json.dumps(%(asked)s))
"""
_MIDDLEWARE = ["retinue.guard.django.Middleware"]
_HANDLER = "retinue.guard.drf.exception_handler"


def _run(
    views: str,
    asked: str,
    *,
    retinue: str = "{}",
    middleware: list[str] = _MIDDLEWARE,
    handler: str = _HANDLER,
) -> object:
    told = {"views": views, "asked": asked, "retinue": retinue, "middleware": middleware, "handler": handler}
    command = [sys.executable, "-c", _PROGRAM % told]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


_MIXED = """
class Either(APIView):
    permission_classes = [Requires("a:read") | Requires("b:read")]
    def get(self, request): return Response({})
class AnyOf(Either):
    permission_classes = [Requires.any_of("a:read", "b:read")]
class Both(Either):
    permission_classes = [Requires("a:read") & Requires("b:read")]
class Also(Either):
    permission_classes = [IsAuthenticated, Requires("a:read")]
class Unclear(Either):
    permission_classes = [Requires("a:read") | IsAuthenticated]
class Open(Either):
    permission_classes = [AllowAny]
class Set(ViewSet):
    permission_classes = [Requires("a:read")]
    def list(self, request): return Response({})
    def create(self, request): return Response({})
    @action(detail=False, permission_classes=[Requires("b:read")])
    def other(self, request): return Response({})
@api_view(["GET"])
@permission_classes([Requires("a:read")])
def function(request): return Response({})
router = SimpleRouter()
router.register("set", Set, "set")
urlpatterns += [path(each.__name__, each.as_view()) for each in (Either, AnyOf, Both, Also, Unclear, Open)]
urlpatterns += [path("function", function), *router.urls]
"""


@pytest.mark.parametrize(
    "middleware", [_MIDDLEWARE, []], ids=["with the middleware", "by authentication alone"]
)
def test_permission_classes(middleware: list[str]) -> None:
    """
    One of two, both, with another class, by action: what is required is decided; what is unclear is refused.
    """
    found = _run(
        _MIXED,
        """{
        "first": [ask("/" + each, "a:read") for each in ("Either", "AnyOf", "Both", "Also", "function", "set/")],
        "second": [ask("/" + each, "b:read") for each in ("Either", "AnyOf", "Both", "Also", "function", "set/")],
        "none": [ask("/" + each) for each in ("Either", "AnyOf", "Both", "Also", "function", "set/")],
        "both": ask("/Both", "a:read", "b:read"),
        "action": [ask("/set/other/", "a:read"), ask("/set/other/", "b:read")],
        "unclear": [ask("/Unclear", "a:read"), ask("/Open", "a:read")],
        "nobody": [ask("/" + each, "") for each in ("Either", "Open", "Unclear")],
        "times": len(fake.replica.log),
        }""",
        middleware=middleware,
    )
    let_in, missing, refused = [200, None], [403, "permission_missing"], [403, "endpoint_not_allowed"]

    assert {
        "first": [let_in, let_in, missing, let_in, let_in, let_in],
        "second": [let_in, let_in, missing, missing, missing, missing],
        "none": [missing] * 6,
        "both": let_in,
        "action": [missing, let_in],
        "unclear": [refused, refused],
        "nobody": [[401, "token_missing"]] * 3,
        "times": 23,
    } == found


def test_another_exception_handler_still_denies() -> None:
    """
    With the status of the denial; only the document is another.
    """
    found = _run(
        _MIXED,
        '[ask("/Both", "a:read"), ask("/Both", "")]',
        middleware=[],
        handler="rest_framework.views.exception_handler",
    )

    assert [[403, None], [401, None]] == found


_VIEWS = """
@method_decorator(retinue_required("a:read"), name="dispatch")
class Whole(View):
    def get(self, request): return HttpResponse(request.caller.name)
@retinue_optional
def maybe(request): return HttpResponse(request.caller.name if request.caller else "stranger")
@retinue_public
def public(request): return HttpResponse("x")
def plain(request): return HttpResponse("x")
urlpatterns += [path("whole", Whole.as_view()), path("maybe", maybe), path("public", public), path("plain", plain)]
urlpatterns += [path("ruled/<int:x>", lambda request, x: HttpResponse("x"))]
"""


def test_views_of_django() -> None:
    """
    A class decorated whole, an optional token, a rule by path; whoever is unknown does not learn what there is.
    """
    found = _run(
        _VIEWS,
        """[ask("/whole", "a:read"), ask("/whole", ""), ask("/whole"), ask("/maybe", ""), ask("/maybe"),
        ask("/maybe", "", Authorization="Bearer x"), ask("/public", ""), ask("/plain", "a:read"),
        ask("/ruled/1", "a:read"), ask("/ruled/1"), ask("/nowhere", ""), ask("/nowhere", "a:read")]""",
        retinue='{"RULES": {"/ruled/*": "a:read"}}',
    )

    assert [
        [200, None], [401, "token_missing"], [403, "permission_missing"], [200, None], [200, None],
        [401, "token_malformed"], [200, None], [403, "endpoint_not_allowed"],
        [200, None], [403, "permission_missing"], [401, "token_missing"], [404, None],
    ] == found  # fmt: skip


def test_a_mount_over_asgi_is_what_the_settings_name() -> None:
    """
    A server may take it from a header field of the request: the path is then the one by which Django finds the view.
    """
    found = _run(
        """
from io import BytesIO
from django.core.handlers.asgi import ASGIRequest
from django.test import override_settings
scope = {"type": "http", "method": "GET", "path": "/open/admin", "root_path": "/open", "headers": []}
def served(**stated):
    with override_settings(**stated):
        request = ASGIRequest(scope | {"query_string": b"", "raw_path": b"/open/admin"}, BytesIO())
        return [guarded.request_of(request).path, request.path_info]
""",
        '[served(), served(FORCE_SCRIPT_NAME="/open")]',
    )

    assert [["/admin", "/admin"], ["/open/admin", "/admin"]] == found


def test_without_the_middleware_a_decorated_view_does_not_run() -> None:
    """
    A project that forgot it answers 500, and lets nobody in.
    """
    assert [[500, None], [500, None]] == _run(
        _VIEWS, '[ask("/whole", "a:read"), ask("/whole", "")]', middleware=[]
    )


def test_a_wrong_setting_is_told_when_the_process_starts() -> None:
    """
    It names the setting.
    """
    with pytest.raises(AssertionError, match="RETINUE: unknown: RULEZ"):
        _run(_VIEWS, 'ask("/whole", "")', retinue='{"RULEZ": 1}')


def test_the_routes_of_a_project() -> None:
    """
    Each with its template and what it requires, by method and action.
    """
    found = _run(
        _MIXED + _VIEWS,
        """[[list(each.methods), each.template, list(each.permissions), each.is_covered]
        for each in guarded.guard().routes()]""",
    )

    assert isinstance(found, list)
    for expected in (
        [["GET"], "/Both", ["a:read", "b:read"], True],
        [["GET"], "/Unclear", [], False],
        [["GET"], "/Open", [], False],
        [["GET"], "/whole", ["a:read"], True],
        [["*"], "/maybe", [], True],
        [["*"], "/plain", [], False],
        [["GET"], "/set/", ["a:read"], True],
        [["GET"], "/set/other/", ["b:read"], True],
    ):
        assert expected in found, found
