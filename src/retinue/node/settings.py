"""What a node is told by its environment. Every error names the variable at fault."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from retinue.network import LOOPBACK, Network
from retinue.settings import (
    SettingError,
    brand,
    checked,
    flag,
    host,
    node_name,
    number,
    port,
    proxies,
    variable,
)
from retinue.token import DEFAULT_BRAND

_STORE = re.compile(r"(?:valkeys?|rediss?|unix)://[^\s]+", re.ASCII)
_URL = re.compile(r"https?://[^\s/?#]+(?:/[^\s?#]*)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of one node. ``trusted_proxies`` may say for whom they ask (``X-Forwarded-For``).

    An empty ``node_name`` stands for the node that the credential belongs to.
    """

    home: Path
    replica: Path
    spool: Path
    pepper_file: Path
    node_token_file: Path
    control_url: str
    host: str
    port: int
    node_name: str
    issuer: str
    brands: tuple[str, ...]
    open_decisions: bool
    trusted_proxies: tuple[Network, ...]
    max_connections: int
    bench: bool
    supervised: bool
    relay_host: str
    relay_port: int
    limits_url: str

    @property
    def relays(self) -> bool:
        """Whether other nodes may follow this one."""
        return self.relay_port > 0

    @property
    def asks_callers(self) -> bool:
        """Whether callers must identify themselves: always, but on loopback or when switched off."""
        return not self.open_decisions and not is_loopback(self.host)


def from_environment(environ: Mapping[str, str]) -> Settings:
    """Read the settings. Raises :class:`SettingError` for a value that cannot be used."""
    home = Path(environ.get("RETINUE_HOME") or "retinue-data")
    proxied = environ.get("RETINUE_TRUSTED_PROXIES")

    def path(name: str, default: str) -> Path:
        return Path(environ[name]) if environ.get(name) else home / default

    return Settings(
        home=home,
        replica=path("RETINUE_REPLICA", "replica"),
        spool=path("RETINUE_SPOOL", "spool"),
        pepper_file=path("RETINUE_PEPPER_FILE", "pepper"),
        node_token_file=path("RETINUE_NODE_TOKEN_FILE", "node-token"),
        control_url=variable(environ, "RETINUE_CONTROL_URL", _url, "http://127.0.0.1:8470"),
        host=variable(environ, "RETINUE_NODE_HOST", host, "127.0.0.1"),
        port=variable(environ, "RETINUE_NODE_PORT", port, 8471),
        node_name=variable(environ, "RETINUE_NODE_NAME", node_name, ""),
        issuer=environ.get("RETINUE_ISSUER") or "retinue",
        brands=variable(environ, "RETINUE_BRANDS", _brands, (DEFAULT_BRAND,)),
        open_decisions=variable(environ, "RETINUE_OPEN_DECISIONS", flag, False),
        # An empty list is a list: it trusts nobody.
        trusted_proxies=LOOPBACK if proxied is None else checked("RETINUE_TRUSTED_PROXIES", proxied, proxies),
        max_connections=variable(environ, "RETINUE_MAX_CONNECTIONS", number(1, 1_000_000), 8192),
        bench=variable(environ, "RETINUE_BENCH", flag, False),
        supervised=variable(environ, "RETINUE_SUPERVISED", flag, False),
        relay_host=variable(environ, "RETINUE_RELAY_HOST", host, "127.0.0.1"),
        relay_port=variable(environ, "RETINUE_RELAY_PORT", port, 0),
        limits_url=_store(environ.get("RETINUE_LIMITS_URL") or ""),
    )


def is_loopback(host: str) -> bool:
    """Tell whether a listener on ``host`` is reachable from this machine only."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _url(text: str) -> str:
    if not _URL.fullmatch(text):
        raise ValueError("an http(s) URL")
    return text


def _store(text: str) -> str:
    """Return the URL of the shared store of limits. It may hold a password: an error does not repeat it."""
    if text and not _STORE.fullmatch(text):
        raise SettingError(
            "RETINUE_LIMITS_URL: a URL such as valkey://host:6379/0 (also valkeys, redis, rediss, unix)"
        )
    # The client knows the older names alone.
    return re.sub(r"^valkey(s?):", r"redis\1:", text)


def _brands(text: str) -> tuple[str, ...]:
    return tuple(brand(part.strip()) for part in text.split(","))
