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


WIDE = Rules(
    {"/*": "a:read", "/admin*": "a:admin", "/users/{anybody}": "user:read", "/users/me": "me:read"},
    public=["/open/*"],
)


@pytest.mark.parametrize(
    "path",
    [
        "/%61dmin",
        "/a%64min/x",
        "/%61%64%6d%69%6e/x",
        "/users/%6de",
        "/%75sers/7",
        "/adm%69n",
        "/admin%2f..",
        "/x/%2561/..",
    ],
)
def test_a_path_that_leads_elsewhere_once_it_is_decoded(path: str) -> None:
    """
    Frameworks decode a path before they choose a route: a spelling that would be let in by another rule is refused.
    """
    assert WIDE.find("GET", path) is None


@pytest.mark.parametrize(
    ("path", "need"),
    [("/x%20y", "a:read"), ("/admin/%C3%A4", "a:admin"), ("/users/%40x", "user:read"), ("/x/%61", "a:read")],
)
def test_escapes_within_one_rule(path: str, need: str) -> None:
    """
    Escapes that lead to the same rule do no harm.
    """
    found = WIDE.find("GET", path)

    assert found is not None
    assert (need,) == found.need


def test_a_part_is_less_exact_than_a_word() -> None:
    """
    However long a part is called, a word in its place is more exact.
    """
    assert [("me:read",), ("user:read",)] == [
        found.need for path in ("/users/me", "/users/you") if (found := WIDE.find("GET", path))
    ]


@pytest.mark.parametrize(
    ("path", "public"),
    [("/open/x", True), ("/open/%20", True), ("/%6fpen/x", False), ("/open/%2e%2e/x", False)],
)
def test_what_is_public_is_public_in_each_reading(path: str, public: bool) -> None:
    """
    A path is public as it came and as it is decoded, or not at all.
    """
    assert public == WIDE.is_public("GET", path)
