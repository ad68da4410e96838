"""Settings: each mistake is one line that names where it stands, the key, and the rule."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from retinue import settings
from retinue.network import networks
from retinue.node.settings import from_environment as node_settings
from retinue.server.errors import Refused
from retinue.server.installation import Installation
from retinue.server.nodes.rules import node_name
from retinue.server.provider import Provider
from retinue.settings import SettingError
from tests.support.snippets import DOCS, blocks


def _file(folder: Path, text: str) -> Path:
    path = folder / "retinue.toml"
    path.write_text(text)
    return path


EVERY_KEY = """
brand = "acme"
control = { host = "::1", port = 1, hosts = ["r.example"], origins = ["https://r.example:8443"],
            plain_http = true, trusted_proxies = ["10.0.0.0/8", "::1"], probe_seconds = 5,
            second_factor = "offered" }
oidc.issuer = "https://id.example/realms/a"
oidc.client_id = "retinue"
oidc.client_secret_file = "s"
oidc.name = "Acme ID"
oidc.domains = ["acme.example"]
oidc.ca_file = "c"
leaks.keys_file = "k"
egress.allow = ["10.1.0.0/16"]
mail.host = "smtp.example"
mail.port = 587
mail.tls = "starttls"
mail.from = "retinue@acme.example"
mail.user = "retinue"
mail.password_file = "p"
node.host = "localhost"
node.port = 65535
node.relay_host = "::1"
node.relay_port = 8472
"""
EVERY_VALUE = {
    "brand": "acme",
    "control.host": "::1",
    "control.port": 1,
    "control.hosts": ("r.example",),
    "control.origins": ("https://r.example:8443",),
    "control.plain_http": True,
    "control.trusted_proxies": (networks("10.0.0.0/8"), networks("::1")),
    "control.probe_seconds": 5,
    "control.second_factor": "offered",
    "oidc.issuer": "https://id.example/realms/a",
    "oidc.client_id": "retinue",
    "oidc.client_secret_file": Path("s"),
    "oidc.name": "Acme ID",
    "oidc.domains": ("acme.example",),
    "oidc.ca_file": Path("c"),
    "leaks.keys_file": Path("k"),
    "egress.allow": (networks("10.1.0.0/16"),),
    "mail.host": "smtp.example",
    "mail.port": 587,
    "mail.tls": "starttls",
    "mail.from": "retinue@acme.example",
    "mail.user": "retinue",
    "mail.password_file": Path("p"),
    "node.host": "localhost",
    "node.port": 65535,
    "node.relay_host": "::1",
    "node.relay_port": 8472,
}


def test_every_key_is_read(tmp_path: Path) -> None:
    """
    A file with every key in it gives every value, by dotted key.
    """
    path = _file(tmp_path, re.sub(r",\n +", ", ", EVERY_KEY))

    assert EVERY_VALUE == settings.read(path)
    assert settings.KEYS.keys() == settings.read(path).keys()


def test_what_is_not_there_says_nothing(tmp_path: Path) -> None:
    """
    Without a file, or with an empty one, all defaults hold.
    """
    assert ({}, {}) == (settings.read(tmp_path / "absent"), settings.read(_file(tmp_path, "")))


@pytest.mark.parametrize(
    ("text", "named", "rule"),
    [
        ("control = 5", "control", "a table, [control]"),
        ("[brand]\nx = 1", "brand", "a text"),
        ('brand = "RTN"', "brand", "2 to 10 characters of a-z and 0-9"),
        ('brand = "r"', "brand", "2 to 10 characters"),
        ("brand = 5", "brand", "a text"),
        ('brnd = "rtn"', "brnd", "no such key; did you mean brand?"),
        ('organization = "acme"', "organization", "no such key"),
        ("[contrl]\nport = 5", "contrl", "no such key; did you mean control?"),
        ("[control]\nprot = 5", "control.prot", "no such key; did you mean control.port?"),
        ("[control]\nport = 0", "control.port", "a number from 1 to 65535"),
        ('[control]\nport = "80"', "control.port", "a number"),
        ("[control]\nport = true", "control.port", "a number"),
        ("[control]\nport = 80.5", "control.port", "a number"),
        ("[control.port]\nx = 1", "control.port", "a number"),
        ('[control]\nhost = "a b"', "control.host", "an address or a name"),
        ('[control]\nhosts = "r.example"', "control.hosts", "a list of texts"),
        ("[control]\nhosts = [5]", "control.hosts", "a list of texts"),
        ('[control]\nhosts = ["*"]', "control.hosts", "a host name such as"),
        ('[control]\nhosts = [".example"]', "control.hosts", "wildcard"),
        ('[control]\nhosts = ["https://r.example"]', "control.hosts", "without scheme"),
        ('[control]\norigins = ["r.example"]', "control.origins", "such as https://retinue.example"),
        ('[control]\nplain_http = "yes"', "control.plain_http", "true or false"),
        ('[control]\ntrusted_proxies = ["10.0.0.1/8"]', "control.trusted_proxies", "host bits set"),
        ("[node]\nworkers = 5", "node.workers", "no such key"),
        ("brand = ", "", "not TOML"),
        ("[control]\nport = 1\nport = 2", "", "not TOML"),
    ],
)
def test_mistake_in_the_file_is_one_line(tmp_path: Path, text: str, named: str, rule: str) -> None:
    """
    File, key and rule are named.
    """
    path = _file(tmp_path, text)
    with pytest.raises(SettingError) as caught:
        settings.read(path)

    assert str(caught.value).startswith(f"{path}: {named}")
    assert rule in str(caught.value)
    assert 1 == len(str(caught.value).splitlines())


def test_file_that_cannot_be_read(tmp_path: Path) -> None:
    """
    Something else in its place, or no text, is told with its path.
    """
    (tmp_path / "folder").mkdir()
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    with pytest.raises(SettingError, match="folder: Is a directory"):
        settings.read(tmp_path / "folder")
    with pytest.raises(SettingError, match="binary: not a text in UTF-8"):
        settings.read(tmp_path / "binary")


@pytest.mark.parametrize(
    ("variable", "value", "rule"),
    [
        ("RETINUE_DATABASE_URL", "postgresql://u:p@h:abc/db", "a number up to 65535"),
        ("RETINUE_DATABASE_URL", "postgresql://u:p@h:99999/db", "a number up to 65535"),
        ("RETINUE_DATABASE_URL", "postgresql://u:p@[h/db", "postgresql://user:password@host"),
        ("RETINUE_DATABASE_URL", "mysql://u:p@h/db", "postgresql:// or sqlite:///"),
        ("RETINUE_DATABASE_URL", "postgresql://u:p@h", "names no database"),
        ("RETINUE_DATABASE_URL", "sqlite://p.db", "three slashes"),
        ("RETINUE_DATABASE_URL", "sqlite:///", "three slashes"),
        ("RETINUE_HOSTS", "r.example *", "a host name such as"),
        ("RETINUE_PLAIN_HTTP", "maybe", "1 or 0"),
        ("RETINUE_TRUSTED_PROXIES", "everybody", "networks such as 10.0.0.0/8"),
    ],
)
def test_mistake_in_a_variable_is_one_line(tmp_path: Path, variable: str, value: str, rule: str) -> None:
    """
    The variable and the rule are named, and no password is repeated.
    """
    with pytest.raises(SettingError) as caught:
        Installation.from_environment({"RETINUE_HOME": str(tmp_path), variable: value})

    assert str(caught.value).startswith(f"{variable}: ")
    assert rule in str(caught.value)
    assert "u:p" not in str(caught.value)


@pytest.mark.parametrize("name", ["edge", "a", "edge-1.example", "0" * 63])
def test_name_of_a_node_is_the_same_on_both_sides(name: str) -> None:
    """
    What the control plane enrols a node may be told.
    """
    assert name == node_name(name) == node_settings({"RETINUE_NODE_NAME": name}).node_name


@pytest.mark.parametrize("name", ["A_b", "a_b", "Edge", "a" * 64, "-a", "a.", "a b", "é"])
def test_name_that_is_none_is_refused_on_both_sides(name: str) -> None:
    """
    What the control plane refuses ends the start of a node as well.
    """
    with pytest.raises(Refused):
        node_name(name)
    with pytest.raises(SettingError, match=r"^RETINUE_NODE_NAME: 1 to 63 characters"):
        node_settings({"RETINUE_NODE_NAME": name})


def test_page_of_single_sign_on_shows_settings_that_work(tmp_path: Path) -> None:
    """
    The block of the how-to is read as it stands; the client's secret is a private file in the home.
    """
    (block,) = [each for each in blocks(DOCS / "how-to" / "sign-in.md") if each.language == "toml"]
    found = Provider.from_settings({}, settings.read(_file(tmp_path, block.text)), tmp_path)
    secret = tmp_path / "oidc-secret"
    secret.touch(0o600)
    secret.write_text("hidden\n")

    assert found == Provider(
        "https://id.acme.example/realms/staff", "retinue", secret, "Acme ID", ("acme.example",), None
    )
    assert "hidden" == found.secret()
