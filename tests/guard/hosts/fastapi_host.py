"""A FastAPI application."""

from typing import Annotated

from fastapi import APIRouter, FastAPI

import retinue.guard
from retinue.guard.fastapi import Caller, Guard


def make(decides: retinue.guard.Guard) -> FastAPI:
    """Return the protected application."""
    guard = Guard(guard=decides, public=["/openapi.json"])
    app = FastAPI()
    guard.install(app)
    reader, writer = guard.requires("report:read"), guard.requires("report:write")
    of_report = guard.requires("report:read", resource="report_id")
    router = APIRouter(prefix="/reports")

    @app.get("/reports")
    def reports(caller: Annotated[Caller, reader]) -> dict[str, str]:
        return {"hello": caller.name}

    @app.post("/reports", status_code=201)
    def create(caller: Annotated[Caller, writer], body: dict[str, int]) -> dict[str, str]:
        return {"hello": caller.name}

    @router.get("/{report_id}")
    async def report(report_id: int, caller: Annotated[Caller, of_report]) -> dict[str, str]:
        return {"hello": caller.name}

    @app.get("/broken", dependencies=[reader])
    async def broken() -> None:
        raise ZeroDivisionError

    @app.get("/healthz")
    @guard.public
    def health() -> dict[str, None]:
        return {"hello": None}

    @app.api_route("/uncovered", methods=["GET", "POST"])
    def uncovered() -> dict[str, str]:
        return {"hello": "anybody"}

    app.include_router(router)
    return app
