"""Ingest tokens in the console: only where the policy knows them, bound to paths, rotated, revoked."""

from __future__ import annotations

import re

from retinue.server.credentials.queries import Credential
from tests.console.browser import Browser
from tests.console.people import Person, make_person, set_policy


def _path(person: Person, rest: str = "") -> str:
    return f"/o/{person.principal.organization.handle}/credentials/ingest{rest}"


def _issued(browser: Browser, person: Person) -> Credential:
    set_policy(person, {"ingest.enabled": True})
    shown = browser.fill(_path(person, "/new"), key_name="web", endpoints="/events/*", expires="30d")
    text = shown.content.decode()
    assert "Copy this token now. It is shown once." in text, text
    assert "It can never read, manage anything, or sign in." in text
    return Credential.objects.get(organization=person.principal.organization, kind="ing")


def test_pages_are_there_where_the_policy_knows_them(signed_in: Browser, person: Person) -> None:
    """
    Without `ingest.enabled` there is neither tab nor page; with it there are both, and the words what they are.
    """
    credentials = f"/o/{person.principal.organization.handle}/credentials"
    before, found = signed_in.text(credentials), signed_in.get(_path(person)).status_code
    _issued(signed_in, person)

    assert ("/credentials/ingest" in before, found) == (False, 404)
    assert "/credentials/ingest" in signed_in.text(credentials)
    assert "An ingest token can never read, manage anything, or sign in." in signed_in.text(_path(person))


def test_token_is_rotated_with_an_overlap_and_revoked(signed_in: Browser, person: Person) -> None:
    """
    The old token works beside the new one for the overlap; revoked, a token says so, and since when.
    """
    first = _issued(signed_in, person)
    rotated = signed_in.fill(_path(person, f"/{first.id}/do/rotate"), overlap="1h")
    second = Credential.objects.get(
        organization=person.principal.organization, kind="ing", rotated_from=first.id
    )
    listed = signed_in.text(_path(person))
    revoked = signed_in.fill(_path(person, f"/{second.id}/do/revoke"), cause="no_longer_needed")

    assert 200 == rotated.status_code
    assert ["Never used", "Retiring"] == re.findall(
        r'<span class="badge[^>]*>.*?</svg>([A-Z][a-z ]+)</span>', listed
    )
    assert '<code class="block anywhere">/events/*</code>' in listed
    assert 303 == revoked.status_code
    assert "Holds since" in signed_in.text(_path(person))
    assert "revoked" == Credential.objects.get(id=second.id).state


def test_wrong_path_is_told_beside_its_field(signed_in: Browser, person: Person) -> None:
    """
    Without a path, or with one that is none, nothing is issued.
    """
    set_policy(person, {"ingest.enabled": True})
    for endpoints in ("", "events"):
        refused = signed_in.fill(_path(person, "/new"), key_name="web", endpoints=endpoints, expires="30d")
        assert refused.status_code >= 400
        assert 'id="e-endpoints" role="alert"' in refused.content.decode()
    assert "None yet." in signed_in.text(_path(person))


def test_token_of_another_organization_is_not_found(signed_in: Browser, person: Person) -> None:
    """
    The address of a foreign token leads nowhere.
    """
    set_policy(person, {"ingest.enabled": True})
    other, theirs = make_person(), Browser()
    theirs.sign_in(other.email, other.password)
    foreign = _issued(theirs, other)

    assert 404 == signed_in.get(_path(person, f"/{foreign.id}/do/revoke")).status_code
