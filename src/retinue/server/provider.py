"""The identity provider that signs people in too (OpenID Connect), as the installation's settings say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from retinue import pepper, settings
from retinue.settings import SettingError, variable


class InstallationError(Exception):
    """The installation is missing, incomplete or weak; the text says what to do."""


@dataclass(frozen=True, slots=True)
class Provider:
    """Who it is, and who we are to it."""

    issuer: str
    client_id: str
    #: Holds the client's secret, mode 0600; none for a client without one.
    secret_file: Path | None
    #: What people call it.
    name: str
    #: Whose addresses it may vouch for: of these domains, the people who are invited need no password.
    domains: tuple[str, ...]
    #: The certificates that it is trusted by, beside those that everybody trusts.
    ca_file: Path | None

    @classmethod
    def from_settings(
        cls, environment: Mapping[str, str], file: Mapping[str, Any], home: Path
    ) -> Provider | None:
        """Read them; ``None`` where no issuer is named. Raises ``SettingError``."""
        issuer = variable(environment, "RETINUE_OIDC_ISSUER", settings.issuer, file.get("oidc.issuer"))
        if issuer is None:
            return None
        client_id = variable(environment, "RETINUE_OIDC_CLIENT_ID", settings.line, file.get("oidc.client_id"))
        if client_id is None:
            raise SettingError("oidc.client_id: missing; oidc.issuer needs it")
        secret_file = variable(
            environment, "RETINUE_OIDC_CLIENT_SECRET_FILE", Path, file.get("oidc.client_secret_file")
        )
        ca_file = file.get("oidc.ca_file")
        return cls(
            issuer=issuer,
            client_id=client_id,
            secret_file=None if secret_file is None else home / secret_file,
            name=file.get("oidc.name", urlsplit(issuer).hostname),
            domains=variable(environment, "RETINUE_OIDC_DOMAINS", _domains, file.get("oidc.domains", ())),
            ca_file=None if ca_file is None else home / ca_file,
        )

    @property
    def origin(self) -> str:
        """Where its pages are, as far as its name tells."""
        parts = urlsplit(self.issuer)
        return f"{parts.scheme}://{parts.netloc}"

    def secret(self) -> str | None:
        """Return the client's secret. Raises ``PepperError`` for a file that others can read."""
        return None if self.secret_file is None else pepper.read_private(self.secret_file).strip()

    def check(self) -> None:
        """Raise :class:`InstallationError` or ``PepperError`` if a file of it cannot be used."""
        for path in (self.secret_file, self.ca_file):
            if path is not None and not path.exists():
                raise InstallationError(f"{path} is missing: oidc names it")
        if self.secret() == "":
            raise InstallationError(f"{self.secret_file} is empty: it holds the client's secret")


def _domains(text: str) -> tuple[str, ...]:
    return tuple(settings.domain(each) for each in text.split())
