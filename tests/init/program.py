"""Runs ``init`` and dies in the middle of it, or looks at what stands. A program: Django is set up once.

``kill POINT FLAGS...`` runs ``python -m retinue.server init`` and sends itself SIGKILL at that point;
``look TOKEN_FILE`` prints what an installation holds, as JSON.
"""

from __future__ import annotations

import hmac
import json
import os
import signal
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from retinue import pepper
from retinue.server import __main__ as server
from retinue.server import home as files
from retinue.token import parse


def _die(*_: Any, **__: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _before(owner: Any, name: str, call: int) -> None:
    """Die in front of the given call of a function."""
    _around(owner, name, call, lambda original, *args, **kwargs: _die())


def _after(owner: Any, name: str, call: int = 1) -> None:
    """Die behind the given call of a function."""

    def run(original: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        original(*args, **kwargs)
        _die()

    _around(owner, name, call, run)


def _around(owner: Any, name: str, call: int, instead: Callable[..., Any]) -> None:
    original = getattr(owner, name)
    calls = Counter[str]()

    def counted(*args: Any, **kwargs: Any) -> Any:
        calls[name] += 1
        if calls[name] == call:
            return instead(original, *args, **kwargs)
        return original(*args, **kwargs)

    setattr(owner, name, counted)


def _in_half_a_file() -> None:
    def half(original: Callable[..., Any], path: Path, text: str) -> None:
        original(path, text[: len(text) // 2])
        _die()

    _around(pepper, "write_private", 1, half)


def _between_migrations() -> None:
    from django.db.migrations.executor import MigrationExecutor

    _after(MigrationExecutor, "apply_migration", 12)


def _in_a_migration() -> None:
    from django.db.migrations.executor import MigrationExecutor

    def inside(original: Callable[..., Any], self: Any, state: Any, migration: Any, **kwargs: Any) -> Any:
        _after(migration, "apply")
        return original(self, state, migration, **kwargs)

    _around(MigrationExecutor, "apply_migration", 6, inside)


#: The steps of ``init``, in their order: before it comes to the database ...
FILES: dict[str, Callable[[], None]] = {
    "half of the pepper is written": _in_half_a_file,
    "three files are made": lambda: _after(files, "place", 3),
    "all files are made": lambda: _after(files, "prepare"),
}
#: ... and from there on.
DATABASE: dict[str, Callable[[], None]] = {
    "a migration is under way": _in_a_migration,
    "most migrations are applied": _between_migrations,
    "one token is staged, nothing is committed": lambda: _after(files.Staged, "put", 1),
    "both tokens are staged, nothing is committed": lambda: _after(files.Staged, "put", 2),
    "the commit is done": lambda: _before(files.Staged, "hand_over", 1),
    "one token is in its place, and still staged": lambda: _after(files, "place", 6),
    "one token is handed over": lambda: _before(files.Staged, "hand_over", 2),
    "the other is in its place, and still staged": lambda: _after(files, "place", 7),
}


def _look(token_file: Path) -> dict[str, Any]:
    server._setup()
    from django.conf import settings

    from retinue.server.credentials.queries import Credential
    from retinue.server.directory.queries import Organization, Principal
    from retinue.server.ledger.queries import head

    home = settings.INSTALLATION.home
    peppers = pepper.load(settings.INSTALLATION.pepper_file)

    def opens(path: Path) -> bool:
        token = parse(pepper.read_private(path).strip())
        row = None if token is None else Credential.objects.filter(kid=token.kid, state="active").first()
        found = None if row is None else peppers.get(row.pepper_id)
        return bool(
            token and row and found and hmac.compare_digest(found.digest(token.as_bytes()), bytes(row.digest))
        )

    return {
        "organizations": list(Organization.objects.values_list("handle", flat=True)),
        "operators": list(Principal.objects.filter(is_operator=True).values_list("email", flat=True)),
        "credentials": dict(
            Counter(Credential.objects.filter(state="active").values_list("kind", flat=True))
        ),
        "revision": head()[1],
        "node token opens": opens(home / "node-token"),
        "token opens": token_file.exists() and opens(token_file),
        "files": sorted(each.name for each in home.iterdir() if not each.name.startswith("retinue.db")),
    }


if __name__ == "__main__":
    if sys.argv[1] == "look":
        print(json.dumps(_look(Path(sys.argv[2]))))
    else:
        (FILES | DATABASE)[sys.argv[2]]()
        sys.exit(server.main(["init", *sys.argv[3:]]))
