"""An installation: the folder ``$RETINUE_HOME`` and the settings from the environment.

Everything that must be right before the first request is checked here, and a weak setting stops the start
with an error that names it.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from retinue import pepper, settings
from retinue.network import LOOPBACK, Network
from retinue.server.mail_server import MailServer, mail_server
from retinue.server.provider import InstallationError as InstallationError
from retinue.server.provider import Provider
from retinue.settings import SettingError, variable
from retinue.token import DEFAULT_BRAND

DEFAULT_HOME = "retinue-data"
#: Each probe leaves a key and its events on record: often enough to notice, seldom enough to read by.
PROBE_SECONDS = 900
LOOPBACK_HOSTS = ("127.0.0.1", "localhost", "[::1]")


#: A confirmed commit stays; no statement or lock wait outlives the caller's patience, and no stopped process
#: holds a lock for ever. What the URL adds comes later, and wins.
SERVER_OPTIONS = (
    "-c synchronous_commit=on -c statement_timeout=5000 -c lock_timeout=4000"
    " -c idle_in_transaction_session_timeout=10000"
)
#: libpq: a server that vanished without a word is noticed.
DEAD_PEER = {
    "connect_timeout": 5,
    "tcp_user_timeout": 5000,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 2,
}


@dataclass(frozen=True, slots=True)
class Installation:
    """Where an installation keeps its files, and what it is told by the environment."""

    home: Path
    secret_key: str
    database: dict[str, Any]
    hosts: tuple[str, ...]
    origins: tuple[str, ...]
    secure_cookies: bool
    pepper_file: Path
    #: The key that signs the audit log.
    ledger_key_file: Path
    brand: str
    #: Networks of the proxies that may say for whom they ask.
    trusted_proxies: tuple[Network, ...]
    #: Seconds between two probes of the nodes; 0 is never.
    probe_seconds: int
    #: The public keys of those whose signed leak reports are believed.
    leak_keys_file: Path | None
    #: Whether people must sign in with more than a password: ``required`` or ``offered``.
    second_factor: str
    #: Who else signs people in.
    provider: Provider | None
    #: Networks that webhooks may lead to although they are not public.
    egress_allow: tuple[Network, ...]
    #: The mail server; without one nobody is told by mail.
    mail: MailServer | None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Installation:
        """Read the settings. Raises ``SettingError``, and for a weak key as :func:`_secret_key` does."""
        home = Path(environment.get("RETINUE_HOME") or DEFAULT_HOME).absolute()
        file = settings.read(home / settings.FILE)
        hosts = variable(environment, "RETINUE_HOSTS", _hosts, file.get("control.hosts", ()))
        plain_http = variable(
            environment, "RETINUE_PLAIN_HTTP", settings.flag, file.get("control.plain_http", False)
        )
        return cls(
            home=home,
            secret_key=_secret_key(home / "secret-key"),
            database=_database(environment.get("RETINUE_DATABASE_URL"), home),
            hosts=hosts + LOOPBACK_HOSTS,
            # Behind a proxy that ends TLS forms name another origin than this process sees: ours, over TLS.
            origins=file.get("control.origins") or tuple(f"https://{host}" for host in hosts),
            secure_cookies=bool(hosts) and not plain_http,
            pepper_file=Path(environment.get("RETINUE_PEPPER_FILE") or home / "pepper"),
            ledger_key_file=Path(environment.get("RETINUE_LEDGER_KEY_FILE") or home / "ledger-key"),
            brand=file.get("brand", DEFAULT_BRAND),
            trusted_proxies=_listed(
                environment, "RETINUE_TRUSTED_PROXIES", file.get("control.trusted_proxies"), LOOPBACK
            ),
            probe_seconds=variable(
                environment,
                "RETINUE_PROBE_SECONDS",
                settings.number(0, 86_400),
                file.get("control.probe_seconds", PROBE_SECONDS),
            ),
            leak_keys_file=variable(
                environment, "RETINUE_LEAK_KEYS_FILE", Path, file.get("leaks.keys_file", None)
            ),
            second_factor=variable(
                environment,
                "RETINUE_SECOND_FACTOR",
                settings.second_factor,
                # Who gives the control plane a name has others come to it.
                file.get("control.second_factor", "required" if hosts else "offered"),
            ),
            provider=Provider.from_settings(environment, file, home),
            egress_allow=_listed(environment, "RETINUE_EGRESS_ALLOW", file.get("egress.allow"), ()),
            mail=mail_server(environment, file),
        )

    @property
    def sqlite_file(self) -> Path | None:
        """The file of the database, if that is SQLite."""
        return Path(self.database["NAME"]) if "sqlite3" in self.database["ENGINE"] else None

    def check_secrets(self) -> None:
        """Raise :class:`InstallationError` or ``PepperError`` if a secret is missing or cannot be used."""
        for path, todo in (
            (self.pepper_file, "restore it from the backup, or name its place by RETINUE_PEPPER_FILE"),
            (self.home / "secret-key", "run `retinue init` to make a new one; console sessions end"),
        ):
            if not path.exists():
                raise InstallationError(f"{path} is missing: {todo}")
        pepper.load(self.pepper_file)
        if self.provider is not None:
            self.provider.check()

    @property
    def permissions_file(self) -> Path:
        """The host's catalogue of permissions."""
        return self.home / "permissions.yaml"


