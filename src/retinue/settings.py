"""The rules for settings that more than one program reads, and the installation's file ``retinue.toml``.

A rule takes a text and returns the value; it raises ``ValueError`` with the rule in words.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from retinue.network import Network, networks
from retinue.token import is_brand

FILE = "retinue.toml"
_T = TypeVar("_T")
_NODE_NAME = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,61}[a-z0-9])?", re.ASCII)
_LISTENING = re.compile(r"[A-Za-z0-9._:%-]{1,255}", re.ASCII)
_HOST = r"(?:[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*|\[[0-9A-Fa-f:.]+\])"
_PUBLIC = re.compile(_HOST, re.ASCII)
_DOMAIN = re.compile(r"[a-z0-9-]+(?:\.[a-z0-9-]+)+", re.ASCII)
_MAIL = re.compile(r"[A-Za-z0-9._+-]{1,64}@[A-Za-z0-9.-]{1,190}", re.ASCII)
_ORIGIN = re.compile(rf"https?://{_HOST}(?::[0-9]{{1,5}})?", re.ASCII)


class SettingError(Exception):
    """A setting has a value that cannot be used. The text names where it stands, its name and the rule."""


def node_name(text: str) -> str:
    """The name of a node: a host name in lower case."""
    return _matching(
        _NODE_NAME, text, "1 to 63 characters of a-z, 0-9, dot and dash, no dot or dash at the ends"
    )


def brand(text: str) -> str:
    """What tokens begin with."""
    if not is_brand(text):
        raise ValueError("2 to 10 characters of a-z and 0-9, beginning with a letter")
    return text


def number(lowest: int, highest: int) -> Callable[[str], int]:
    """Return the rule for a whole number in a range."""

    def rule(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,9}", text, re.ASCII) or not lowest <= int(text) <= highest:
            raise ValueError(f"a number from {lowest} to {highest}")
        return int(text)

    return rule


port = number(1, 65535)


def flag(text: str) -> bool:
    """On or off."""
    if text.lower() not in ("0", "1", "true", "false"):
        raise ValueError("1 or 0")
    return text.lower() in ("1", "true")


def host(text: str) -> str:
    """Where a program listens: an address or a name."""
    return _matching(_LISTENING, text, "an address or a name, without port")


def public_host(text: str) -> str:
    """A name under which the control plane is reached. A wildcard would let anybody name it."""
    return _matching(_PUBLIC, text, "a host name such as retinue.example, without scheme, port or wildcard")


def origin(text: str) -> str:
    """Where a page of the console comes from, as its browser names it."""
    return _matching(_ORIGIN, text, "scheme, host and perhaps port, such as https://retinue.example")


def second_factor(text: str) -> str:
    """Whether people must sign in with more than a password."""
    if text not in ("required", "offered"):
        raise ValueError("required or offered")
    return text


def issuer(text: str) -> str:
    """Who signs people in, as its own tokens name it. In plain text only on this machine."""
    parts = urlsplit(text)
    is_near = parts.scheme == "http" and parts.hostname in ("127.0.0.1", "localhost", "::1")
    if (parts.scheme != "https" and not is_near) or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("an address such as https://id.example, without query; http on loopback alone")
    return text


def domain(text: str) -> str:
    """What stands behind the @ of an e-mail address."""
    return _matching(_DOMAIN, text, "a domain in lower case, such as acme.example")


def line(text: str) -> str:
    """A short text on one line."""
    if not text.strip() or not text.isprintable() or len(text) > 200:
        raise ValueError("1 to 200 printable characters")
    return text


def mail_address(text: str) -> str:
    """An address that mail comes from."""
    return _matching(_MAIL, text, "one address such as retinue@acme.example")


def mail_tls(text: str) -> str:
    """How a mail server is spoken to."""
    return _matching(re.compile("starttls|tls|none"), text, "starttls, tls or none")


def proxies(text: str) -> tuple[Network, ...]:
    """Networks, separated by commas; none trusts nobody."""
    try:
        return networks(text)
    except ValueError as error:
        raise ValueError(f"networks such as 10.0.0.0/8: {error}") from None


def _matching(pattern: re.Pattern[str], text: str, rule: str) -> str:
    if not pattern.fullmatch(text):
        raise ValueError(rule)
    return text


def variable(environ: Mapping[str, str], name: str, rule: Callable[[str], _T], default: _T) -> _T:
    """Read one variable; an empty one is not set. Raises :class:`SettingError`."""
    text = environ.get(name)
    return checked(name, text, rule) if text else default


def checked(name: str, text: str, rule: Callable[[str], _T]) -> _T:
    """Return the value of ``text`` by a rule. Raises :class:`SettingError` that begins with ``name``."""
    try:
        return rule(text)
    except ValueError as error:
        raise SettingError(f"{name}: {error}, not {text[:80]!r}") from None


@dataclass(frozen=True, slots=True)
class Key:
    """What may stand behind a key of the file: a type of TOML, and the rule for it or for each of a list."""

    type: type
    rule: Callable[[str], Any]

    def read(self, name: str, value: object) -> Any:
        """Return the value. Raises :class:`SettingError` that begins with ``name``."""
        # In Python true is a number; in the file it is not.
        if type(value) is not self.type:
            raise SettingError(f"{name}: {_TYPES[self.type]}, not {value!r:.80}")
        if not isinstance(value, list):
            return checked(name, str(value), self.rule)
        if not all(isinstance(each, str) for each in value):
            raise SettingError(f"{name}: {_TYPES[list]}, not {value!r:.80}")
        return tuple(checked(name, each, self.rule) for each in value)


_TYPES = {
    str: 'a text, "..."',
    int: "a number",
    bool: "true or false",
    list: 'a list of texts, ["...", "..."]',
}
KEYS = {
    "brand": Key(str, brand),
    "control.host": Key(str, host),
    "control.port": Key(int, port),
    "control.hosts": Key(list, public_host),
    "control.origins": Key(list, origin),
    "control.plain_http": Key(bool, flag),
    "control.probe_seconds": Key(int, number(0, 86_400)),
    "control.second_factor": Key(str, second_factor),
    "control.trusted_proxies": Key(list, proxies),
    "egress.allow": Key(list, proxies),
    "leaks.keys_file": Key(str, Path),
    "oidc.issuer": Key(str, issuer),
    "oidc.client_id": Key(str, line),
    "oidc.client_secret_file": Key(str, Path),
    "oidc.name": Key(str, line),
    "oidc.domains": Key(list, domain),
    "oidc.ca_file": Key(str, Path),
    "mail.host": Key(str, host),
    "mail.port": Key(int, port),
    "mail.tls": Key(str, mail_tls),
    "mail.from": Key(str, mail_address),
    "mail.user": Key(str, str),
    "mail.password_file": Key(str, Path),
    "node.host": Key(str, host),
    "node.port": Key(int, port),
    "node.relay_host": Key(str, host),
    "node.relay_port": Key(int, port),
}
_TABLES = {name.partition(".")[0] for name in KEYS if "." in name}


def read(path: Path) -> dict[str, Any]:
    """Return what the file says, by dotted key; nothing if there is no file.

    Raises :class:`SettingError` that names the file, the key and its rule.
    """
    try:
        said = tomllib.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise SettingError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise SettingError(f"{path}: not a text in UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise SettingError(f"{path}: not TOML: {error}") from None
    try:
        return {name: _key(name).read(name, value) for name, value in _flat(said)}
    except SettingError as error:
        raise SettingError(f"{path}: {error}") from None


def _flat(said: dict[str, Any]) -> Iterator[tuple[str, object]]:
    """Give every key with its dotted name."""
    for name, value in said.items():
        if name not in _TABLES:
            yield name, value
        elif isinstance(value, dict):
            yield from ((f"{name}.{key}", each) for key, each in value.items())
        else:
            raise SettingError(f"{name}: a table, [{name}] with its keys below, not {value!r:.80}")


def _key(name: str) -> Key:
    found = KEYS.get(name)
    if found is None:
        import difflib  # a mistake is seldom, and what it takes would stay in each process

        close = difflib.get_close_matches(name, (*KEYS, *_TABLES), 1)
        hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(KEYS)}"
        raise SettingError(f"{name}: no such key; {hint}")
    return found
