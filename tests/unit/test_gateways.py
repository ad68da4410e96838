"""What goes into the configuration of a gateway: rules that all five read alike, and nothing that breaks out."""

from __future__ import annotations

import re

import pytest
import yaml

from retinue import gateways
from retinue.gateways import Address, Parameters, ParametersError, Rule
from retinue.gateways.parameters import AMBIGUOUS
from retinue.restrictions import is_ambiguous

RULE = Rule.read("GET /reports/*=report:read")


def test_a_rule_is_read() -> None:
    """
    Methods, path and permission; GET is HEAD, no method is any.
    """
    assert Rule(("GET", "HEAD"), "/reports/*", "report:read") == RULE
    assert Rule((), "/a/{id}", "company.email:view") == Rule.read("/a/{id}=company.email:view")


@pytest.mark.parametrize(
    "text",
    [
        "", "report:read", "/a", "/a=", "/a=report", "/a=report:*", "/a=*:*", "/a=report:read@acme", "a=report:read",
        "get /a=report:read", "/a*b=report:read", "/a b=report:read", "/a\n=report:read", "/a}=report:read", "/a{=report:read",
        "/a{b=report:read", "/a{}=report:read", "/a{B}=report:read", "/a\"=report:read", "/a'=report:read", "/a`=report:read",
        "/a;=report:read", "/a$host=report:read", "/a#=report:read", "/a\\=report:read", "/a%41=report:read", "/a|b=report:read",
        "/(a)=report:read", "/a+=report:read", "/a//b=report:read", "/a/../b=report:read", "/a/.=report:read", "/ä=report:read",
        "/a=report:read\n", "/a=report:read; }", "GET\n/a=report:read", "/_retinue/x=report:read", "/a?b=report:read",
        "/a\x00=report:read", "/a,b=report:read", "/a[b]=report:read", "/a^=report:read", "GET,/a=report:read",
    ],
)  # fmt: skip
def test_what_is_no_rule(text: str) -> None:
    """
    What could mean something to one of the five languages, or be read in two ways, is refused.
    """
    with pytest.raises(ParametersError):
        Rule.read(text)


@pytest.mark.parametrize("text", ["127.0.0.1:8471", "http://127.0.0.1:8471", "node.example:80", "[::1]:8471"])
def test_addresses(text: str) -> None:
    """
    A host or an address, and a port.
    """
    assert text.removeprefix("http://") == str(Address.read(text, "--node"))


@pytest.mark.parametrize(
    "text",
    [
        "", "node", "node:", ":80", "node:0", "node:65536", "node:8x", "https://node:443", "http://u:p@node:80", "node:80/x",
        "a b:80", "a\n:80", "a;:80", "a}:80", '":80', "$host:80", "-a:80", "::1:80", "node:８０", "a#:80", "ftp://a:80",
    ],
)  # fmt: skip
def test_what_is_no_address(text: str) -> None:
    """
    Anything else is refused.
    """
    with pytest.raises(ParametersError):
        Address.read(text, "--node")


@pytest.mark.parametrize(
    "given",
    [
        {"rules": ()},
        {"rules": (RULE, RULE)},
        {"rules": (RULE, Rule.read("HEAD /reports/*=report:write"))},
        {"rules": (RULE,), "organization": "a b"},
        {"rules": (RULE,), "organization": 'a"'},
        {"rules": (RULE,), "organization": ""},
        {"rules": (RULE,), "token_headers": ("authorization",)},
        {"rules": (RULE,), "token_headers": ("x-forwarded-for",)},
        {"rules": (RULE,), "token_headers": ("X-Key",)},
        {"rules": (RULE,), "token_headers": ('x";',)},
        {"rules": (RULE,), "token_headers": ("x_key",)},
        {"rules": (RULE,), "token_headers": ("",)},
        {"rules": (RULE,), "pages": "http://x/;"},
        {"rules": (RULE,), "pages": "javascript:x"},
        {"rules": (RULE,), "pages": "http://x/$a"},
        {"rules": (RULE,), "key": "tls.key"},
        {"rules": (RULE,), "certificate": "a b.crt", "key": "tls.key"},
        {"rules": (RULE,), "certificate": "tls.crt", "key": "tls.key; }"},
        {"rules": (RULE,), "certificate": "{env.X}", "key": "tls.key"},
    ],
)
def test_parameters_that_cannot_be(given: dict[str, object]) -> None:
    """
    No rule, two for one request, or a value that would break out.
    """
    with pytest.raises(ParametersError):
        Parameters(**given)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", gateways.FORMS)
def test_the_organization_stands_in_the_question(name: str) -> None:
    """
    Each form asks for the permission at the organization that is protected, and nothing allows by default.
    """
    text = "".join(gateways.render(name, Parameters((RULE,), organization="acme")).values())

    assert "report:read@acme" in text
    assert "failure_mode_allow: true" not in text


@pytest.mark.parametrize("name", ["traefik", "envoy"])
def test_yaml_is_yaml(name: str) -> None:
    """
    The files of Traefik and Envoy are one document each, whatever the rules.
    """
    rules = ("GET,POST /a.b/{id}/c*=report:read", "/~x/*=report:write", "/a=a-b.c_d:e")
    for text in gateways.render(name, Parameters(tuple(map(Rule.read, rules)))).values():
        assert isinstance(yaml.safe_load(text), dict)


@pytest.mark.parametrize(
    "path",
    [
        "//a", "/a//b", "/a\\b", "/a;b", "/a#b", "/.", "/a/..", "/a/../b", "/a/./b", "/a%2fb", "/a%2Fb", "/a%252fb", "/a%5cb",
        "/a%3bb", "/a%23", "/a%3F", "/a%00", "/a%0d", "/a%7f", "/%61", "/%2e%2e/a", "/%2E", "/a%2570", "/%5f", "/%7e", "/%39",
        "/a%", "/a%4", "/a%zz", "/a%4z", "/a b", "/a\x7f", "/ä",
    ],
)  # fmt: skip
def test_two_readings(path: str) -> None:
    """
    The forms refuse what can be read in two ways; and whatever a node refuses, they do.
    """
    assert re.search(AMBIGUOUS, path)


@pytest.mark.parametrize(
    "path",
    ["/", "/a/", "/a.b/c-d_e~f", "/...", "/.a", "/a..", "/%20", "/%C3%A4", "/a%22", "/%7B", "/a+b@c:d,e=f"],
)
def test_one_reading(path: str) -> None:
    """
    What has one reading is none of that.
    """
    assert not re.search(AMBIGUOUS, path)
    assert not is_ambiguous(path.encode())
