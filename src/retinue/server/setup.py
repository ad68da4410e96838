"""``init``: makes an installation, all of it or nothing. Running it again changes nothing."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from retinue import pepper
from retinue.server.installation import InstallationError

ADMINISTRATOR_TOKEN_DAYS = 90
LOCAL_NODE = "local"

_PERMISSIONS = """\
# The permissions of your API. `retinue serve` loads this file at each start.
# A permission is resource:action in lower case; the resource may be dotted.
permissions:
  - name: report:read
    label: Read reports
    description: See the list of reports and open each of them.
    sensitivity: normal
  - name: report:write
    label: Write reports
    description: Create and change reports.
    sensitivity: normal
  - name: report:export
    label: Export reports
    description: Download reports in bulk.
    sensitivity: sensitive
"""


@dataclass(frozen=True, slots=True)
class Answers:
    """What ``init`` is told. ``token_file`` gets the administrator's token, mode 0600."""

    organization: str
    admin_email: str
    admin_name: str
    password: str
    token_file: Path


def prepare_files(home: Path, organization: str) -> None:
    """Make the folder with pepper, cookie key and settings; what exists stays as it is."""
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    for folder in ("replica", "spool"):
        (home / folder).mkdir(mode=0o700, exist_ok=True)
    pepper_file = Path(os.environ.get("RETINUE_PEPPER_FILE") or home / "pepper")
    if not pepper_file.exists():
        pepper.create(pepper_file)
    if not (home / "secret-key").exists():
        pepper.write_private(home / "secret-key", secrets.token_urlsafe(48) + "\n")
    if not (home / "permissions.yaml").exists():
        (home / "permissions.yaml").write_text(_PERMISSIONS)
    if not (home / "retinue.toml").exists():
        (home / "retinue.toml").write_text(_options(organization))


def _options(organization: str) -> str:
    return f"""\
# Settings of this installation. Flags and RETINUE_* win over this file.
organization = "{organization}"
brand = "rtn"

[control]
host = "127.0.0.1"
port = 8470
# trusted_proxies = ["127.0.0.0/8", "::1"]  # whose X-Forwarded-For and X-Forwarded-Proto are believed

[node]
host = "127.0.0.1"
port = 8471
"""


def install(home: Path, answers: Answers) -> list[str]:
    """Create organization, administrator and the node ``local``. Returns what was done, a line each.

    Needs Django to be set up. The two tokens are written beside their place before the commit and moved
    there after it, so that neither a token without its row nor a row without its token can remain.
    """
    from retinue.server import schema
    from retinue.server.directory import queries

    schema.migrate()
    places = {home / "node-token": "", answers.token_file: ""}
    present = queries.installation()
    if present is not None:
        moved = [f"{place}: completed" for place in places if _complete(place)]
        return [*moved, f"already initialized: organization {present.handle} in {home}; nothing changed"]
    if answers.token_file.exists():
        raise InstallationError(f"{answers.token_file} exists already; init never overwrites a token file")
    _create(home, answers)
    for place in places:
        _complete(place)
    return [
        f"organization   {answers.organization}",
        f"administrator  {answers.admin_email} (Owner, operator)",
        f"token          {answers.token_file} (access token `init`, {ADMINISTRATOR_TOKEN_DAYS} days)",
        f"node           {LOCAL_NODE} (token in {home / 'node-token'})",
    ]


def _create(home: Path, answers: Answers) -> None:
    from retinue.server import catalogue
    from retinue.server.access import actions as access
    from retinue.server.credentials import actions as credentials
    from retinue.server.directory import actions as directory
    from retinue.server.ledger.transaction import SYSTEM, transaction
    from retinue.server.nodes import actions as nodes

    with transaction(SYSTEM, reason="init") as tx:
        organization = directory.create_organization(
            tx, handle=answers.organization, name=answers.organization, is_installation=True
        )
        access.declare(tx, catalogue.declared())
        admin = directory.create_user(
            tx, organization.id, email=answers.admin_email, name=answers.admin_name, is_operator=True
        )
        directory.set_password(tx, admin, answers.password)
        access.assign_roles(tx, admin, ["owner"], "first administrator")
        issued = credentials.issue_personal_token(tx, admin, name="init", days=ADMINISTRATOR_TOKEN_DAYS)
        _, node_token = nodes.enrol(tx, LOCAL_NODE)
        _write(answers.token_file, issued.token.reveal())
        _write(home / "node-token", node_token.reveal())


def _pending(place: Path) -> Path:
    return place.with_name(place.name + ".new")


def _write(place: Path, token: str) -> None:
    _pending(place).unlink(missing_ok=True)
    pepper.write_private(_pending(place), token + "\n")


def _complete(place: Path) -> bool:
    """Move a token into its place after the commit; tells whether there was one to move."""
    if not _pending(place).exists():
        return False
    _pending(place).replace(place)
    return True
