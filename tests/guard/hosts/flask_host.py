"""A Flask application."""

from __future__ import annotations

from typing import Any

from flask import Flask
from flask.views import MethodView

import retinue.guard
from retinue.guard.flask import Guard, caller


def make(decides: retinue.guard.Guard) -> Flask:
    """Return the protected application."""
    app = Flask(__name__)
    guard = Guard(app, guard=decides)

    class Reports(MethodView):
        @guard.requires("report:read")
        def get(self) -> dict[str, Any]:
            return {"hello": caller.name}

        @guard.requires("report:write")
        def post(self) -> tuple[dict[str, Any], int]:
            return {"hello": caller.name}, 201

    app.add_url_rule("/reports", view_func=Reports.as_view("reports"))

    @app.get("/reports/<int:report_id>")
    @guard.requires("report:read", resource="report_id")
    def report(report_id: int) -> dict[str, Any]:
        return {"hello": caller.name}

    @app.get("/broken")
    @guard.requires("report:read")
    def broken() -> str:
        raise ZeroDivisionError

    @app.get("/healthz")
    @guard.public
    def health() -> dict[str, Any]:
        return {"hello": None}

    @app.route("/uncovered", methods=["GET", "POST"])
    def uncovered() -> dict[str, Any]:
        return {"hello": "anybody"}

    return app
