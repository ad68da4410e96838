"""What ``init`` must know: from flags, or asked of a person. Nothing is made before every answer is good."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from retinue.server.directory import rules
from retinue.server.errors import Refused
from retinue.server.setup import Administrator, Answers, Present

_PASSWORD_FILE_BYTES = 8192


class Unusable(Exception):
    """Answers are missing or break a rule; ``lines`` name each flag and what is wrong."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__("; ".join(lines))
        self.lines = lines


@dataclass(frozen=True, slots=True)
class Flags:
    """What the command line says. ``ask`` tells whether there is a person to ask."""

    organization: str | None
    admin_email: str | None
    admin_name: str | None
    admin_password_file: Path | None
    token_file: Path | None
    no_admin: bool
    ask: bool


def answers(flags: Flags, home: Path, found: Present | None) -> Answers:
    """Return the answers, all of them good. Raises :class:`Unusable`, naming everything at fault."""
    asked = _Asked(flags.ask)
    known = found.organization if found is not None and flags.organization is None else flags.organization
    organization = asked.text(
        "--organization", "organization (a handle, such as acme)", known, rules.organization_handle
    )
    who = None if flags.no_admin else _administrator(asked, flags)
    token_file = flags.token_file
    if token_file is None and not flags.no_admin:
        if flags.ask:
            token_file = home / "admin-token"
        else:
            asked.missing("--token-file")
    if token_file is not None:
        _check_place(asked, token_file, home)
    if flags.no_admin and (flags.admin_email or flags.admin_name or flags.admin_password_file):
        asked.lines.append("--no-admin: the administrator is named on the page /setup, not by --admin flags")
    if asked.lines:
        raise Unusable(asked.lines)
    return Answers(organization, who, token_file)


def _administrator(asked: _Asked, flags: Flags) -> Administrator:
    email = asked.text(
        "--admin-email", "e-mail address of the administrator", flags.admin_email, rules.email_address
    )
    name = asked.text(
        "--admin-name", "", flags.admin_name or email.partition("@")[0] or "?", rules.check_name
    )
    return Administrator(email, name, asked.password(flags.admin_password_file, email))


def _check_place(asked: _Asked, path: Path, home: Path) -> None:
    if path.exists():
        asked.lines.append(f"--token-file: {path} exists and is not overwritten")
    elif path.parent != home and not path.parent.is_dir():
        asked.lines.append(f"--token-file: there is no folder {path.parent}")


@dataclass
class _Asked:
    """Collects what is wrong; a person is told at once and asked again."""

    ask: bool
    lines: list[str] = field(default_factory=list)

    def missing(self, flag: str) -> None:
        self.lines.append(f"{flag}: needed")

    def text(self, flag: str, question: str, given: str | None, rule: Callable[[str], str]) -> str:
        if given is None and not self.ask:
            self.missing(flag)
            return ""
        while True:
            answer = given if given is not None else _line(f"{question}: ")
            try:
                return rule(answer)
            except Refused as refused:
                if given is not None:
                    self.lines.append(f"{flag}: {refused.detail}")
                    return ""
                _say(f"  {refused.detail}")

    def password(self, file: Path | None, email: str) -> str:
        if file is None and not self.ask:
            self.missing("--admin-password-file")
            return ""
        while True:
            try:
                password = _typed() if file is None else _read(file)
                wrong = _broken_by(password, email)
            except ValueError as error:
                password, wrong = "", [str(error)]
            if not wrong:
                return password
            if file is not None:
                self.lines += [f"--admin-password-file: {file}: {each}" for each in wrong]
                return ""
            for each in wrong:
                _say(f"  {each}")


def _broken_by(password: str, email: str) -> list[str]:
    """Return the rules that a password breaks, in words; none if it is good."""
    from django.contrib.auth.password_validation import validate_password
    from django.core.exceptions import ValidationError

    from retinue.server.directory.queries import Login

    if len(password) > rules.PASSWORD_MAX:
        return [f"at most {rules.PASSWORD_MAX} characters"]
    try:
        validate_password(password, Login(email=email))
    except ValidationError as error:
        return list(error.messages)
    return []


def _typed() -> str:
    password = getpass.getpass("password of the administrator: ", sys.stderr)
    if password != getpass.getpass("once more: ", sys.stderr):
        raise ValueError("The two passwords differ.")
    return password


def _read(path: Path) -> str:
    """Return the one line of a password file. Raises ``ValueError`` with what is wrong with it."""
    try:
        with path.open("rb") as file:
            text = file.read(_PASSWORD_FILE_BYTES + 1).decode()
    except OSError as error:
        raise ValueError(error.strerror or "cannot be read") from None
    except UnicodeDecodeError:
        raise ValueError("not a text in UTF-8") from None
    password = text.removesuffix("\n").removesuffix("\r")
    if not password:
        raise ValueError("is empty")
    if len(text) > _PASSWORD_FILE_BYTES or not password.isprintable():
        raise ValueError("one line with the password and nothing else")
    return password


def _line(question: str) -> str:
    print(question, end="", file=sys.stderr, flush=True)
    line = sys.stdin.readline()
    if not line:
        raise EOFError
    return line.strip()


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
