"""The form of a new account: what it gives at once, what it says would follow, and what fills it in."""

from __future__ import annotations

from typing import Any

from retinue.server.access import actions as access
from retinue.server.access.models import Grant
from retinue.server.access.queries import effective, granted, roles_of
from retinue.server.directory.queries import Principal
from retinue.server.ledger.transaction import SYSTEM, transaction
from tests.console.browser import Browser
from tests.console.people import Person, colleague, set_policy


def _path(person: Person, rest: str = "accounts/new") -> str:
    return f"/o/{person.principal.organization.handle}/{rest}"


def test_account_gets_all_of_it_at_once(signed_in: Browser, person: Person) -> None:
    """
    Permissions of its own, a group and a role are there with the account; a permission that there is not makes
    nothing at all, and is told beside its field.
    """
    made = signed_in.fill(_path(person, "access/groups/new"), name="Data", roles=["auditor"])
    group = str(made["Location"]).rpartition("/")[2]
    given: dict[str, Any] = {"purpose": "a test", "owners": person.email, "justification": "agreed"}
    wrong = signed_in.fill(_path(person), name="etl", own_permissions="nothing:here", **given)
    before = Principal.objects.filter(organization=person.principal.organization, handle="etl").count()
    signed_in.fill(_path(person), name="etl", own_permissions="review:read", groups=[group], **given)
    account = Principal.objects.get(organization=person.principal.organization, handle="etl")

    assert 0 == before
    assert 'id="e-own_permissions" role="alert"' in wrong.content.decode()
    assert {"review:read", "audit_log:read"} <= effective(account)


def test_effect_is_said_before_anything_is_made(signed_in: Browser, person: Person) -> None:
    """
    The summary counts what it would hold, names what is no permission, and each rule as met or not.
    """
    set_policy(person, {"accounts.name_pattern": "[a-z]+-[a-z]+"})
    ask = _path(person, "accounts/new/effect?own_permissions=review:read,nothing:here&purpose=x")
    text = signed_in.text(f"{ask}&name=etl")
    right = signed_in.text(f"{ask}&name=etl-airflow&owners=a@b.example")

    assert "It will be able to use 1 permission:" in text
    assert "<code>nothing:here</code> is no permission here." in text
    assert "not met yet" in text
    assert "The name follows the convention." in right
    assert "not met yet" not in right


def test_address_fills_the_form_in(signed_in: Browser, person: Person) -> None:
    """
    Every field can stand in the address, so that a document can lead to a form that is filled in.
    """
    made = signed_in.fill(_path(person, "access/groups/new"), name="Data")
    group = str(made["Location"]).rpartition("/")[2]
    text = signed_in.text(
        _path(person) + "?name=etl&purpose=Loads&environment=prod&groups=Data&roles=auditor"
        "&own_permissions=review:read&key_name=airflow"
    )

    for part in (
        'value="etl"',
        "Loads</textarea>",
        'value="prod"',
        'value="airflow"',
        "review:read</textarea>",
    ):
        assert part in text
    assert f'name="groups" value="{group}" checked' in text
    # Enter presses the first button that sends the form: it makes one account, not one after another.
    form = text[text.index('id="account-form"') :]
    assert "another" not in form.partition("<button class")[2].partition(">")[0]
    assert 'name="roles" value="auditor" checked' in text


def test_a_draft_belongs_to_one_person(signed_in: Browser, person: Person) -> None:
    """
    Who signs in next in the same window finds no draft of somebody else: it would fill in permissions unseen.
    """
    other, browser = colleague(person, "grace", roles=("administrator",)), Browser()
    browser.sign_in(other.email, other.password)

    assert f'data-draft="account-{person.principal.id}"' in signed_in.text(_path(person))
    assert f'data-draft="account-{other.principal.id}"' in browser.text(_path(person))


def test_new_account_starts_from_a_role_or_an_account(signed_in: Browser, person: Person) -> None:
    """
    As a copy the permissions of a role become grants of the account's own; as a link the role itself is held;
    from nothing nothing is taken, whatever else the form says. What drifts from a copy is shown on its page.
    """
    organization, place = person.principal.organization_id, f"/o/{person.principal.organization.handle}"
    new = f"{place}/accounts/new"
    common = {"purpose": "x", "owners": person.email, "start_role": "auditor", "justification": "x"}
    signed_in.fill(new, name="copied", start="role", mode="copy", **common)
    signed_in.fill(new, name="linked", start="role", mode="link", **common)
    signed_in.fill(new, name="fresh", start="nothing", copy_from="linked", mode="copy", **common)
    signed_in.fill(new, name="same", start="account", copy_from="copied", mode="copy", **common)
    made = {each.handle: each for each in Principal.objects.filter(organization_id=organization)}
    own = granted([each.id for each in made.values()])
    roles = roles_of([each.id for each in made.values()])

    assert "audit_log:read" in own[made["copied"].id]
    assert [] == roles[made["copied"].id]
    assert ["auditor"] == roles[made["linked"].id]
    assert not own.get(made["linked"].id)
    assert not own.get(made["fresh"].id)
    assert not roles[made["fresh"].id]
    assert set(own[made["copied"].id]) == set(own[made["same"].id])

    drift = f"{place}/accounts/{made['same'].id}/drift"
    before = signed_in.text(drift)
    with transaction(SYSTEM, reason="test") as tx:
        held = Grant.objects.get(subject=made["copied"].id, permission="audit_log:read")
        access.delete_grant(tx, made["copied"], held.id)
    after = signed_in.text(drift)

    assert "differ from it now" not in before
    assert "Only here:" in after
    assert "audit_log:read" in after
