"""Where the CLI finds its servers and its own token: the environment.

A token is never taken from the command line. It comes from ``RETINUE_TOKEN_FILE`` (preferred) or
``RETINUE_TOKEN``.
"""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

from retinue.cli.exits import CommandError, Exit

DEFAULT_URL = "http://127.0.0.1:8470"
DEFAULT_NODE_URL = "http://127.0.0.1:8471"
DEFAULT_HOME = "./retinue-data"
DEFAULT_TIMEOUT_SECONDS = 30.0
#: A token file above this is no token file.
_TOKEN_FILE_BYTES_MAX = 4096


def url() -> str:
    """Return the control plane's address."""
    return os.environ.get("RETINUE_URL") or DEFAULT_URL


def node_url() -> str:
    """Return the node's address."""
    return os.environ.get("RETINUE_NODE_URL") or DEFAULT_NODE_URL


def home() -> Path:
    """Return the folder of the installation on this host."""
    return Path(os.environ.get("RETINUE_HOME") or DEFAULT_HOME)


def ca_file() -> str | None:
    """Return the file of certificate authorities to trust instead of the system's, if one is set."""
    return os.environ.get("RETINUE_CA_FILE") or None


def timeout() -> float:
    """Return how many seconds to wait for a server."""
    text = os.environ.get("RETINUE_TIMEOUT") or str(DEFAULT_TIMEOUT_SECONDS)
    try:
        value = float(text.removesuffix("s"))
    except ValueError:
        value = 0.0
    if not 0 < value <= 3600:
        raise CommandError(f"RETINUE_TIMEOUT={text}: not a number of seconds", "set it to 30", Exit.USAGE)
    return value


def flag(name: str) -> bool:
    """Tell whether the variable ``name`` is set to something else than nothing, 0 or false."""
    return os.environ.get(name, "").lower() not in ("", "0", "false", "no")


def own_token() -> str | None:
    """Return the CLI's own token, or ``None`` if none is set; the file comes before the variable."""
    path = os.environ.get("RETINUE_TOKEN_FILE")
    if path:
        return read_token(Path(path), "RETINUE_TOKEN_FILE")
    text = os.environ.get("RETINUE_TOKEN", "").strip()
    if not text:
        return None
    return _single_line(text, "RETINUE_TOKEN")


def required_token() -> str:
    """Return the CLI's own token; raises with what to do if there is none."""
    token = own_token()
    if token is None:
        raise CommandError(
            "not signed in: no token is set",
            "set RETINUE_TOKEN_FILE to a file that holds one (see: retinue help auth)",
            Exit.NOT_SIGNED_IN,
        )
    return token


def read_token(path: Path, source: str) -> str:
    """Return the token in ``path``, without white space around it; warns if others can read the file."""
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            data = file.read(_TOKEN_FILE_BYTES_MAX + 1)
    except OSError as error:
        raise CommandError(
            f"{source}: {path}: {error.strerror}",
            "name a file that holds a token",
            Exit.NOT_SIGNED_IN if source.startswith("RETINUE_") else Exit.USAGE,
        ) from None
    if stat.S_ISREG(mode) and mode & 0o077:
        print(f"warning: others can read {path}; run: chmod 600 {path}", file=sys.stderr)
    return single_token(data, f"{source}: {path}")


def single_token(data: bytes, source: str) -> str:
    """Return the one token in ``data``; raises, without repeating it, if it cannot be one."""
    if len(data) > _TOKEN_FILE_BYTES_MAX:
        raise CommandError(
            f"{source}: too large to be a token", "give one token and nothing else", Exit.USAGE
        )
    try:
        text = data.decode("ascii").strip()
    except UnicodeDecodeError:
        raise CommandError(
            f"{source}: holds characters that no token has", "give one token and nothing else", Exit.USAGE
        ) from None
    if not text:
        raise CommandError(f"{source}: is empty", "give one token", Exit.USAGE)
    return _single_line(text, source)


def _single_line(text: str, source: str) -> str:
    if not text.isascii() or not text.isprintable() or " " in text:
        raise CommandError(
            f"{source}: holds more than one token, or characters that none has",
            "give one token and nothing else",
            Exit.USAGE,
        )
    return text
