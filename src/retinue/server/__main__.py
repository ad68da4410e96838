"""``python -m retinue.server``: the control plane's own commands. The CLI starts them as child processes."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from retinue.pepper import PepperError
from retinue.server.errors import Refused
from retinue.server.installation import DEFAULT_HOME, InstallationError

EXIT_FAILED, EXIT_USAGE = 1, 2


def main(arguments: list[str] | None = None) -> int:
    """Run one command. Returns its exit code; errors are one line on standard error."""
    options = _parser().parse_args(arguments)
    try:
        code: int = options.run(options)
    except (InstallationError, PepperError) as error:
        print(f"error: {error}", file=sys.stderr)
        return EXIT_FAILED
    except Refused as error:
        where = f" ({error.field})" if error.field else ""
        print(f"error: {error.detail}{where}", file=sys.stderr)
        return EXIT_FAILED
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m retinue.server", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="command")
    init = commands.add_parser("init", help="create an installation in $RETINUE_HOME")
    init.add_argument("--no-input", action="store_true", help="never ask; every answer comes from a flag")
    init.add_argument("--organization", help="handle of the first organization, such as acme")
    init.add_argument("--admin-email", help="e-mail address of the first administrator")
    init.add_argument("--admin-name", help="name of the first administrator (default: from the address)")
    init.add_argument("--admin-password-file", type=Path, help="file that holds the administrator's password")
    init.add_argument("--token-file", type=Path, help="where the administrator's token is written, mode 0600")
    init.set_defaults(run=_init)
    serve = commands.add_parser("serve", help="serve the control plane")
    serve.add_argument("--host", default="127.0.0.1")
    serve.add_argument("--port", type=int, default=8470)
    serve.add_argument("--processes", type=int, default=1, help="more than one needs PostgreSQL")
    serve.set_defaults(run=_serve)
    migrate = commands.add_parser("migrate", help="bring the schema up to date")
    migrate.set_defaults(run=_migrate)
    organization = commands.add_parser("organization", help="organizations of this installation")
    verbs = organization.add_subparsers(required=True, metavar="verb")
    create = verbs.add_parser("create", help="create an organization with its first owner")
    create.add_argument("handle")
    create.add_argument("--admin-email", required=True)
    create.add_argument("--token-file", type=Path, required=True)
    create.set_defaults(run=_organization_create)
    return parser


def _home() -> Path:
    return Path(os.environ.get("RETINUE_HOME") or DEFAULT_HOME).absolute()


def _setup() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "retinue.server.settings")
    import django

    django.setup()


def _init(options: argparse.Namespace) -> int:
    from retinue.server import setup

    missing = [
        flag
        for flag, given in (
            ("--organization", options.organization),
            ("--admin-email", options.admin_email),
            ("--admin-password-file", options.admin_password_file),
            ("--token-file", options.token_file),
        )
        if not given
    ]
    if missing:
        print(f"error: {', '.join(missing)}: needed", file=sys.stderr)
        return EXIT_USAGE
    from retinue.server.directory import rules

    handle = rules.organization_handle(options.organization)
    email = rules.email_address(options.admin_email)
    password = _password(options.admin_password_file)
    home = _home()
    setup.prepare_files(home, handle)
    _setup()
    _check_password(password, email)
    answers = setup.Answers(
        organization=handle,
        admin_email=email,
        admin_name=options.admin_name or email.partition("@")[0],
        password=password,
        token_file=options.token_file.absolute(),
    )
    for line in setup.install(home, answers):
        print(line, file=sys.stderr)
    return 0


def _password(path: Path) -> str:
    try:
        password = path.read_text().rstrip("\r\n")
    except OSError as error:
        raise InstallationError(f"--admin-password-file: {path}: {error.strerror}") from None
    if not password:
        raise InstallationError(f"--admin-password-file: {path} is empty")
    return password


def _check_password(password: str, email: str) -> None:
    from django.contrib.auth.password_validation import validate_password
    from django.core.exceptions import ValidationError

    from retinue.server.directory.queries import Login

    try:
        validate_password(password, Login(email=email))
    except ValidationError as error:
        raise InstallationError(f"the administrator's password: {' '.join(error.messages)}") from None


def _serve(options: argparse.Namespace) -> int:
    _setup()
    from retinue.server import serve

    return serve.serve(options.host, options.port, options.processes)


def _migrate(options: argparse.Namespace) -> int:
    _setup()
    from retinue.server import schema

    schema.migrate()
    return 0


def _organization_create(options: argparse.Namespace) -> int:
    _setup()
    from retinue import pepper
    from retinue.server.access import actions as access
    from retinue.server.credentials import actions as credentials
    from retinue.server.directory import actions as directory
    from retinue.server.ledger.transaction import SYSTEM, transaction

    with transaction(SYSTEM, reason="organization create") as tx:
        made = directory.create_organization(tx, handle=options.handle, name=options.handle)
        owner = directory.create_user(tx, made.id, email=options.admin_email, name=options.admin_email)
        access.assign_roles(tx, owner, ["owner"], "first administrator")
        issued = credentials.issue_personal_token(tx, owner, name="init", days=90)
        pepper.write_private(options.token_file, issued.token.reveal() + "\n")
    print(f"organization   {made.handle} ({made.id})", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
