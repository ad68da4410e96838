"""Where settings come from besides flags and environment: the project, a profile, the system.

``config.toml`` in the user's configuration folder holds profiles, ``.retinue.toml`` in a project's folder
or above it chooses one, ``/etc/xdg/retinue/config.toml`` holds what a host gives to all. None holds
a token; a project's file is written by others, so it can say less.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from retinue.cli.exits import CommandError, Exit

DEFAULT = "default"
PROJECT_FILE = ".retinue.toml"
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
#: What a profile, or the system's file, may say; a project's file may choose a profile and say less.
KNOWN = ("url", "node_url", "org", "output", "ca_file", "timeout", "replica")
#: Users whose project files are read, besides one's own.
_TRUSTED = (0,)
_OF_PROJECT = ("profile", "url", "org", "output")

_chosen: str | None = None


@dataclass(frozen=True)
class Setting:
    """A value, and where it stands."""

    value: str
    source: str


def choose(name: str | None) -> None:
    """Use this profile for the rest of the process (``--profile``); ``None`` goes back to what is set."""
    global _chosen
    if name is not None:
        check_name(name)
    _chosen = name


def check_name(name: str) -> str:
    """Return ``name``; raises if no profile can be called so."""
    if not _NAME.fullmatch(name):
        raise CommandError(f"{name}: not a name of a profile", "use letters, digits, - and _", Exit.USAGE)
    return name


def current() -> str:
    """Return the name of the profile in use: flag, RETINUE_PROFILE, project, config.toml, ``default``."""
    return asked() or str(configuration().get("profile") or DEFAULT)


def asked() -> str | None:
    """Return the profile that was asked for now: by flag, environment or project."""
    name = _chosen or os.environ.get("RETINUE_PROFILE") or project()[0].get("profile")
    return None if name is None else check_name(name)


def setting(name: str, environment: str) -> Setting | None:
    """Return a setting from the first place that has it: environment, project, profile, system."""
    given = os.environ.get(environment)
    if given:
        return Setting(given, "environment")
    values, path = project()
    if name in values:
        return Setting(values[name], str(path))
    for table, source in (profile(current()), "profile"), (system(), "system"):
        if name in table:
            return Setting(table[name], source)
    return None


def folder() -> Path | None:
    """Return the folder of the user's configuration; ``None`` where there is no home."""
    named = os.environ.get("RETINUE_CONFIG_DIR")
    if named:
        return Path(named)
    base = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")  # noqa: PTH111 - raises not
    return Path(base) / "retinue" if os.path.isabs(base) else None  # noqa: PTH117


def keeps_sign_ins() -> bool:
    """Tell whether a sign-in was ever kept here."""
    place = folder()
    return place is not None and (place / "credentials.toml").is_file()


def configuration() -> dict[str, Any]:
    """Return what the user's ``config.toml`` says; empty if there is none."""
    place = folder()
    return {} if place is None else read_file(place / "config.toml")


def all_profiles() -> dict[str, dict[str, str]]:
    """Return the profiles by name."""
    found = configuration().get("profiles") or {}
    return {name: _texts(values, KNOWN, f"profile {name}") for name, values in found.items()}


def profile(name: str) -> dict[str, str]:
    """Return one profile; empty if there is none of this name."""
    return all_profiles().get(name, {})


