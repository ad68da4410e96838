"""The adapter for Flask, beyond what every sample host shows."""

from __future__ import annotations

import pytest
from flask import Blueprint, Flask, abort

from retinue.guard import GuardError
from retinue.guard.flask import Guard, caller
from retinue.guard.rules import RuleError
from retinue.guard.testing import FakeGuard, Tokens


def _app(fake: FakeGuard) -> tuple[Flask, Guard]:
    app = Flask(__name__)
    return app, Guard(app, guard=fake, public=["/static/*"], rules={"/ruled/*": "report:read"})


def test_blueprints_and_rules(retinue_guard: FakeGuard, retinue_token: Tokens) -> None:
    """
    A view of a blueprint by its mark, one by a rule for its path, the files of the application by a public one.
    """
    app, guard = _app(retinue_guard)
    blueprint = Blueprint("b", __name__, url_prefix="/b")

    @blueprint.get("/marked")
    @guard.requires("report:read", "report:list")
    def marked() -> str:
        return caller.name

    @blueprint.get("/plain")
    @app.get("/ruled/<x>")
    def plain(x: str = "") -> str:
        return "x"

    app.register_blueprint(blueprint)
    client = app.test_client()
    token = retinue_token("report:read", "report:list", name="etl")

    assert (200, "etl") == ((answer := client.get("/b/marked", headers=token)).status_code, answer.text)
    assert 403 == client.get("/b/marked", headers=retinue_token("report:read")).status_code
    assert 403 == client.get("/b/plain", headers=token).status_code
    assert (200, 401) == (
        client.get("/ruled/1", headers=token).status_code,
        client.get("/ruled/1").status_code,
    )
    assert 404 == client.get("/static/none.css").status_code


def test_the_answer_of_an_error_handler_is_logged(retinue_guard: FakeGuard, retinue_token: Tokens) -> None:
    """
    The status that the client saw, also where a view gave up, and where a test lets the exception through.
    """
    app, guard = _app(retinue_guard)

    @app.get("/gone")
    @guard.requires("report:read")
    def gone() -> str:
        abort(410)

    @app.get("/broken")
    @guard.requires("report:read")
    def broken() -> str:
        raise ZeroDivisionError

    client = app.test_client()
    client.get("/gone", headers=retinue_token("report:read"))
    client.get("/broken", headers=retinue_token("report:read"))
    app.testing = True
    with pytest.raises(ZeroDivisionError):
        client.get("/broken", headers=retinue_token("report:read"))

    assert [410, 500, 500] == [each.status for each in retinue_guard.replica.log]


def test_a_preflight_is_answered(retinue_guard: FakeGuard) -> None:
    """
    A browser asks for the methods without a token; nobody else does.
    """
    app, guard = _app(retinue_guard)

    @app.get("/reports")
    @guard.requires("report:read")
    def reports() -> str:
        return ""

    client = app.test_client()
    asks = {"Origin": "https://a.example", "Access-Control-Request-Method": "GET"}
    assert (200, 401) == (
        client.options("/reports", headers=asks).status_code, client.options("/reports").status_code,
    )  # fmt: skip


def test_one_context_for_several_requests(retinue_guard: FakeGuard, retinue_token: Tokens) -> None:
    """
    What was decided about one request says nothing about the next.
    """
    app, guard = _app(retinue_guard)

    @app.get("/reports")
    @guard.requires("report:read")
    def reports() -> str:
        return caller.name

    with app.app_context():
        client = app.test_client()
        first = client.get("/reports", headers=retinue_token.retiring("report:read"))
        second = client.get("/reports")

    assert (200, 401) == (first.status_code, second.status_code)
    assert "retinue-token-retires" not in second.headers


def test_without_install_a_decorated_view_does_not_run(retinue_guard: FakeGuard) -> None:
    """
    It is an error, never a pass; so is a decorated class, whose functions would not be protected.
    """
    app, guard = Flask(__name__), Guard(guard=retinue_guard)
    app.testing = True

    @app.get("/reports")
    @guard.requires("report:read")
    def reports() -> str:
        return ""

    with pytest.raises(GuardError, match="install"):
        app.test_client().get("/reports")
    with pytest.raises(RuleError, match="class"):
        guard.requires("report:read")(type("Reports", (), {}))


def test_the_routes_of_an_application(retinue_guard: FakeGuard) -> None:
    """
    Each with its methods, its template and what it requires.
    """
    app, guard = _app(retinue_guard)
    app.get("/covered")(guard.requires("report:read")(lambda: ""))
    app.add_url_rule("/plain", "plain", lambda: "", methods=["GET", "POST"])

    assert [
        (("GET",), "/static/<path:filename>", (), True),
        (("GET",), "/covered", ("report:read",), True),
        (("GET", "POST"), "/plain", (), False),
    ] == [(each.methods, each.template, each.permissions, each.is_covered) for each in guard.routes(app)]
