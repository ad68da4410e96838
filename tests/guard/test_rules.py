"""Rules: which permission a request needs, and that no rule means no entry."""

from __future__ import annotations

import pytest

from retinue.guard.rules import Rule, RuleError, Rules

RULES = Rules(
    {
        "GET /reports*": "report:read",
        "POST,PUT /reports/*": "report:write",
        "/reports/{id}/export": "report:export",
        "GET /reports/archive/*": ("report:read", "archive:read"),
        "* /whoami": (),
    },
    public=["/healthz", "GET /docs/*"],
)


@pytest.mark.parametrize(
    ("method", "path", "need"),
    [
        ("GET", "/reports", ("report:read",)),
        ("HEAD", "/reports/7", ("report:read",)),
        ("PUT", "/reports/7", ("report:write",)),
        ("GET", "/reports/7/export", ("report:export",)),
        ("DELETE", "/reports/7/export", ("report:export",)),
        ("GET", "/reports/archive/2020", ("report:read", "archive:read")),
        ("PATCH", "/whoami", ()),
        ("DELETE", "/reports/7", None),
        ("GET", "/report", None),
        ("GET", "/whoami/", None),
        ("GET", "/reports/../admin", None),
        ("GET", "/reports/..%2fadmin", None),
        ("GET", "//reports", None),
        ("GET", "/reports/%2e%2e/admin", None),
    ],
)
def test_the_most_exact_rule_is_taken(method: str, path: str, need: tuple[str, ...] | None) -> None:
    """
    Wherever it stands; and a path that two programs could read in two ways fits none.
    """
    found = RULES.find(method, path)

    assert need == (None if found is None else found.need)


@pytest.mark.parametrize(
    ("method", "path", "public"),
    [
        ("GET", "/healthz", True),
        ("POST", "/healthz", True),
        ("GET", "/docs/a/b", True),
        ("POST", "/docs/a", False),
        ("GET", "/docs/../reports", False),
        ("GET", "/docs/%2e%2e/reports", False),
        ("GET", "/healthz/x", False),
    ],
)
def test_only_what_is_public_needs_no_token(method: str, path: str, public: bool) -> None:
    """
    A public place is not left by a path that climbs out of it.
    """
    assert public == RULES.is_public(method, path)


@pytest.mark.parametrize("text", ["", "reports", "get /reports", "GET  ", "GET /a*b", "GET /a b", "GET,/a"])
def test_what_is_no_rule_is_refused(text: str) -> None:
    """
    When the application starts, not when the first request comes; the rule is named.
    """
    with pytest.raises(RuleError, match=r"methods and a path"):
        Rule.read(text, "report:read")


@pytest.mark.parametrize("need", ["report", "report:*", "Report:Read", ""])
def test_what_is_no_permission_is_refused(need: str) -> None:
    """
    A wildcard is none: a request needs one permission that can be missing.
    """
    with pytest.raises(RuleError, match="no permission"):
        Rule.read("GET /reports", need)
