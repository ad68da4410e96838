"""How a new token reaches its holder: once, into a file of mode 0600, or alone on standard output."""

from __future__ import annotations

import contextlib
import json
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from retinue.cli import settings
from retinue.cli.exits import CommandError, Exit

TokenFormat = Literal["raw", "json", "env", "k8s", "airflow"]


class Handover:
    """A place for one token, made ready before the token exists, so that none is lost to a bad path."""

    def __init__(self, out: str | None, form: TokenFormat = "raw", *, nothing: bool = False) -> None:
        self._out = out
        #: There will be no token, as after a dry run.
        self._nothing = nothing
        self._form = form
        self._descriptor: int | None = None

    @property
    def to_file(self) -> bool:
        """Whether the token goes into a file, so that standard output is free for data."""
        return self._out not in (None, "-") and not self._nothing

    @property
    def path(self) -> str:
        """The file that takes the token; empty if none does."""
        return self._out or "" if self.to_file else ""

    @contextlib.contextmanager
    def ready(self, *, needed: bool = True) -> Iterator[Handover]:
        """Reserve the place. If nothing is handed over in the block, the reserved file goes away again.

        Not ``needed`` is a place where no token is told: then a file makes no sense.
        """
        if self._nothing:
            yield self
            return
        if needed:
            self._reserve()
        elif self._out is not None:
            raise CommandError("--out: no token is told", "leave it out", Exit.USAGE)
        try:
            yield self
        finally:
            if self._descriptor is not None:
                os.close(self._descriptor)
                self._descriptor = None
                Path(str(self._out)).unlink(missing_ok=True)

    def give(self, token: str, facts: dict[str, Any]) -> None:
        """Hand the token over; ``facts`` is the object that the form ``json`` shows with it."""
        if self._nothing:
            return
        text = self._text(token, facts)
        try:
            self._write(text)
        except OSError as error:
            if self.to_file:  # what stands there now is no token
                Path(self.path).unlink(missing_ok=True)
            raise CommandError(
                f"{self.path or 'standard output'}: {error.strerror}; the token is lost",
                "what it is for was made: give it another token (regenerate, rotate), or revoke it",
            ) from None

    def _write(self, text: str) -> None:
        if self._descriptor is None:
            sys.stdout.write(text)
            sys.stdout.flush()
            return
        descriptor, self._descriptor = self._descriptor, None
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())

    def _text(self, token: str, facts: dict[str, Any]) -> str:
        if self._form == "json":
            return json.dumps({**facts, "token": token}, ensure_ascii=False, indent=2) + "\n"
        if self._form == "k8s":
            return _secret(token, facts)
        if self._form == "airflow":
            return _connection(token, facts)
        return f"RETINUE_TOKEN={token}\n" if self._form == "env" else token + "\n"

    def _reserve(self) -> None:
        if self._out is not None and self._out.startswith("-") and self._out != "-":
            raise CommandError(f"--out {self._out}: not a file", "write ./ before its name", Exit.USAGE)
        if self._out is None and settings.flag("CI"):
            raise CommandError(
                "CI is set, and a token on standard output would end in the log; nothing was issued",
                "add --out FILE, or --out - to print it all the same",
                Exit.USAGE,
            )
        if not self.to_file:
            return
        try:
            self._descriptor = os.open(
                str(self._out), os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600
            )
            os.fchmod(self._descriptor, 0o600)
        except FileExistsError:
            raise CommandError(
                f"{self._out} exists and is not overwritten; nothing was issued",
                "name another file with --out",
                Exit.CONFLICT,
            ) from None
        except OSError as error:
            raise CommandError(
                f"{self._out}: {error.strerror}; nothing was issued", "name another file with --out"
            ) from None


def _called(facts: dict[str, Any], joint: str) -> str:
    """Return the name of what holds the token: account and key, in letters that everybody takes."""
    key = facts.get("key") or {}
    words = [str((key.get("account") or {}).get("handle") or ""), str(key.get("name") or "")]
    name = re.sub(r"[^a-z0-9]+", joint, joint.join(filter(None, words)).lower()).strip(joint)
    return name[:63].strip(joint) or "retinue"


def _secret(token: str, facts: dict[str, Any]) -> str:
    """Return a manifest of Kubernetes: `kubectl apply -f FILE`."""
    return (
        "apiVersion: v1\nkind: Secret\nmetadata:\n"
        f"  name: {json.dumps(_called(facts, '-'))}\ntype: Opaque\n"
        f"stringData:\n  RETINUE_TOKEN: {json.dumps(token)}\n"
    )


def _connection(token: str, facts: dict[str, Any]) -> str:
    """Return a connection of Airflow, whose HTTP hook sends what stands in ``extra`` as headers."""
    extra = json.dumps({"Authorization": f"Bearer {token}"})
    connection = {"conn_type": "http", "description": "Retinue", "host": "", "extra": extra}
    return json.dumps({_called(facts, "_"): connection}, indent=2) + "\n"
