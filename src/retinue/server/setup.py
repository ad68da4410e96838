"""``init``: makes an installation, all of it or nothing. Running it again changes nothing.

A run that was killed is completed by the next one, whatever it had done: files and migrations are whole or
absent, one transaction makes everything else, and tokens wait for its commit.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from retinue import pepper
from retinue.server import home as files
from retinue.server.installation import InstallationError
from retinue.token import Token, parse

if TYPE_CHECKING:
    from retinue.server.directory.queries import Organization
    from retinue.server.ledger.transaction import Transaction

ADMINISTRATOR_TOKEN_DAYS = 90
LOCAL_NODE = "local"


@dataclass(frozen=True, slots=True)
class Administrator:
    """The first administrator."""

    email: str
    name: str
    password: str


@dataclass(frozen=True, slots=True)
class Answers:
    """What ``init`` is told.

    ``token_file`` gets the administrator's token, or without an administrator the setup code (mode 0600);
    ``None`` prints the code.
    """

    organization: str
    administrator: Administrator | None
    token_file: Path | None


@dataclass(frozen=True, slots=True)
class Present:
    """What an earlier ``init`` has made; ``is_waiting`` while its first administrator is still to come."""

    organization: str
    is_waiting: bool


def present(home: Path) -> Present | None:
    """Return what is there, making nothing; ``None`` if the database holds no installation.

    Raises :class:`InstallationError` if its pepper is not the one in this home.
    """
    from django.conf import settings
    from django.db import connection

    from retinue.server.credentials import setup_code
    from retinue.server.directory import queries

    # Asking SQLite would make the file.
    file = settings.INSTALLATION.sqlite_file
    if file is not None and not file.exists():
        return None
    if "directory_principal" not in connection.introspection.table_names():
        return None
    found = queries.installation()
    if found is None:
        return None
    check_pepper(settings.INSTALLATION.pepper_file, found)
    return Present(found.handle, not setup_code.has_administrator(found))


def install(home: Path, answers: Answers) -> list[str]:
    """Make what is missing: all of it, or the first administrator. Returns what was done, a line each.

    Needs Django to be set up. The files of the two tokens are made after the commit.
    """
    from django.conf import settings
    from django.db import IntegrityError

    from retinue.server import schema

    with files.locked(home):
        _keep_private(home)
        found = present(home)
        if found is not None and not found.is_waiting:
            return _complete(home, found, answers.token_file)
        _check_free(home, found, answers)
        files.prepare(home, settings.INSTALLATION.pepper_file, settings.INSTALLATION.ledger_key_file)
        schema.migrate()
        try:
            return _make(home, found, answers)
        except IntegrityError:
            raise InstallationError(
                "another init has made an installation in this database meanwhile"
            ) from None


def complete(home: Path, found: Present, token_file: Path | None) -> list[str]:
    """Hand over what a killed run left waiting, if it did; say that nothing else changes."""
    with files.locked(home):
        _keep_private(home)
        return _complete(home, found, token_file)


def _complete(home: Path, found: Present, token_file: Path | None) -> list[str]:
    from django.conf import settings

    from retinue.server import schema

    files.prepare(home, settings.INSTALLATION.pepper_file, settings.INSTALLATION.ledger_key_file)
    schema.migrate()
    lines = []
    for staged, path in _tokens(home, token_file or home / "admin-token"):
        if _has_row(staged.text()):
            staged.hand_over(path)
            lines.append(f"{path}: completed")
        staged.drop()
    return [*lines, f"already initialized: organization {found.organization} in {home}; nothing changed"]


def _make(home: Path, found: Present | None, answers: Answers) -> list[str]:
    from django.conf import settings

    from retinue.server import audit_log
    from retinue.server.ledger.transaction import SYSTEM, transaction

    (node, node_file), (staged, token_file) = _tokens(home, answers.token_file or home)
    try:
        with transaction(SYSTEM, reason="init") as tx:
            organization = _organization(tx, found, answers.organization, node)
            token = _first(tx, organization, answers.administrator)
            if answers.token_file is not None:
                staged.put(token.reveal())
    except BaseException:
        node.drop()
        staged.drop()
        raise
    audit_log.begin(settings.INSTALLATION, organization)
    node.hand_over(node_file)
    staged.hand_over(token_file)
    if answers.token_file is None:
        sys.stdout.write(token.reveal() + "\n")
        sys.stdout.flush()
    return _told(home, found, answers)


def _organization(tx: Transaction, found: Present | None, handle: str, node: files.Staged) -> Organization:
    """Return the organization, made with the catalogue and the node ``local`` if it is not there yet."""
    from retinue.server import catalogue
    from retinue.server.access import actions as access
    from retinue.server.directory import actions as directory
    from retinue.server.directory import queries
    from retinue.server.nodes import actions as nodes

    present = queries.installation() if found is not None else None
    if present is not None:
        return present
    made = directory.create_organization(tx, handle=handle, name=handle, is_installation=True)
    access.declare(tx, catalogue.declared())
    access.set_up_organization(tx, made)
    _, token = nodes.enrol(tx, LOCAL_NODE)
    node.put(token.reveal())
    return made


def _first(tx: Transaction, organization: Organization, who: Administrator | None) -> Token:
    """Make the first administrator and return an access token, or return a setup code for one."""
    from retinue.server.credentials import actions as credentials
    from retinue.server.credentials import setup_code

    if who is None:
        return setup_code.issue(tx, organization).token
    made = setup_code.make_administrator(
        tx, organization, email=who.email, name=who.name, password=who.password
    )
    return credentials.issue_personal_token(tx, made, name="init", days=ADMINISTRATOR_TOKEN_DAYS).token


def _told(home: Path, found: Present | None, answers: Answers) -> list[str]:
    lines = []
    if found is None:
        lines += [
            f"organization   {answers.organization}",
            f"node           {LOCAL_NODE} (token in {home / 'node-token'})",
        ]
    who = answers.administrator
    if who is not None:
        return [
            *lines,
            f"administrator  {who.email} (Owner, operator)",
            f"token          {answers.token_file} (access token `init`, {ADMINISTRATOR_TOKEN_DAYS} days)",
        ]
    ended = "; the one before has ended" if found is not None else ""
    where = answers.token_file or "printed"
    return [
        *lines,
        f"setup code     {where}: works once, for 24 hours{ended}",
        "next           retinue serve, then open /setup on the control plane and enter the code",
    ]


def _tokens(home: Path, token_file: Path) -> tuple[tuple[files.Staged, Path], tuple[files.Staged, Path]]:
    return (
        (files.Staged(home, "node-token"), home / "node-token"),
        (files.Staged(home, "token"), token_file),
    )


def _has_row(text: str | None) -> bool:
    from django.conf import settings

    from retinue.server.credentials.queries import Credential

    token = None if text is None else parse(text, (settings.INSTALLATION.brand,))
    return token is not None and Credential.objects.filter(kid=token.kid).exists()


def _check_free(home: Path, found: Present | None, answers: Answers) -> None:
    """Refuse, before anything is made, what could not be finished."""
    if answers.token_file is not None and answers.token_file.exists():
        raise InstallationError(f"--token-file: {answers.token_file} exists and is not overwritten")
    if found is None and (home / "node-token").exists():
        raise InstallationError(
            f"{home} belongs to an installation, but the database holds none: set RETINUE_DATABASE_URL to "
            "its database, or take another RETINUE_HOME"
        )
    if found is not None and found.organization != answers.organization:
        raise InstallationError(f"--organization: {found.organization} here, not {answers.organization}")


def _keep_private(home: Path) -> None:
    from django.conf import settings

    files.keep_private(home, settings.INSTALLATION.sqlite_file)


def check_pepper(path: Path, organization: Organization) -> None:
    """Raise :class:`InstallationError` if the credentials in the database are under another pepper."""
    from retinue.server.credentials.queries import Credential

    ids = pepper.load(path).ids if path.exists() else ()
    if not Credential.objects.filter(pepper_id__in=ids).exists():
        raise InstallationError(
            f"the database holds the organization {organization.handle}, and {path} is not its pepper: "
            "restore it from the backup, or name by RETINUE_HOME the home that init made for this database"
        )
