"""Policies and access reviews in the console."""

from __future__ import annotations

import re
from typing import Any

from retinue.server.directory.queries import Principal
from retinue.server.policies.queries import policy_of
from tests.console.browser import Browser
from tests.console.people import Person, account_of, colleague


def _path(person: Person, rest: str) -> str:
    return f"/o/{person.principal.organization.handle}/{rest}"


def _change(browser: Browser, person: Person, **fields: str) -> Any:
    return browser.fill(_path(person, "policies"), to=_path(person, "policies/change"), **fields)


def test_policy_is_tried_before_it_is_in_force(signed_in: Browser, person: Person) -> None:
    """
    A change shows what it does and changes nothing; sent again with the consent it is in force, as a version.
    """
    wanted = {"key": "idle.days", "value": "30", "version": "1"}
    tried = _change(signed_in, person, **wanted).content.decode()
    before = policy_of(person.principal.organization_id).idle_days
    done = _change(signed_in, person, sure="yes", accept="0", reason="shorter", **wanted)
    text = signed_in.text(_path(person, "policies"))

    assert '<del>90 days</del> → <ins class="strong">30 days</ins>' in tried
    assert 90 == before
    assert 303 == done.status_code
    assert 30 == policy_of(person.principal.organization_id).idle_days
    assert "Version 2 is in force." in text
    assert "set here" in text


def test_key_is_given_back_to_the_preset(signed_in: Browser, person: Person) -> None:
    """
    What the organization had said is unsaid, and the preset decides again.
    """
    _change(signed_in, person, sure="yes", key="idle.days", value="30", version="1")
    _change(signed_in, person, sure="yes", key="idle.days", unset="yes", version="2")

    assert 90 == policy_of(person.principal.organization_id).idle_days
    assert "set here" not in signed_in.text(_path(person, "policies"))


def test_policy_that_somebody_else_changed_is_not_overwritten(signed_in: Browser, person: Person) -> None:
    """
    A change of a version that is not the present one is refused, and the page says so.
    """
    _change(signed_in, person, sure="yes", key="idle.days", value="30", version="1")
    late = _change(signed_in, person, sure="yes", key="idle.days", value="60", version="1")

    assert 422 == late.status_code
    assert 'role="alert"' in late.content.decode()
    assert 30 == policy_of(person.principal.organization_id).idle_days


def test_value_that_is_not_allowed_is_refused(signed_in: Browser, person: Person) -> None:
    """
    The page says which value the key takes; nothing is in force.
    """
    refused = _change(signed_in, person, key="idle.days", value="soon", version="1")

    assert 422 == refused.status_code
    assert "idle.days" in refused.content.decode()
    assert "Put it in force" not in refused.content.decode()


def test_who_may_only_read_sees_the_policy_and_cannot_change_it(browser: Browser, person: Person) -> None:
    """
    An auditor sees every value and no form; a form sent all the same changes nothing.
    """
    auditor = colleague(person, "grace", roles=("auditor",))
    browser.sign_in(auditor.email, auditor.password)
    text = browser.text(_path(person, "policies"))
    _change(browser, person, sure="yes", key="idle.days", value="30", version="1")

    assert "You need policy:update" in text
    assert "/policies/keys/" not in text
    assert 90 == policy_of(person.principal.organization_id).idle_days


def _open(browser: Browser, person: Person) -> str:
    answer = browser.fill(_path(person, "reviews/new"), name="Q4", template="full", due_days="14")
    return str(answer["Location"])


def test_review_is_opened_decided_and_carried_out(signed_in: Browser, person: Person) -> None:
    """
    A decision changes nothing until the review is carried out; then the account is disabled. Until then it is
    taken back by the toast, or where it was made, whatever its note.
    """
    account = account_of(person, "etl")
    review = _open(signed_in, person)
    action = re.search(r'action="([^"]+/decide)"', signed_in.text(review))
    assert action is not None
    signed_in.fill(review, to=action[1], decision="disable", note="not needed")
    before = Principal.objects.get(id=account.id).state
    decided = signed_in.text(review)
    signed_in.fill(review, to=action[1], decision="undecided", note="not needed")
    undone = signed_in.text(review)
    signed_in.fill(review, to=action[1], decision="disable", note="not needed")
    signed_in.text(review)
    signed_in.fill(review, to=f"{review}/apply")

    assert "1 of 1 decided" in decided
    assert "“not needed”" in decided
    toast = decided[decided.index("data-toast") :].partition("</form>")[0]
    assert f'action="{action[1]}"' in toast
    assert 'name="decision" value="undecided"' in toast
    assert 'value="undecided"' in decided[decided.index("Decide otherwise") :]
    assert "0 of 1 decided" in undone
    assert "etl waits for a decision again." in undone
    assert "“not needed”" not in undone
    assert "Decide otherwise" not in undone
    assert "enabled" == before
    assert "disabled" == Principal.objects.get(id=account.id).state
    assert "Carried out" in signed_in.text(_path(person, "reviews"))


def test_review_without_a_name_comes_back(signed_in: Browser, person: Person) -> None:
    """
    What is wrong stands at its field, and no review is opened.
    """
    refused = signed_in.fill(_path(person, "reviews/new"), name="", due_days="14")

    assert refused.status_code >= 400
    assert 'id="e-name" role="alert"' in refused.content.decode()
    assert "No review yet." in signed_in.text(_path(person, "reviews"))
