"""Every operation by every kind of principal, on their own organization and on another one."""

from __future__ import annotations

import pytest
from django.http import HttpRequest

from retinue.server.api import (
    guard,
    routes,  # noqa: F401  (fills the table)
)
from retinue.server.api.call import Call
from retinue.server.api.operations import OPERATIONS, Operation
from retinue.server.credentials import queries as credentials
from retinue.server.ledger.models import AuditEvent
from retinue.server.nodes.models import Lease
from tests.api import epoch_cases
from tests.api.world import Answer, Caller, World
from tests.authorization import truth
from tests.authorization.people import Cast
from tests.authorization.specimens import SPECIMENS
from tests.authorization.truth import NODE, PUBLIC, SELF

STATUS = {"token_missing": 401, "token_unknown": 401, "kind_not_accepted": 403, "permission_missing": 403}
#: Objects of the installation, which operators of every organization see; and what each organization numbers.
SHARED = {
    "get_node", "remove_node", "get_probe", "get_policy_version", "get_organization", "enable_organization",
    "disable_organization", "invite_administrator", "get_epoch", "skip_journals",
    "list_lost",
    # The log is the installation's, and holds salted digests alone.
    "get_audit_log_consistency", "list_audit_log_entries",
}  # fmt: skip
#: A call of these that is valid would leave no organization for the other cases.
ENDS_THE_CAST = {"delete_own_organization", "compromise_organization"}
BY_NAME = {each.name: each for each in OPERATIONS}


@pytest.fixture(autouse=True)
def nobody_waits(cast: Cast) -> None:
    """No change waits for the node that has polled in another test."""
    Lease.objects.filter(node__name__startswith="node-").delete()
    epoch_cases.settle()


def _is_done(answer: Answer, each: Operation, needs: str) -> bool:
    """Whether the caller was let in and the operation did what it is for; some are only let in."""
    is_only_let_in = needs == NODE or each.name in ENDS_THE_CAST or each.name.startswith("approve_")
    return answer.status not in (401, 403) if is_only_let_in else answer.status == each.status


def _is_account(caller: Caller) -> bool:
    return caller.principal is not None and caller.principal.kind == "service_account"


def _changes(world: World) -> str | None:
    """Return the latest change that there was in an organization: another one, if there was one since."""
    events = AuditEvent.objects.filter(organization=world.organization.id)
    events = events.exclude(type__in=["change.refused", "receipt.completed"]).order_by("-revision", "-n")
    return events.values_list("id", flat=True).first()


def _call(caller: Caller, each: Operation, path: str, body: object) -> Answer:
    return caller.call(each.method, path, body, headers={"prefer": "wait=0"})


def test_every_operation_is_in_the_matrix() -> None:
    """
    Whoever adds an operation says here too who may use it, and makes a call of it that is valid.
    """
    assert set(BY_NAME) == set(truth.NEEDS) == set(SPECIMENS)


@pytest.mark.parametrize("name", sorted(truth.NEEDS))
def test_own_organization(cast: Cast, name: str) -> None:
    """
    On an object of their own organization everybody gets exactly what the model says: the operation is done, or
    it is refused for the one reason, with the permission that is missing, and nothing has changed.
    """
    each, needs = BY_NAME[name], truth.NEEDS[name]
    untouched = SPECIMENS[name](cast.here, cast.here.owner)
    for who, caller in cast.callers.items():
        made = SPECIMENS[name](cast.here, caller) if truth.judge(who, name) == "may" else untouched
        events = _changes(cast.here)
        answer = _call(caller, each, made.path, made.body)
        expected = truth.judge(who, name)
        if needs == SELF and "_my_" in name and each.parameters and _is_account(caller):
            expected = "not_found"  # personal tokens belong to people
        if expected == "may":
            assert _is_done(answer, each, needs), f"{who}: {answer.status} {answer.text}"
            continue
        assert (STATUS.get(expected, 404), expected) == (answer.status, answer.code), who
        assert events == _changes(cast.here), who
        if expected == "permission_missing":
            missing = [one for one in needs.split() if one not in truth.held(who)]
            assert answer.json["required"][0] in missing, who
            assert 'error="insufficient_scope"' in answer.headers["www-authenticate"]
        if expected == "token_missing":
            assert answer.headers["www-authenticate"] == 'Bearer realm="retinue"'


@pytest.mark.parametrize("name", sorted(name for name, each in BY_NAME.items() if each.parameters))
def test_other_organization(cast: Cast, name: str) -> None:
    """
    An object of another organization does not exist for anybody: who lacks the permission hears the same as at
    home, who holds it hears the same as for an id that nobody has, and nothing happens there.
    """
    if name in SHARED:
        return
    each, made = BY_NAME[name], SPECIMENS[name](cast.there, cast.there.owner)
    for who, caller in cast.callers.items():
        events = _changes(cast.there)
        answer = _call(caller, each, made.path, made.body)
        expected = truth.judge(who, name)
        expected = "not_found" if expected == "may" else expected
        assert (STATUS.get(expected, 404), expected) == (answer.status, answer.code), f"{who}: {answer.text}"
        assert events == _changes(cast.there), who


@pytest.mark.parametrize(
    "name", sorted(name for name, each in BY_NAME.items() if truth.NEEDS.get(name) not in (PUBLIC, NODE))
)
def test_naming_another_organization(cast: Cast, name: str) -> None:
    """
    A call that says it is meant for another organization is not answered with that one's objects, nor with the
    caller's own. What concerns the installation as a whole, operators do under any name.
    """
    each, made = BY_NAME[name], SPECIMENS[name](cast.there, cast.there.owner)
    of_installation = truth.OPERATORS.issuperset(truth.NEEDS[name].split())
    for who, caller in cast.callers.items():
        if truth.judge(who, name) != "may":
            continue
        headers = {"Retinue-Organization": cast.there.organization.handle, "prefer": "wait=0"}
        answer = caller.call(each.method, made.path, made.body, headers=headers)
        refused = (404, "organization_not_found")
        expected = (each.status, "") if of_installation else refused
        assert expected == (answer.status, answer.code), who


def test_matrix_sees_an_open_door(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Negative control: where the guard asks for no permission, and where objects of others are found, the matrix
    says so.
    """
    admit = guard.admit

    def open_door(request: HttpRequest, operation: str, needs: object, **given: bool) -> Call:
        return admit(request, operation, () if isinstance(needs, tuple) else needs, **given)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(guard, "admit", open_door)
        with pytest.raises(AssertionError):
            test_own_organization(cast, "list_keys")
    with monkeypatch.context() as patch:
        patch.setattr(credentials, "key", lambda _, ident, **__: credentials.Credential.objects.get(id=ident))
        with pytest.raises(AssertionError):
            test_other_organization(cast, "get_key")
    test_own_organization(cast, "list_keys")
    test_other_organization(cast, "get_key")
