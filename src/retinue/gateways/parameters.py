"""What a gateway's configuration is made from. What could mean something to its grammar is refused here.

A value ends up between the quotes and braces of five languages. None of them is escaped: a value may hold only
what means nothing in any of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from retinue import permission
from retinue.guard import rules as guard_rules
from retinue.presented import HEADER, TAKEN, is_scheme
from retinue.restrictions import is_ambiguous

_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252})|\[[0-9A-Fa-f:.]{2,45}\]", re.ASCII)
_PATH = re.compile(r"/(?:[A-Za-z0-9._~/-]|\{[a-z][a-z0-9_]{0,31}\})*\*?", re.ASCII)
_PART = re.compile(r"\{[a-z][a-z0-9_]*\}", re.ASCII)
_ORGANIZATION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}", re.ASCII)
_PAGES = re.compile(r"https?://[A-Za-z0-9.\[\]:-]+(?:/[A-Za-z0-9._~-]+)*", re.ASCII)
_FILE = re.compile(r"/?[A-Za-z0-9._~-]+(?:/[A-Za-z0-9._~-]+)*", re.ASCII)
#: Percent signs in front of what needs none (RFC 3986 section 2.3), and of what ends a path or a part of it.
_UNRESERVED = r"2[DdEe]|3[0-9]|4[1-9A-Fa-f]|5[0-9AaFf]|6[1-9A-Fa-f]|7[0-9AaEe]"
_NEVER = r"2[Ff]|5[Cc]|3[BbFf]|23|[01][0-9A-Fa-f]|7[Ff]"
#: In a path, without the query: what another program might take for another place. RE2 and PCRE read it alike.
AMBIGUOUS = (
    r"//|[\x5c;#]|/\.\.?(?:/|$)|%(?:25)*(?:" + _NEVER + r"|" + _UNRESERVED + r")"
    r"|%(?:[^0-9A-Fa-f]|[0-9A-Fa-f][^0-9A-Fa-f]|[0-9A-Fa-f]?$)|[^\x21-\x7e]"
)
#: Whose token the gateway presents as its own, where a node asks (``decision:ask``).
CALLER_VARIABLE = "RETINUE_CALLER_TOKEN"


class ParametersError(ValueError):
    """A value cannot stand in a configuration; the message names it and the rule."""


@dataclass(frozen=True, slots=True)
class Address:
    """A host and a port."""

    host: str
    port: int

    @classmethod
    def read(cls, text: str, field: str) -> Address:
        """Read ``HOST:PORT`` or ``http://HOST:PORT``; an IPv6 address stands in brackets.

        Raises :class:`ParametersError`, which calls the value ``field``.
        """
        rest = text[7:] if text.lower().startswith("http://") else text
        if "://" in rest:
            raise ParametersError(f"{field} {text!r}: http only; put what speaks TLS in between")
        host, _, port = rest.removesuffix("/").rpartition(":")
        if _HOST.fullmatch(host) is None or not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
            raise ParametersError(f"{field} {text!r}: a host and a port, such as 127.0.0.1:8471")
        return cls(host, int(port))

    @property
    def bare(self) -> str:
        """The host without brackets."""
        return self.host.strip("[]")

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Rule:
    """A permission that requests of some methods (empty: any) to some paths need."""

    methods: tuple[str, ...]
    pattern: str
    need: str

    @classmethod
    def read(cls, text: str) -> Rule:
        """Read ``GET,HEAD /reports/*=report:read``; without methods it is for all of them.

        The path is one of a guard's rules: ``*`` at its end is anything, ``{x}`` a part. Raises
        :class:`ParametersError`.
        """
        place, mark, need = text.rpartition("=")
        if not text.isprintable():
            raise ParametersError(f"rule {text!r}: one printable line")
        try:
            read = guard_rules.Rule.read(place if mark else text, need)
        except guard_rules.RuleError as error:
            raise ParametersError(f"rule {text!r}: {error}") from None
        if not mark or not permission.is_name(need):
            raise ParametersError(
                f"rule {text!r}: METHODS PATH=PERMISSION, such as 'GET /reports/*=report:read'"
            )
        plain = _PART.sub("x", read.pattern).removesuffix("*")
        if _PATH.fullmatch(read.pattern) is None or is_ambiguous(plain.encode()):
            raise ParametersError(
                f"rule {text!r}: a path of letters, digits and . _ ~ / -, with parts like {{id}} and a * at its end"
            )
        if read.pattern.startswith("/_retinue"):
            raise ParametersError(f"rule {text!r}: nginx asks the node under /_retinue/")
        methods = set(read.methods) | ({"HEAD"} if "GET" in read.methods else set())
        return cls(tuple(sorted(methods)), read.pattern, need)

    @property
    def kind(self) -> str:
        """``exact``, ``prefix``, or ``regex`` for a path with parts."""
        if "{" in self.pattern:
            return "regex"
        return "prefix" if self.pattern.endswith("*") else "exact"

    @property
    def path(self) -> str:
        """The path without the star."""
        return self.pattern.removesuffix("*")

    @property
    def regex(self) -> str:
        """The whole path as a regular expression."""
        parts = re.split(r"(\{[^{}]+\})", self.path)
        text = "".join("[^/]+" if part.startswith("{") else part.replace(".", r"\.") for part in parts)
        return f"^{text}" if self.pattern.endswith("*") else f"^{text}$"

    @property
    def weight(self) -> tuple[int, int, int]:
        """How exact the rule is, as a guard sees it: the most exact one that fits is taken."""
        return len(_PART.sub("", self.path)), int(not self.pattern.endswith("*")), int(bool(self.methods))


@dataclass(frozen=True, slots=True)
class Parameters:
    """What differs from one gateway to the next. Raises :class:`ParametersError` for what cannot be."""

    rules: tuple[Rule, ...]
    node: Address = Address("127.0.0.1", 8471)
    application: Address = Address("127.0.0.1", 8000)
    listen: Address = Address("127.0.0.1", 8080)
    #: Tokens of this organization alone are accepted.
    organization: str | None = None
    #: Header fields in which tokens may stand beside ``Authorization``, in lower case.
    token_headers: tuple[str, ...] = ()
    #: The node is on another host and asks who the gateway is.
    asks_caller: bool = False
    #: Where people read about a problem.
    pages: str = "http://127.0.0.1:8470/docs/errors"
    #: Files of the gateway's own, in PEM, and then it speaks TLS: its certificate with the chain, and the key.
    certificate: str | None = None
    key: str | None = None
    #: The application is asked by HTTP/2 without TLS, as gRPC needs it.
    asks_http2: bool = False

    def __post_init__(self) -> None:
        if not self.rules:
            raise ParametersError("no rule: everything would be refused; give --rule 'GET /path*=permission'")
        if self.organization is not None and _ORGANIZATION.fullmatch(self.organization) is None:
            raise ParametersError(f"organization {self.organization!r}: an id or a handle")
        for name in self.token_headers:
            if not is_scheme(f"{HEADER}{name}") or name in TAKEN:
                raise ParametersError(f"token header {name!r}: a field of its own, such as x-api-key")
        if _PAGES.fullmatch(self.pages) is None:
            raise ParametersError(
                f"pages {self.pages!r}: a URL without a query and without a slash at its end"
            )
        for name, file in (("certificate", self.certificate), ("key", self.key)):
            if file is not None and _FILE.fullmatch(file) is None:
                raise ParametersError(f"{name} {file!r}: a path of letters, digits and . _ ~ / -")
        if self.key is not None and self.certificate is None:
            raise ParametersError("a key without a certificate: give both")
        seen: set[tuple[str, tuple[str, ...]]] = set()
        for rule in self.rules:
            for method in rule.methods or ("*",):
                if (rule.pattern, (method,)) in seen:
                    raise ParametersError(f"two rules for {method} {rule.pattern}")
                seen.add((rule.pattern, (method,)))

    @property
    def ordered(self) -> tuple[Rule, ...]:
        """The rules, the most exact one first."""
        return tuple(sorted(self.rules, key=lambda rule: rule.weight, reverse=True))

    def pair(self) -> tuple[str, str] | None:
        """Return the files of certificate and key, if the gateway speaks TLS. Raises :class:`ParametersError`."""
        if self.certificate is None:
            return None
        if self.key is None:
            raise ParametersError("a certificate without its key: give both")
        return self.certificate, self.key

    def asked(self, rule: Rule) -> str:
        """Return the path that the node is asked under for a rule."""
        return "/v1/forward-auth/" + self.needed(rule)

    def needed(self, rule: Rule) -> str:
        """Return the permission of a rule, with the organization that it protects."""
        return rule.need if self.organization is None else f"{rule.need}@{self.organization}"


def comment(lines: Iterable[str], mark: str = "#") -> str:
    """Return ``lines`` as comment lines."""
    return "".join(f"{mark} {line}".rstrip() + "\n" for line in lines)
