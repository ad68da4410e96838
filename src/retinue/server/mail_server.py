"""The settings of the mail server that people are told by. Without a host there is no mail at all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from retinue import pepper, settings
from retinue.settings import SettingError, variable

STARTTLS, TLS, PLAIN = "starttls", "tls", "none"
_PORTS = {STARTTLS: 587, TLS: 465, PLAIN: 25}
TIMEOUT_SECONDS = 10


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where mail is handed in, how, and from whom it comes."""

    host: str
    port: int
    tls: str
    sender: str
    user: str
    password_file: Path | None

    def password(self) -> str:
        """Read the password from its file, which others must not be able to read."""
        return "" if self.password_file is None else pepper.read_private(self.password_file).strip()

    def options(self) -> dict[str, Any]:
        """Return Django's settings for it."""
        return {
            "EMAIL_BACKEND": "django.core.mail.backends.smtp.EmailBackend",
            "EMAIL_HOST": self.host,
            "EMAIL_PORT": self.port,
            "EMAIL_HOST_USER": self.user,
            "EMAIL_HOST_PASSWORD": self.password(),
            "EMAIL_USE_TLS": self.tls == STARTTLS,
            "EMAIL_USE_SSL": self.tls == TLS,
            "EMAIL_TIMEOUT": TIMEOUT_SECONDS,
        }


def mail_server(environment: Mapping[str, str], file: Mapping[str, Any]) -> MailServer | None:
    """Return the mail server that is set; ``None`` if there is none. Raises ``SettingError``."""
    host = variable(environment, "RETINUE_MAIL_HOST", settings.host, file.get("mail.host", ""))
    if not host:
        return None
    sender = variable(environment, "RETINUE_MAIL_FROM", settings.mail_address, file.get("mail.from", ""))
    if not sender:
        raise SettingError("RETINUE_MAIL_FROM: the address that mail comes from, beside RETINUE_MAIL_HOST")
    tls = variable(environment, "RETINUE_MAIL_TLS", settings.mail_tls, file.get("mail.tls", STARTTLS))
    user = variable(environment, "RETINUE_MAIL_USER", str, file.get("mail.user", ""))
    password_file = variable(
        environment, "RETINUE_MAIL_PASSWORD_FILE", Path, file.get("mail.password_file", None)
    )
    if user and password_file is None:
        raise SettingError("RETINUE_MAIL_PASSWORD_FILE: the file with the password of RETINUE_MAIL_USER")
    if user and tls == PLAIN:
        raise SettingError("RETINUE_MAIL_TLS: starttls or tls where there is a password")
    port = variable(environment, "RETINUE_MAIL_PORT", settings.port, file.get("mail.port", _PORTS[tls]))
    return MailServer(host, port, tls, sender, user, password_file)
