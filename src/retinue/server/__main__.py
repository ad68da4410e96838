"""``python -m retinue.server``: the control plane's own commands. The CLI starts them as child processes."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from pathlib import Path

from retinue.pepper import PepperError
from retinue.server.errors import Refused
from retinue.server.installation import DEFAULT_HOME, InstallationError
from retinue.settings import SettingError
from retinue.supervisor import REFUSES

EXIT_FAILED, EXIT_USAGE, EXIT_INTERRUPTED = 1, 2, 130


def main(arguments: list[str] | None = None) -> int:
    """Run one command. Returns its exit code; errors are one line each on standard error."""
    options = _parser().parse_args(arguments)
    os.umask(0o077)  # what we make is the owner's alone: database, request log, sockets
    try:
        code: int = options.run(options)
    except (SettingError, InstallationError, PepperError, Refused) as error:
        failed = _failed(_worded(error))
        # What is wrong with an installation stays wrong: whoever keeps us running need not try again.
        return REFUSES if options.run is _serve else failed
    except OSError as error:
        return _failed(f"{error.filename or error.__class__.__name__}: {error.strerror or error}")
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except Exception as error:
        if not _is_of_database(error):
            raise
        return _failed(f"the database: {str(error).strip().partition(chr(10))[0]}")
    return code


def _worded(error: Exception) -> str:
    if isinstance(error, Refused):
        return error.detail + (f" ({error.field})" if error.field else "")
    return str(error)


def _failed(text: str) -> int:
    print(f"error: {text}", file=sys.stderr)
    return EXIT_FAILED


def _is_of_database(error: Exception) -> bool:
    # Django may not have been loaded, or not be there.
    errors = sys.modules.get("django.db.utils")
    return errors is not None and isinstance(error, errors.Error)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m retinue.server", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="command")
    init = commands.add_parser("init", help="create an installation in $RETINUE_HOME")
    init.add_argument("--no-input", action="store_true", help="never ask; every answer comes from a flag")
    init.add_argument("--no-admin", action="store_true", help="print a setup code for the page /setup")
    init.add_argument("--organization", help="handle of the first organization, such as acme")
    init.add_argument("--admin-email", help="e-mail address of the first administrator")
    init.add_argument("--admin-name", help="name of the first administrator (default: from the address)")
    init.add_argument("--admin-password-file", type=Path, help="file that holds the administrator's password")
    init.add_argument("--token-file", type=Path, help="where the token, or the setup code, is written (0600)")
    init.set_defaults(run=_init)
    serve = commands.add_parser("serve", help="serve the control plane")
    serve.add_argument("--host", default="127.0.0.1")
    serve.add_argument("--port", type=int, default=8470)
    serve.add_argument("--descriptor", type=int, help="number of an inherited socket that listens already")
    serve.add_argument("--processes", type=int, default=1, help="more than one needs PostgreSQL")
    serve.set_defaults(run=_serve)
    reset = commands.add_parser("reset-sign-in", help="let a person in who has lost what they sign in with")
    reset.add_argument("--email", required=True, help="e-mail address of the person")
    reset.add_argument("--everything", action="store_true", help="password and identity provider too")
    reset.add_argument("--reason", default="", help="for the audit log")
    reset.set_defaults(run=_reset_sign_in)
    migrate = commands.add_parser("migrate", help="bring the schema up to date")
    migrate.set_defaults(run=_migrate)
    return parser


def _home() -> Path:
    return Path(os.environ.get("RETINUE_HOME") or DEFAULT_HOME).absolute()


def _setup(*, pool: bool = False) -> None:
    """Set Django up. A command needs one connection; a pool would warn of each attempt, for seconds."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "retinue.server.settings")
    import django
    from django.db import connection

    django.setup()
    if not pool:
        connection.settings_dict["OPTIONS"].pop("pool", None)


def _init(options: argparse.Namespace) -> int:
    home = _home()
    _setup()
    from retinue.server import questions, setup

    found = setup.present(home)
    token_file = options.token_file.absolute() if options.token_file else None
    if found is not None and not found.is_waiting:
        lines = setup.complete(home, found, token_file)
    else:
        flags = questions.Flags(
            organization=options.organization,
            admin_email=options.admin_email,
            admin_name=options.admin_name,
            admin_password_file=options.admin_password_file,
            token_file=token_file,
            no_admin=options.no_admin,
            ask=not options.no_input,
        )
        try:
            lines = setup.install(home, questions.answers(flags, home, found))
        except questions.Unusable as unusable:
            for line in unusable.lines:
                print(f"error: {line}", file=sys.stderr)
            return EXIT_USAGE
        except EOFError:
            print("error: no answer; nothing was created", file=sys.stderr)
            return EXIT_USAGE
    for line in lines:
        print(line, file=sys.stderr)
    return 0


def _serve(options: argparse.Namespace) -> int:
    _count_in(_home())
    _setup(pool=True)
    from retinue.server import serve

    return serve.serve(options.host, options.port, options.processes, options.descriptor)


def _count_in(home: Path) -> None:
    """Let all processes of this server count together; what an earlier one has counted goes."""
    if not home.is_dir():
        return
    folder = home / "metrics"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    # The library reads it when it is loaded.
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)


def _reset_sign_in(options: argparse.Namespace) -> int:
    _setup()
    from retinue.server import recovering

    for line in recovering.reset_sign_in(options.email, options.reason, everything=options.everything):
        print(line, file=sys.stderr)
    return 0


def _migrate(options: argparse.Namespace) -> int:
    _setup()
    from retinue.server import schema

    schema.migrate()
    return 0


if __name__ == "__main__":
    sys.exit(main())
