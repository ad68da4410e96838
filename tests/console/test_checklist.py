"""The checklist of the home page ticks by what was really done, for whom it is shown, and stays away once put away."""

from __future__ import annotations

import re
from datetime import timedelta

from django.utils import timezone

from retinue import steps as marks
from retinue.decision import Reason
from retinue.server.access import actions as access
from retinue.server.access.queries import Grant
from retinue.server.console.models import Checklist
from retinue.server.credentials import actions as credentials
from retinue.server.credentials import rotation
from retinue.server.credentials.queries import Credential
from retinue.server.directory import actions as directory
from retinue.server.directory.queries import Principal
from retinue.server.directory.rules import AccountFields
from retinue.server.ledger.catalogue import EVENTS
from retinue.server.ledger.transaction import SYSTEM, Actor, transaction
from retinue.server.traffic.checklist import steps
from retinue.server.traffic.models import Request
from retinue.steps import STEPS
from tests.console.browser import Browser
from tests.console.people import Person, make_person
from tests.server_support.hours import recount


def _by(person: Person) -> Actor:
    who = person.principal
    return Actor("user", who.id, who.name, who.organization_id)


def _account(person: Person, actor: Actor) -> Principal:
    with transaction(actor, reason="test") as tx:
        fields = AccountFields(name="etl", purpose="a test", owners=(person.principal.id,))
        return directory.create_service_account(tx, person.principal.organization_id, fields)


def _key(account: Principal, actor: Actor, name: str = "k1") -> Credential:
    with transaction(actor, reason="test") as tx:
        return credentials.issue(tx, account, name=name).credential


def _grant(account: Principal, actor: Actor) -> Grant:
    with transaction(actor, reason="test") as tx:
        return access.grant(tx, account, "review:read", "test")


def _asked(account: Principal, key: Credential, reason: str = "") -> None:
    """Let a decision about a key be in the request log."""
    Request.objects.create(
        at=timezone.now(), organization=account.organization_id, account=account.id, account_kind="service_account",
        credential=key.id, allowed=not reason, reason=reason, permission="review:read", node="n1",
    )  # fmt: skip
    recount()


def _ticked(browser: Browser) -> list[str]:
    """Return the steps that the home page shows as done."""
    page = browser.text("/")
    assert 'id="checklist"' in page
    return re.findall(r'class="check check-done" data-step="(\w+)"', page)


def test_steps_name_what_there_is() -> None:
    """
    Console and demo tick by events that the catalogue has and by reasons that a decision can have.
    """
    events = {marks.CREATED, marks.ISSUED, marks.ROTATED, marks.REVOKED, *marks.TAKEN_AWAY}

    assert set() == events - EVENTS.keys()
    assert {marks.MISSING, marks.ENDED} <= {str(each.value) for each in Reason}


def test_each_step_ticks_when_it_was_done(signed_in: Browser, person: Person) -> None:
    """
    Nothing is ticked at the start; each of the seven ticks by its event and its line in the request log, not earlier;
    after the last one the checklist is gone.
    """
    me = _by(person)
    at = {"start": _ticked(signed_in)}
    account = _account(person, me)
    at["account"] = _ticked(signed_in)
    grant, key, other = _grant(account, me), _key(account, me), _key(account, me, "k2")
    at["key"] = _ticked(signed_in)
    _asked(account, key, "permission_missing")
    at["denied before"] = _ticked(signed_in)
    _asked(account, key)
    at["call"] = _ticked(signed_in)
    with transaction(me) as tx:
        access.delete_grant(tx, account, grant.id)
    at["taken"] = _ticked(signed_in)
    _asked(account, key, "permission_missing")
    at["missing"] = _ticked(signed_in)
    with transaction(me) as tx:
        rotation.rotate(tx, other, overlap_seconds=0)
    at["replaced at once"] = _ticked(signed_in)
    with transaction(me) as tx:
        successor = rotation.rotate(tx, key, overlap_seconds=60).credential
    at["rotate"] = _ticked(signed_in)
    with transaction(me) as tx:
        credentials.revoke(tx, successor)
    at["revoked"] = _ticked(signed_in)
    _asked(account, successor, "credential_revoked")

    names = list(STEPS)
    assert {
        "start": [],
        "account": names[:1],
        "key": names[:2],
        "denied before": names[:2],
        "call": names[:4],
        "taken": names[:4],
        "missing": names[:5],
        "replaced at once": names[:5],
        "rotate": names[:6],
        "revoked": names[:6],
    } == at
    assert 'id="checklist"' not in signed_in.text("/")


def test_what_others_did_ticks_nothing(signed_in: Browser, person: Person) -> None:
    """
    Another organization, the system itself, what was before the first sign-in, and a program whose key was there before
    tick nothing.
    """
    other = make_person()
    for whose, actor in ((other, _by(other)), (person, SYSTEM)):
        account = _account(whose, actor)
        _asked(account, _key(account, actor))
    key = _key(account, SYSTEM, "k2")
    with transaction(SYSTEM) as tx:
        rotation.rotate(tx, key, overlap_seconds=60)

    assert [] == _ticked(signed_in)
    _key(account, _by(person), "k3")
    assert "key" in _ticked(signed_in)
    assert not any(each.is_done for each in steps(account.organization_id, timezone.now()))
    Checklist.objects.filter(person=person.principal.id).update(began_at=timezone.now())
    assert [] == _ticked(signed_in)


def test_put_away_it_stays_away_for_this_person(signed_in: Browser, person: Person) -> None:
    """
    Put away it is gone in every browser of this person, after another sign-in too, and others still have theirs.
    """
    answer = signed_in.fill("/", "/me/checklist/put-away")
    elsewhere = Browser()
    elsewhere.sign_in(person.email, person.password)
    other = make_person()
    theirs = Browser()
    theirs.sign_in(other.email, other.password)

    assert (303, "/") == (answer.status_code, answer["Location"])
    assert 'id="checklist"' not in signed_in.text("/")
    assert 'id="checklist"' not in elsewhere.text("/")
    assert [] == _ticked(theirs)


def test_it_ends_after_a_month_and_needs_both_logs(signed_in: Browser, person: Person) -> None:
    """
    Who began 30 days ago is not shown it any more; who may not read the two logs is never shown it.
    """
    assert [] == _ticked(signed_in)
    Checklist.objects.filter(person=person.principal.id).update(
        began_at=timezone.now() - timedelta(days=30, seconds=1)
    )
    member = make_person(roles=("member",))
    theirs = Browser()
    theirs.sign_in(member.email, member.password)

    assert 'id="checklist"' not in signed_in.text("/")
    assert 'id="checklist"' not in theirs.text("/")
