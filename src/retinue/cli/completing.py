"""Answers a shell that completes (``retinue __complete WORD... PREFIX``): one candidate a line.

The tree of commands is computed once a version and kept in the user's cache; then this loads neither the
command framework nor anything else that is slow. It never asks, never warns, and ends with 0.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import time
from pathlib import Path
from typing import Any

from retinue import __version__

_SECONDS = 1.0
#: Names are taken from the cache for so long; where the server does not answer, for so long.
_FRESH, _STALE = 60.0, 86_400.0
_MOST = 200
#: Where names come from: address, and the path of the name in an item.
_SOURCES: dict[str, tuple[str, tuple[str, ...]]] = {
    "account": ("/v1/service-accounts", ("handle",)),
    "key": ("/v1/keys", ("account.handle", "name")),
    "role": ("/v1/roles", ("handle",)),
    "group": ("/v1/groups", ("name",)),
    "team": ("/v1/teams", ("name",)),
    "access-policy": ("/v1/access-policies", ("name",)),
    "user": ("/v1/users", ("email",)),
    "permission": ("/v1/permissions", ("name",)),
    "node": ("/v1/nodes", ("name",)),
    "org": ("/v1/organizations", ("handle",)),
    "pat": ("/v1/me/tokens", ("name",)),
    "ingest": ("/v1/ingest-tokens", ("name",)),
    "review": ("/v1/reviews", ("id",)),
}
#: What the value of a flag names.
_FLAGS = {
    "--account": "account", "--like": "account", "--to": "account", "--key": "key", "--role": "role",
    "--add-role": "role", "--remove-role": "role", "--group": "group", "--team": "team", "--owner": "user",
    "--add-owner": "user", "--remove-owner": "user", "--user": "user", "--permission": "permission",
    "--need": "permission", "--member": "account", "--org": "org", "--profile": "profile",
}  # fmt: skip
#: What the words behind a command name, where it is not the noun itself.
_ARGUMENTS = {
    "key list": "account", "key issue": "account", "grant list": "account", "grant add": "account",
    "grant remove": "account", "explain": "account", "who-can": "permission", "compromise": "key",
    "sa": "account",
}  # fmt: skip
#: Verbs whose words are new names, or no names.
_NEW = frozenset({"create", "list", "import", "enrol", "issue", "invite", "add"})


def main(words: list[str]) -> int:
    """Print what fits behind ``words``; the last one is the beginning of the word that is completed."""
    with contextlib.redirect_stderr(io.StringIO()), contextlib.suppress(Exception):
        for candidate in candidates(words[:-1], words[-1] if words else ""):
            print(candidate)
    return 0


def candidates(before: list[str], prefix: str) -> list[str]:
    """Return what the word that begins with ``prefix`` can be."""
    if "--" in before:
        return []
    path, node = _walk(before)
    last = before[-1] if before else ""
    flag, equals, value = prefix.partition("=")
    if equals and flag in _FLAGS:
        return [f"{flag}={name}" for name in _names(_FLAGS[flag], value)]
    if last in node["values"] and not prefix.startswith("-"):
        return _choices(node, last, prefix)
    if prefix.startswith("-"):
        return sorted(each for each in node["flags"] if each.startswith(prefix))
    if node["commands"]:
        return sorted(each for each in node["commands"] if each.startswith(prefix))
    if node["choices"]:
        return [each for each in node["choices"] if each.startswith(prefix)]
    return _names(_argument(path), prefix)


def _choices(node: dict[str, Any], flag: str, prefix: str) -> list[str]:
    listed = node["values"][flag]
    return (
        [each for each in listed if each.startswith(prefix)] if listed else _names(_FLAGS.get(flag), prefix)
    )


def _argument(path: list[str]) -> str | None:
    noun = _ARGUMENTS.get(" ".join(path)) or _ARGUMENTS.get(path[0] if path else "")
    if noun is None and len(path) == 2 and path[1] not in _NEW:
        noun = path[0]
    if noun is None and len(path) == 2 and path[1] == "add" and path[0] in ("role", "group", "team"):
        noun = path[0]
    return noun


def _walk(words: list[str]) -> tuple[list[str], dict[str, Any]]:
    node, path = _tree(), []
    for word in words:
        if word in node["commands"]:
            node = node["commands"][word]
            path.append(word)
        elif node["commands"] and word and not word.startswith("-"):
            return [], {"commands": {}, "flags": [], "values": {}, "choices": []}  # nothing fits behind it
    return path, node


# --- names that exist ---


def _names(noun: str | None, prefix: str) -> list[str]:
    if noun == "profile":
        from retinue.cli import profiles, store

        known = {*profiles.all_profiles(), *store.names()}
        return sorted(each for each in known if each.startswith(prefix))
    if noun not in _SOURCES:
        return []
    return sorted({each for each in _listed(noun, prefix) if each.startswith(prefix) and each.isprintable()})


def _listed(noun: str, prefix: str) -> list[str]:
    """Return names from the cache or the server. Short prefixes share a list; a long one is searched for."""
    from retinue.cli import settings

    search = prefix.rpartition("/")[2] if len(prefix) > 2 and noun in ("account", "user") else ""
    token = _token()
    if token is None:
        return []
    # The token's digest, so that nobody is shown the names of whom they were before.
    said = "\0".join((settings.url(), settings.organization() or "", noun, search, token))
    path = _cache() / f"names-{hashlib.sha256(said.encode()).hexdigest()[:32]}.json"
    kept = _kept(path)
    if kept is not None and time.time() - kept["at"] < _FRESH:
        return list(kept["names"])
    try:
        names = _asked(noun, search, token)
    except Exception:  # offline, refused, not allowed: what was known is better than nothing
        return list(kept["names"]) if kept is not None and time.time() - kept["at"] < _STALE else []
    _keep(path, {"at": time.time(), "names": names})
    return names


def _token() -> str | None:
    from retinue.cli import profiles, settings, store

    if settings.has_token_of_environment():
        return settings.own_token()
    row = store.names().get(profiles.current())
    return None if row is None or row.place != "file" else settings.own_token()


def _asked(noun: str, search: str, token: str) -> list[str]:
    from retinue.cli import settings
    from retinue.client.transport import Transport

    path, fields = _SOURCES[noun]
    headers = {"Authorization": f"Bearer {token}"}
    organization = settings.organization()
    if organization is not None and noun not in ("org", "node"):
        headers["Retinue-Organization"] = organization
    transport = Transport(settings.url(), headers, _SECONDS, settings.ca_file())
    try:
        answer = transport.send("GET", path, {"limit": _MOST, "search": search or None})
    finally:
        transport.close()
    items = json.loads(answer.body)["items"]
    return [text for item in items if (text := "/".join(_at(item, field) for field in fields)).strip("/")]


def _at(item: Any, path: str) -> str:
    for name in path.split("."):
        item = (item or {}).get(name)
    return str(item or "")


# --- the tree of commands, and the cache ---


def _tree() -> dict[str, Any]:
    path = _cache() / f"tree-{__version__}-{_stamp()}.json"
    kept = _kept(path)
    if kept is None:
        from retinue.cli.tree import describe

        kept = describe()
        _keep(path, kept)
    return kept


def _stamp() -> int:
    """Return what changes with the program: an editable install keeps its version."""
    return max(int(each.stat().st_mtime) for each in Path(__file__).parent.glob("*.py"))


def _cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()
    return Path(base) / "retinue"


def _kept(path: Path) -> dict[str, Any] | None:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _keep(path: Path, value: dict[str, Any]) -> None:
    with contextlib.suppress(OSError):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = path.with_suffix(f".{os.getpid()}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            json.dump(value, stream)
        draft.replace(path)
