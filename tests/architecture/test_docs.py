"""The documents tell the truth about the code: what can be checked is checked."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from retinue.cli.app import app
from retinue.server.access.catalogue import INSTALLATION, MANAGEMENT
from retinue.server.console.problems import explained
from retinue.server.governance.rules import KINDS as FINDINGS
from retinue.server.home import prepare
from retinue.server.ledger.catalogue import EVENTS
from retinue.server.policies.enforced import is_enforced
from retinue.server.policies.keys import KEYS as POLICY_KEYS
from retinue.server.policies.keys import Key
from retinue.server.policies.keys import members as members_of
from retinue.server.policies.policy import NATIVE
from retinue.settings import KEYS, read
from tests.architecture import reference

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def _reference(name: str) -> str:
    return (ROOT / "docs" / "reference" / name).read_text()


def _code() -> str:
    return "\n".join(file.read_text() for file in sorted((ROOT / "src").rglob("*.py")))


@pytest.mark.parametrize(("name", "is_denial"), [("reasons.md", True), ("problems.md", False)])
def test_codes_are_explained_as_on_the_control_plane(name: str, is_denial: bool) -> None:
    """
    The pages of reasons and problems say of each code, in order, what its page /docs/errors/<code> says.
    RETINUE_TEST_SNAPSHOT=write writes them anew.
    """
    head, line, _ = _reference(name).partition("|---|---|---|---|\n")
    rows = [
        f"| `{each.code}` | {each.status} | {each.cause} | {each.fix} |"
        for each in explained().values()
        if each.is_denial == is_denial
    ]
    text = head + line + "\n".join(rows) + "\n"
    if os.environ.get("RETINUE_TEST_SNAPSHOT") == "write":
        (ROOT / "docs" / "reference" / name).write_text(text)

    assert text == _reference(name)


def test_every_audit_event_is_documented() -> None:
    """
    The page of audit events says of each event, in order, what the catalogue says. RETINUE_TEST_SNAPSHOT=write writes
    it anew.
    """
    head, line, _ = _reference("audit-events.md").partition("|---|---|---|---|\n")
    rows = [
        f"| `{each.name}` | {each.subject} | {'no' if each.additive else 'yes'} | {each.meaning} |"
        for each in EVENTS.values()
    ]

    assert [] == [each.name for each in EVENTS.values() if not each.meaning]
    assert _written("audit-events.md", head + line + "\n".join(rows) + "\n") == _reference("audit-events.md")


def test_every_kind_of_finding_is_documented() -> None:
    """
    The page of findings says of each kind, in order, what it is about, how bad it is, and what it means.
    """
    listed = re.findall(
        r"^\| `(\w+)` \| ([\w ]+) \| (\w+) \| ([\w ]+) \| (.+) \|$", _reference("findings.md"), re.MULTILINE
    )

    assert listed
    assert listed == [
        (each.name, each.subject.replace("_", " "), each.severity, each.act, each.meaning)
        for each in FINDINGS.values()
    ]


def test_every_setting_is_documented() -> None:
    """
    Each RETINUE_ variable that the code reads begins a row of the page of settings that says what it means, and no
    other does.
    """
    # A header field reaches the control plane as HTTP_RETINUE_...: no variable.
    named = re.compile(r"(?<![A-Z_])RETINUE_[A-Z_]*[A-Z]")
    rows = re.findall(
        r"^\| (`RETINUE_[^|]+)\|(?:.*\|)? *[^|]*\w[^|]*\|$", _reference("settings.md"), re.MULTILINE
    )

    assert set(named.findall(_code())) == set(named.findall(" ".join(rows)))


def test_every_key_of_the_file_is_documented() -> None:
    """
    The page of settings names each key that retinue.toml may have, in order, with its value, and no other.
    """
    section = _reference("settings.md").partition("## The file `retinue.toml`")[2].partition("\n## ")[0]
    listed = re.findall(r"^\| `([a-z_.]+)` \|[^|]*\|[^|]*\w[^|]*\|", section, re.MULTILINE)

    assert list(KEYS) == listed


def test_file_that_init_writes_is_accepted(tmp_path: Path) -> None:
    """
    Every key in the first retinue.toml is known, and so is the one that is shown as a comment.
    """
    prepare(tmp_path, tmp_path / "pepper", tmp_path / "ledger-key")
    path = tmp_path / "retinue.toml"
    path.write_text(path.read_text().replace("# trusted_proxies", "trusted_proxies"))

    assert {"brand", "control.trusted_proxies", "node.port"} <= read(path).keys()


def test_every_permission_is_documented() -> None:
    """
    The page of permissions names each permission that guards Retinue itself, and no other, and says what it allows: all
    operations that need it. RETINUE_TEST_SNAPSHOT=write writes that anew.
    """
    page, line, _ = _reference("permissions.md").partition(
        "| permission | allows to | also |\n|---|---|---|\n"
    )
    listed = re.findall(r"`([a-z_]+:[a-z_]+)`", page)
    document = json.loads((ROOT / "tests/api/snapshots/openapi.json").read_text())
    rows = reference.allowed(document)

    assert sorted(MANAGEMENT) == sorted(listed)
    assert [] == re.findall(r"^\| `\S+` \|  \|  \|$", rows, re.MULTILINE)
    assert _written("permissions.md", page + line + rows) == _reference("permissions.md")


def test_permissions_of_the_installation_are_marked() -> None:
    """
    The page of permissions marks exactly those that operators hold and no role.
    """
    page = _reference("permissions.md").partition("\n## ")[0]
    rows = re.findall(r"^\|.*\|(.*)\|$", page, re.MULTILINE)
    marked = {name for row in rows for name in re.findall(r"`([a-z_]+:[a-z_]+)`", row)}

    assert INSTALLATION == marked


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document: Path) -> None:
    """
    Every relative link in a document leads to a file that exists.
    """
    targets = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", document.read_text())
    dead = [target for target in targets if not (document.parent / target).exists()]

    assert [] == dead


def test_every_policy_key_is_documented() -> None:
    """
    The page of policy keys says of each key, in order, what the registry says. RETINUE_TEST_SNAPSHOT=write
    writes it anew.
    """
    head, line, _ = _reference("policy-keys.md").partition("|---|---|---|---|\n")
    text = head + line + "\n".join(_policy_row(key) for key in POLICY_KEYS.values()) + "\n"
    if os.environ.get("RETINUE_TEST_SNAPSHOT") == "write":
        (ROOT / "docs" / "reference" / "policy-keys.md").write_text(text)

    assert text == _reference("policy-keys.md")


def test_every_command_is_documented() -> None:
    """
    The page of commands is what the program says of itself: each command with its flags, and each of them says what
    it does. RETINUE_TEST_SNAPSHOT=write writes it anew.
    """
    assert [] == reference.undescribed(app)

    assert _written("cli.md", reference.cli(app)) == _reference("cli.md")


def test_every_operation_is_documented() -> None:
    """
    The pages of the HTTP API have each operation of the OpenAPI document that is reviewed, with its permission, and
    each object; every parameter and every field says what it means. RETINUE_TEST_SNAPSHOT=write writes them anew.
    """
    document = json.loads((ROOT / "tests/api/snapshots/openapi.json").read_text())

    assert [] == reference.unsaid(document)
    assert _written("api.md", reference.api(document)) == _reference("api.md")
    assert _written("objects.md", reference.objects(document)) == _reference("objects.md")


def _written(name: str, text: str) -> str:
    """Return ``text``, after it was written into the reference if that is asked for."""
    if os.environ.get("RETINUE_TEST_SNAPSHOT") == "write":
        (ROOT / "docs" / "reference" / name).write_text(text)
    return text


def _policy_row(key: Key) -> str:
    default = json.dumps(key.type.write(getattr(NATIVE, key.field)))
    later = "" if is_enforced(key.name) else " *Not available yet.*"
    members = [name for name in members_of(key) if is_enforced(key.name, name)]
    if later and members:
        later = f" *Not available yet, but for {', '.join(members)}.*"
    cells = (f"`{key.name}`", f"`{default}`", key.type.allowed, key.meaning + later)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
