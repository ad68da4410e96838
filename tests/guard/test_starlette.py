"""The adapters for Starlette and FastAPI: whichever way a route is declared, it is found, or refused."""

from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Depends, FastAPI, WebSocket
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Mount, Route, Router, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from retinue.guard import GuardError
from retinue.guard.fastapi import Caller
from retinue.guard.fastapi import Guard as FastGuard
from retinue.guard.rules import RuleError
from retinue.guard.starlette import Guard
from retinue.guard.testing import FakeGuard, Tokens


def _client(app: Any) -> TestClient:
    return TestClient(app, raise_server_exceptions=False, follow_redirects=False)


def _fast(guard: FakeGuard) -> tuple[FastAPI, FastGuard]:
    app, made = FastAPI(), FastGuard(guard=guard, public=["/openapi.json"])
    made.install(app)
    return app, made


def test_openapi_names_the_permissions(retinue_guard: FakeGuard) -> None:
    """
    Each operation says under the scheme of the guard what it requires, by its route and by its routers.
    """
    app, guard = _fast(retinue_guard)
    inner = APIRouter(prefix="/inner", dependencies=[guard.requires("inner:use")])

    @inner.get("/reports", dependencies=[guard.requires("report:read", "report:list")])
    def reports() -> None: ...

    @app.get("/open")
    @guard.public
    def public() -> None: ...

    outer = APIRouter(prefix="/outer", dependencies=[guard.requires("outer:use")])
    outer.include_router(inner)
    app.include_router(outer)
    document = _client(app).get("/openapi.json").json()

    scheme = document["components"]["securitySchemes"]["retinue"]
    [security] = document["paths"]["/outer/inner/reports"]["get"]["security"]
    assert ("http", "bearer") == (scheme["type"], scheme["scheme"])
    assert ["inner:use", "outer:use", "report:list", "report:read"] == sorted(security["retinue"])
    assert [] == document["paths"]["/open"]["get"]["security"]


def test_all_that_routers_require_is_required(retinue_guard: FakeGuard, retinue_token: Tokens) -> None:
    """
    A route in a router in a router: one decision about the permissions of all three, with the whole template.
    """
    app, guard = _fast(retinue_guard)
    inner = APIRouter(prefix="/inner", dependencies=[guard.requires("inner:use")])

    @inner.get("/{name}", dependencies=[guard.requires("report:read")])
    def report(name: str) -> str:
        return name

    outer = APIRouter(prefix="/outer", dependencies=[guard.requires("outer:use")])
    outer.include_router(inner)
    app.include_router(outer, prefix="/v1")
    every = ("inner:use", "outer:use", "report:read")
    client = _client(app)

    assert 200 == client.get("/v1/outer/inner/x", headers=retinue_token(*every)).status_code
    for missing in every:
        held = [name for name in every if name != missing]
        answer = client.get("/v1/outer/inner/x", headers=retinue_token(*held))
        assert (403, [missing]) == (answer.status_code, answer.json()["required"])
    assert {"/v1/outer/inner/{name}"} == {each.route for each in retinue_guard.replica.log}


def test_what_is_declared_without_the_guard_is_refused(
    retinue_guard: FakeGuard, retinue_token: Tokens
) -> None:
    """
    However it got there: a route, one of a router, a plain one, a mounted application, files, a WebSocket.
    """
    app, _ = _fast(retinue_guard)
    router, later = APIRouter(), APIRouter()
    ran: list[str] = []

    @app.get("/route")
    @router.post("/router")
    @later.get("/later")
    def run() -> None:
        ran.append("x")

    def plain(request: Request) -> JSONResponse:
        ran.append("x")
        return JSONResponse({})

    async def mounted(scope: Any, receive: Any, send: Any) -> None:
        ran.append("x")

    async def socket(websocket: WebSocket) -> None:
        ran.append("x")

    app.include_router(router)
    app.add_route("/plain", plain)
    app.mount("/mounted", mounted)
    app.mount("/app", Starlette(routes=[Route("/x", plain)]))
    app.websocket("/socket")(socket)
    client, token = _client(app), retinue_token("report:read")
    asked = [
        ("GET", "/route"),
        ("POST", "/router"),
        ("GET", "/plain"),
        ("GET", "/mounted/x"),
        ("GET", "/app/x"),
    ]
    answers = [client.request(*each, headers=token).status_code for each in (*asked, ("GET", "/docs"))]
    app.include_router(later)
    answers.append(client.get("/later", headers=token).status_code)
    with pytest.raises(WebSocketDisconnect), client.websocket_connect("/socket", headers=token):
        pass

    assert ([403] * 7, []) == (answers, ran)


def test_websockets_are_decided_before_they_are_accepted(
    retinue_guard: FakeGuard, retinue_token: Tokens
) -> None:
    """
    Without the permission there is no connection; with it the caller is known, and the log says 101.
    """
    app, guard = _fast(retinue_guard)

    @app.websocket("/feed")
    async def feed(websocket: WebSocket, caller: Annotated[Caller, guard.requires("feed:read")]) -> None:
        await websocket.accept()
        await websocket.send_text(caller.name)
        await websocket.close()

    client = _client(app)
    with client.websocket_connect("/feed", headers=retinue_token("feed:read", name="etl")) as connection:
        assert "etl" == connection.receive_text()
    with pytest.raises(Exception) as caught, client.websocket_connect("/feed", headers=retinue_token()):  # noqa: PT011
        pass

    assert 403 == getattr(caught.value, "status_code", None) or 1008 == getattr(caught.value, "code", None)
    assert [101, 403] == [each.status for each in retinue_guard.replica.log]


