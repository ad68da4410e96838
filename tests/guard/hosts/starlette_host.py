"""A Starlette application."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

import retinue.guard
from retinue.guard.starlette import Guard


def make(decides: retinue.guard.Guard) -> Starlette:
    """Return the protected application."""
    guard = Guard(guard=decides)

    class Reports(HTTPEndpoint):
        @guard.requires("report:read")
        async def get(self, request: Request) -> Response:
            return JSONResponse({"hello": guard.caller(request).name})

        @guard.requires("report:write")
        async def post(self, request: Request) -> Response:
            return JSONResponse({"hello": guard.caller(request).name}, 201)

    @guard.requires("report:read", resource="report_id")
    async def report(request: Request) -> Response:
        return JSONResponse({"hello": guard.caller(request).name})

    @guard.requires("report:read")
    def broken(request: Request) -> Response:
        raise ZeroDivisionError

    @guard.public
    def health(request: Request) -> Response:
        return JSONResponse({"hello": None})

    def uncovered(request: Request) -> Response:
        return JSONResponse({"hello": "anybody"})

    app = Starlette(
        routes=[
            Route("/reports", Reports),
            Mount("/reports", routes=[Route("/{report_id:int}", report)]),
            Route("/broken", broken),
            Route("/healthz", health),
            Route("/uncovered", uncovered, methods=["GET", "POST"]),
        ]
    )
    guard.install(app)
    return app