def system() -> dict[str, str]:
    """Return what the host's own file says."""
    for base in (os.environ.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(":"):
        path = Path(base) / "retinue" / "config.toml"
        if path.is_file():
            return _texts(read_file(path), KNOWN, str(path))
    return {}


def project() -> tuple[dict[str, str], Path | None]:
    """Return what the project's file says, and where it stands: here, or in a folder above.

    Raises if it holds a token: such a file is shared. A file of another user says nothing here.
    """
    try:
        here = Path.cwd()
    except OSError:
        return {}, None
    for place in (here, *here.parents):
        path = place / PROJECT_FILE
        try:
            owner = path.stat().st_uid
        except OSError:
            continue
        if owner not in (*_TRUSTED, os.getuid()):
            print(f"warning: {path} belongs to another user and is not read", file=sys.stderr)
            return {}, None
        values = read_file(path)
        if "token" in values:
            raise CommandError(
                f"{path}: holds a token, and a project's files are shared",
                "revoke it, take it out of the file, and sign in with `retinue login`",
                Exit.USAGE,
            )
        return _texts(values, _OF_PROJECT, str(path)), path
    return {}, None


def save(name: str, values: Mapping[str, str | None], *, use: bool) -> None:
    """Write a profile, ``None`` taking a value away; ``use`` makes it the one in use."""
    with locked():
        found = configuration()
        profiles = dict(found.get("profiles") or {})
        merged = {**profiles.get(name, {}), **values}
        profiles[name] = {key: value for key, value in merged.items() if value is not None}
        chosen = name if use or not found.get("profile") else found["profile"]
        write("config.toml", {"profile": chosen}, profiles)


def remove(name: str) -> None:
    """Forget a profile; the one in use is ``default`` again if it was this one."""
    with locked():
        found = configuration()
        profiles = {key: value for key, value in (found.get("profiles") or {}).items() if key != name}
        chosen = DEFAULT if found.get("profile") == name else found.get("profile", DEFAULT)
        write("config.toml", {"profile": chosen}, profiles)


@contextlib.contextmanager
def locked() -> Iterator[None]:
    """Let one process at a time read the files of the configuration folder and write them anew."""
    place = folder()
    if place is None:
        raise CommandError("there is no home folder", "set RETINUE_CONFIG_DIR to a folder of yours")
    try:
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(place / ".lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise CommandError(f"{place}: {error.strerror}", "set RETINUE_CONFIG_DIR") from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def write(file: str, top: Mapping[str, str], profiles: Mapping[str, Mapping[str, Any]]) -> Path:
    """Replace a file of the configuration folder at once: mode 0600, in a folder of mode 0700."""
    place = folder()
    if place is None:
        raise CommandError("there is no home folder", "set RETINUE_CONFIG_DIR to a folder of yours")
    lines = [f"{key} = {_quoted(value)}" for key, value in top.items()]
    for name, values in profiles.items():
        lines += ["", f"[profiles.{name}]"]
        lines += [f"{key} = {_quoted(value)}" for key, value in values.items()]
    text = "\n".join(lines).lstrip() + "\n"
    draft = place / f".{file}.{os.getpid()}"
    try:
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            os.fchmod(stream.fileno(), 0o600)
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        draft.replace(place / file)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise CommandError(f"{place / file}: {error.strerror}", "set RETINUE_CONFIG_DIR") from None
    return place / file


def _quoted(value: Any) -> str:
    if isinstance(value, bool | int):
        return str(value).lower()
    if not str(value).isprintable():
        raise CommandError("a value with control characters cannot be kept", code=Exit.USAGE)
    return json.dumps(str(value), ensure_ascii=False)


def read_file(path: Path) -> dict[str, Any]:
    """Return what a TOML file says; empty if there is none. Raises with its place if it is no TOML."""
    if not path.is_file():
        return {}
    import tomllib

    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror}", "make it readable", Exit.USAGE) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        # The message names a place, never what stands there.
        what = str(error) if isinstance(error, tomllib.TOMLDecodeError) else "not UTF-8"
        raise CommandError(f"{path}: not TOML: {what}", "mend it, or remove it", Exit.USAGE) from None


def _texts(values: Mapping[str, Any], known: tuple[str, ...], source: str) -> dict[str, str]:
    unknown = [key for key in values if key not in known and key not in ("profiles",)]
    if unknown:
        raise CommandError(
            f"{source}: unknown: {', '.join(unknown)}", f"known: {', '.join(known)}", Exit.USAGE
        )
    return {key: str(value) for key, value in values.items() if key in known}