def test_a_token_may_be_optional(retinue_guard: FakeGuard, retinue_token: Tokens) -> None:
    """
    Without one there is no caller; one that is presented has to be good.
    """
    app, guard = _fast(retinue_guard)

    @app.get("/")
    def greet(caller: Annotated[Caller | None, guard.optional()]) -> str:
        return caller.name if caller else "stranger"

    client = _client(app)
    assert "stranger" == client.get("/").json()
    assert "etl" == client.get("/", headers=retinue_token(name="etl")).json()
    assert 401 == client.get("/", headers=retinue_token.revoked()).status_code


def test_without_install_nothing_is_let_in(retinue_guard: FakeGuard, retinue_token: Tokens) -> None:
    """
    A dependency of a guard that does not protect the application is an error, never a pass.
    """
    app, guard = FastAPI(), FastGuard(guard=retinue_guard)

    @app.get("/", dependencies=[guard.requires("report:read")])
    def run() -> None: ...

    @guard.public
    def undecided(request: Request) -> PlainTextResponse:
        return PlainTextResponse("")

    marked = Guard(guard=retinue_guard).requires("report:read")(undecided)
    plain = Starlette(routes=[Route("/", marked)])
    for each in (app, plain):
        with pytest.raises(GuardError, match="install"):
            TestClient(each).get("/", headers=retinue_token("report:read"))


def test_another_dependency_may_use_the_caller(retinue_guard: FakeGuard, retinue_token: Tokens) -> None:
    """
    The rule is found however deep it stands, and asked for once.
    """
    app, guard = _fast(retinue_guard)

    def name(caller: Annotated[Caller, guard.requires("report:read")]) -> str:
        return caller.name

    @app.get("/")
    def greet(who: Annotated[str, Depends(name)]) -> str:
        return who

    client = _client(app)
    assert "etl" == client.get("/", headers=retinue_token("report:read", name="etl")).json()
    assert 403 == client.get("/", headers=retinue_token()).status_code
    assert 2 == len(retinue_guard.replica.log)


def test_rules_by_path_cover_what_has_no_mark(retinue_guard: FakeGuard, retinue_token: Tokens) -> None:
    """
    A mounted application is protected by a rule; an inner application by a guard of its own.
    """
    inner_guard, guard = (
        Guard(guard=retinue_guard),
        Guard(guard=retinue_guard, rules={"/files/*": "file:read"}),
    )

    @inner_guard.requires("inner:use")
    def inside(request: Request) -> PlainTextResponse:
        return PlainTextResponse(inner_guard.caller(request).name)

    inner = Starlette(routes=[Route("/{x}", inside)])
    inner_guard.install(inner)
    app = Starlette(routes=[Mount("/files", PlainTextResponse("file")), Mount("/inner", inner)])
    guard.install(app)
    client = _client(app)

    assert 200 == client.get("/files/a", headers=retinue_token("file:read")).status_code
    assert 403 == client.get("/files/a", headers=retinue_token()).status_code
    assert "etl" == client.get("/inner/x", headers=retinue_token("inner:use", name="etl")).text
    assert 403 == client.get("/inner/x", headers=retinue_token("file:read")).status_code


def test_a_path_with_a_slash_too_much_is_sent_on(retinue_guard: FakeGuard, retinue_token: Tokens) -> None:
    """
    As the framework does it, for whoever has a token.
    """
    app, guard = _fast(retinue_guard)

    @app.get("/reports", dependencies=[guard.requires("report:read")])
    def run() -> None: ...

    client = _client(app)
    assert (401, 307) == (
        client.get("/reports/").status_code, client.get("/reports/", headers=retinue_token()).status_code,
    )  # fmt: skip


def test_a_router_with_middleware_is_not_taken(retinue_guard: FakeGuard) -> None:
    """
    It could lead a request elsewhere after it was decided; so could middleware of a mount, which is opaque then.
    """
    app = Starlette()
    app.router = Router(middleware=[Middleware(lambda app: app)])
    app.router.middleware_stack = lambda scope, receive, send: app.router.app(scope, receive, send)
    with pytest.raises(GuardError, match="middleware"):
        Guard(guard=retinue_guard).install(app)


def test_a_wrong_permission_is_told_when_the_program_starts(retinue_guard: FakeGuard) -> None:
    """
    Not when the first request comes.
    """
    for wrong in (("Report Read",), ()):
        with pytest.raises(RuleError):
            FastGuard(guard=retinue_guard).requires(*wrong)


def test_the_routes_of_an_application(retinue_guard: FakeGuard) -> None:
    """
    Each with its methods, its template and what it requires; those of inner routers too.
    """
    guard = Guard(guard=retinue_guard, public=["/healthz"])

    @guard.requires("report:read")
    def covered(request: Request) -> PlainTextResponse:
        return PlainTextResponse("")

    def plain(request: Request) -> PlainTextResponse:
        return PlainTextResponse("")

    async def socket(websocket: WebSocket) -> None: ...

    app = Starlette(
        routes=[
            Mount("/v1", routes=[Route("/reports", covered, methods=["GET", "POST"]), Route("/new", plain)]),
            Route("/healthz", plain),
            WebSocketRoute("/feed", socket),
        ]
    )
    guard.install(app)

    assert [
        (("GET", "POST"), "/v1/reports", ("report:read",), True),
        (("GET",), "/v1/new", (), False),
        (("GET",), "/healthz", (), True),
        (("*",), "/feed", (), False),
    ] == [(each.methods, each.template, each.permissions, each.is_covered) for each in guard.routes(app)]