def _hosts(text: str) -> tuple[str, ...]:
    return tuple(settings.public_host(each) for each in text.split())


def _listed(
    environment: Mapping[str, str],
    name: str,
    listed: tuple[tuple[Network, ...], ...] | None,
    default: tuple[Network, ...],
) -> tuple[Network, ...]:
    """Networks. The environment wins over the file, also with an empty list; that trusts nobody."""
    text = environment.get(name)
    if text is not None:
        return settings.checked(name, text, settings.proxies)
    return default if listed is None else tuple(each for some in listed for each in some)


def _secret_key(path: Path) -> str:
    """The key of cookies, CSRF and cursors. Before ``init`` has made one, a key for this process alone."""
    if not path.exists():
        return secrets.token_urlsafe(48)
    key = pepper.read_private(path).strip()
    if len(key) < 32:
        raise InstallationError(f"{path}: at least 32 characters; delete it and run init to make a new one")
    return key


def _database(url: str | None, home: Path) -> dict[str, Any]:
    if url is None or url == "":
        return sqlite(home / "retinue.db")
    # The error of a part would repeat it, and the password with it.
    try:
        parts, port = urlsplit(url), urlsplit(url).port
    except ValueError:
        raise SettingError(
            "RETINUE_DATABASE_URL: postgresql://user:password@host:5432/name, the port a number up to 65535; "
            "in user and password : / @ are written %3A %2F %40"
        ) from None
    if parts.scheme == "sqlite":
        if parts.netloc or not parts.path.strip("/"):
            raise SettingError("RETINUE_DATABASE_URL: sqlite:///path, three slashes and the file")
        return sqlite(Path(parts.path))
    if parts.scheme not in ("postgresql", "postgres"):
        raise SettingError(f"RETINUE_DATABASE_URL: postgresql:// or sqlite:///, not {parts.scheme}://")
    if not parts.path.strip("/"):
        raise SettingError("RETINUE_DATABASE_URL: names no database after the host")
    query = dict(parse_qsl(parts.query))
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.lstrip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": unquote(parts.hostname or ""),
        "PORT": str(port or ""),
        "OPTIONS": {
            "pool": {"min_size": 1, "max_size": 24, "timeout": 5},
            **DEAD_PEER,
            **query,
            "options": f"{SERVER_OPTIONS} {query.get('options', '')}".strip(),
        },
    }


def sqlite(path: Path) -> dict[str, Any]:
    """Return Django's settings for a SQLite file: WAL, FULL (NORMAL loses confirmed rows), IMMEDIATE."""
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": str(path),
        # What housekeeping learns of the tables, a connection learns when it is opened.
        "CONN_MAX_AGE": 3600,
        "OPTIONS": {
            "timeout": 5,
            "transaction_mode": "IMMEDIATE",
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA busy_timeout=5000;",
        },
    }
