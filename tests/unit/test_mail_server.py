"""The settings of the mail server: what belongs together, what is refused, and what the page shows."""

from __future__ import annotations

from pathlib import Path

import pytest

from retinue import settings
from retinue.pepper import PepperError
from retinue.server.mail_server import MailServer, mail_server
from retinue.settings import SettingError
from tests.support.snippets import DOCS, blocks

HOST = {"RETINUE_MAIL_HOST": "smtp.acme.example"}
SENDER = {"RETINUE_MAIL_FROM": "retinue@acme.example"}


def test_without_a_host_there_is_no_mail() -> None:
    """
    Mail is off by default, whatever else is set.
    """
    assert (None, None) == (mail_server({}, {}), mail_server(SENDER, {}))


@pytest.mark.parametrize(("tls", "port"), [("starttls", 587), ("tls", 465), ("none", 25)])
def test_the_port_follows_the_way(tls: str, port: int) -> None:
    """
    Encrypted by default; the usual port of each way, and Django is told that way and no other.
    """
    found = mail_server(HOST | SENDER | {"RETINUE_MAIL_TLS": tls}, {})
    assert found is not None
    told = found.options()

    assert (port, tls == "starttls", tls == "tls") == (
        told["EMAIL_PORT"], told["EMAIL_USE_TLS"], told["EMAIL_USE_SSL"],
    )  # fmt: skip
    assert "starttls" == (mail_server(HOST | SENDER, {}) or found).tls


@pytest.mark.parametrize(
    ("given", "named"),
    [
        (HOST, "RETINUE_MAIL_FROM"),
        (HOST | {"RETINUE_MAIL_FROM": "a@b.example\nBcc: c@d.example"}, "RETINUE_MAIL_FROM"),
        (HOST | SENDER | {"RETINUE_MAIL_TLS": "maybe"}, "RETINUE_MAIL_TLS"),
        (HOST | SENDER | {"RETINUE_MAIL_PORT": "0"}, "RETINUE_MAIL_PORT"),
        (HOST | SENDER | {"RETINUE_MAIL_USER": "u"}, "RETINUE_MAIL_PASSWORD_FILE"),
        (
            HOST
            | SENDER
            | {"RETINUE_MAIL_USER": "u", "RETINUE_MAIL_PASSWORD_FILE": "f", "RETINUE_MAIL_TLS": "none"},
            "RETINUE_MAIL_TLS",
        ),
    ],
)
def test_what_does_not_go_together_stops_the_start(given: dict[str, str], named: str) -> None:
    """
    A missing sender, one that is no address, and a password that would travel in plain text name their setting.
    """
    with pytest.raises(SettingError, match=named):
        mail_server(given, {})


def test_the_page_shows_settings_that_work(tmp_path: Path) -> None:
    """
    The block of the how-to is read as it stands; the password is read from a file that nobody else may read.
    """
    [block, *_] = blocks(DOCS / "how-to" / "notifications.md")
    password = tmp_path / "password"
    password.write_text("secret\n")
    (tmp_path / settings.FILE).write_text(block.text.replace("/etc/retinue/mail", str(password)))
    found = mail_server({}, settings.read(tmp_path / settings.FILE))

    assert (
        MailServer("smtp.acme.example", 587, "starttls", "retinue@acme.example", "retinue", password) == found
    )
    password.chmod(0o644)
    with pytest.raises(PepperError):
        found.options()
    password.chmod(0o600)
    assert ("retinue", "secret") == tuple(
        found.options()[f"EMAIL_HOST_{name}"] for name in ("USER", "PASSWORD")
    )
