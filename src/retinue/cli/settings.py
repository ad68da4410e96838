"""Where the CLI finds its servers and its own token: the environment, then the project, profile and system.

A token is never taken from the command line. It comes from ``RETINUE_TOKEN_FILE`` (preferred) or
``RETINUE_TOKEN``, else from the sign-in that ``retinue login`` has kept for the profile in use.
"""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from retinue.cli import profiles
from retinue.cli.exits import CommandError, Exit

if TYPE_CHECKING:
    from retinue.cli.store import SignIn

DEFAULT_URL = "http://127.0.0.1:8470"
DEFAULT_NODE_URL = "http://127.0.0.1:8471"
DEFAULT_HOME = "./retinue-data"
DEFAULT_TIMEOUT_SECONDS = 30.0
#: A token file above this is no token file.
_TOKEN_FILE_BYTES_MAX = 4096


def url() -> str:
    """Return the control plane's address."""
    return _text("url", "RETINUE_URL") or DEFAULT_URL


def node_url() -> str:
    """Return the node's address."""
    return _text("node_url", "RETINUE_NODE_URL") or DEFAULT_NODE_URL


def organization() -> str | None:
    """Return the organization to work in, by handle or id; ``None``: the token's own."""
    return _text("org", "RETINUE_ORG")


def replica() -> str | None:
    """Return the replica of this host that is asked offline, if one is named."""
    return _text("replica", "RETINUE_REPLICA")


def output() -> profiles.Setting | None:
    """Return the form of the data that is set, and where."""
    return profiles.setting("output", "RETINUE_OUTPUT")


def _text(name: str, environment: str) -> str | None:
    found = profiles.setting(name, environment)
    return None if found is None else found.value


def home() -> Path:
    """Return the folder of the installation on this host."""
    return Path(os.environ.get("RETINUE_HOME") or DEFAULT_HOME)


def ca_file() -> str | None:
    """Return the file of certificate authorities to trust instead of the system's, if one is set."""
    return _text("ca_file", "RETINUE_CA_FILE")


def timeout() -> float:
    """Return how many seconds to wait for a server."""
    text = _text("timeout", "RETINUE_TIMEOUT") or str(DEFAULT_TIMEOUT_SECONDS)
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


def own_token(kept: SignIn | None = None) -> str | None:
    """Return the CLI's own token, or ``None`` if there is none; the environment comes before a sign-in.

    ``kept`` is the sign-in of the profile, if it was read already.
    """
    path = os.environ.get("RETINUE_TOKEN_FILE")
    text = os.environ.get("RETINUE_TOKEN", "").strip()
    if not path and not text:
        found = kept or sign_in()
        return None if found is None else _single_line(found.token, "the sign-in")
    _check_address()
    return read_token(Path(path), "RETINUE_TOKEN_FILE") if path else _single_line(text, "RETINUE_TOKEN")


def has_token_of_environment() -> bool:
    """Tell whether the environment brings a token, which then comes before a sign-in."""
    return bool(os.environ.get("RETINUE_TOKEN_FILE") or os.environ.get("RETINUE_TOKEN", "").strip())


def sign_in() -> SignIn | None:
    """Return the sign-in of the profile in use, if it is one at the server in use."""
    from retinue.cli import store

    name, address = profiles.current(), url()
    found = store.load(name)
    if found is not None and found.url.rstrip("/") != address.rstrip("/"):
        raise CommandError(
            f"profile {name} is signed in at {found.url}, and its token goes nowhere else than there",
            f"sign in there: retinue login {address} --profile NAME",
            Exit.NOT_SIGNED_IN,
        )
    return found


def _check_address() -> None:
    """A project's file was written by others: it does not send a token of the environment somewhere."""
    found = profiles.setting("url", "RETINUE_URL")
    if found is not None and found.source not in ("environment", "profile", "system"):
        raise CommandError(
            f"{found.source} names the server, and the token is one of the environment",
            f"if it is meant for it, set RETINUE_URL={found.value} as well",
            Exit.USAGE,
        )


def required_token(kept: SignIn | None = None) -> str:
    """Return the CLI's own token; raises with what to do if there is none."""
    token = own_token(kept)
    if token is None:
        raise CommandError(
            "not signed in",
            "retinue login, or set RETINUE_TOKEN_FILE (see: retinue help auth)",
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
