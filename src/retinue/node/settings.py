"""What a node is told by its environment. Every error names the variable at fault."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from retinue.network import LOOPBACK, Network, networks
from retinue.token import DEFAULT_BRAND

_BRAND = re.compile(r"[a-z][a-z0-9]{1,9}", re.ASCII)
#: May be empty: then the node is the one that its credential belongs to.
_NAME = re.compile(r"(?:[A-Za-z0-9][A-Za-z0-9._-]{0,63})?", re.ASCII)
_URL = re.compile(r"https?://[^\s/?#]+(?:/[^\s?#]*)?", re.ASCII)


class SettingError(Exception):
    """A variable has a value that cannot be used. The text begins with the name of the variable."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of one node. ``trusted_proxies`` may say for whom they ask (``X-Forwarded-For``)."""

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

    @property
    def asks_callers(self) -> bool:
        """Whether callers must identify themselves: always, but on loopback or when switched off."""
        return not self.open_decisions and not is_loopback(self.host)


def from_environment(environ: Mapping[str, str]) -> Settings:
    """Read the settings. Raises :class:`SettingError` for a value that cannot be used."""
    home = Path(environ.get("RETINUE_HOME") or "retinue-data")

    def path(name: str, default: str) -> Path:
        return Path(environ[name]) if environ.get(name) else home / default

    return Settings(
        home=home,
        replica=path("RETINUE_REPLICA", "replica"),
        spool=path("RETINUE_SPOOL", "spool"),
        pepper_file=path("RETINUE_PEPPER_FILE", "pepper"),
        node_token_file=path("RETINUE_NODE_TOKEN_FILE", "node-token"),
        control_url=_matching(
            environ, "RETINUE_CONTROL_URL", "http://127.0.0.1:8470", _URL, "an http(s) URL"
        ),
        host=environ.get("RETINUE_NODE_HOST") or "127.0.0.1",
        port=_integer(environ, "RETINUE_NODE_PORT", 8471, 1, 65535),
        node_name=_matching(environ, "RETINUE_NODE_NAME", "", _NAME, "letters, digits, . _ - (at most 64)"),
        issuer=environ.get("RETINUE_ISSUER") or "retinue",
        brands=_brands(environ),
        open_decisions=_flag(environ, "RETINUE_OPEN_DECISIONS"),
        trusted_proxies=_networks(environ, "RETINUE_TRUSTED_PROXIES", LOOPBACK),
        max_connections=_integer(environ, "RETINUE_MAX_CONNECTIONS", 8192, 1, 1_000_000),
        bench=_flag(environ, "RETINUE_BENCH"),
        supervised=_flag(environ, "RETINUE_SUPERVISED"),
    )


def is_loopback(host: str) -> bool:
    """Tell whether a listener on ``host`` is reachable from this machine only."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _integer(environ: Mapping[str, str], name: str, default: int, lowest: int, highest: int) -> int:
    text = environ.get(name) or str(default)
    if not re.fullmatch(r"[0-9]{1,9}", text, re.ASCII) or not lowest <= int(text) <= highest:
        raise SettingError(f"{name}: an integer from {lowest} to {highest}, not {text!r}")
    return int(text)


def _flag(environ: Mapping[str, str], name: str) -> bool:
    text = environ.get(name, "").lower()
    if text not in ("", "0", "1", "true", "false"):
        raise SettingError(f"{name}: 1 or 0, not {text!r}")
    return text in ("1", "true")


def _matching(
    environ: Mapping[str, str], name: str, default: str, pattern: re.Pattern[str], rule: str
) -> str:
    text = environ.get(name) or default
    if not pattern.fullmatch(text):
        raise SettingError(f"{name}: {rule}, not {text!r}")
    return text


def _brands(environ: Mapping[str, str]) -> tuple[str, ...]:
    brands = tuple(part.strip() for part in (environ.get("RETINUE_BRANDS") or DEFAULT_BRAND).split(","))
    for brand in brands:
        if not _BRAND.fullmatch(brand):
            raise SettingError(f"RETINUE_BRANDS: brands of 2 to 10 characters of a-z and 0-9, not {brand!r}")
    return brands


def _networks(environ: Mapping[str, str], name: str, default: tuple[Network, ...]) -> tuple[Network, ...]:
    try:
        return networks(environ[name]) if name in environ else default
    except ValueError as error:
        raise SettingError(f"{name}: a list of networks such as 10.0.0.0/8: {error}") from None
