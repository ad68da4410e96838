"""Delete and restore through the console: what comes back, what stays dead, and what is refused."""

from __future__ import annotations

import re
import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

from retinue.server.credentials import actions as credentials
from retinue.server.credentials.queries import Credential
from retinue.server.directory.queries import Principal
from retinue.server.ledger.transaction import SYSTEM, transaction
from retinue.server.traffic import actions as traffic
from retinue.server.traffic.rules import Entry
from tests.console.browser import Browser
from tests.console.people import Person, account_of, make_person, set_policy


def _path(person: Person, *parts: str) -> str:
    return "/".join((f"/o/{person.principal.organization.handle}", *parts))


def _issue(account: Principal, name: str = "prod") -> Any:
    with transaction(SYSTEM, reason="test") as tx:
        return credentials.issue(tx, account, name=name)


def _use(account: Principal, key: Credential) -> None:
    """Let the key have been used a minute ago."""
    at = datetime.now(UTC) - timedelta(minutes=1)
    used = Entry(
        at_ms=int(at.timestamp() * 1000),
        organization=account.organization_id,
        account=account.id,
        account_name=account.name,
        account_kind="service_account",
        credential_id=key.id,
        allowed=True,
        reason=None,
        permission="report:read",
        method="GET",
        path="/reports",
        address="10.0.0.1",
        client="curl/8",
        revision=1,
        duration_us=40,
    )
    traffic.ingest("node-a", secrets.token_hex(8), 0, [used])


def _verdict(browser: Browser, person: Person, token: str) -> str:
    """Return what the console's own test says of a token: accepted, or the reason why not."""
    page = browser.fill(_path(person, "accounts"), to=_path(person, "test-token"), token=token)
    said = re.search(r"(Accepted|Denied): *(?:<\w+>)?([\w.-]+)", page.content.decode())
    assert said is not None, page.content.decode()
    return "accepted" if said[1] == "Accepted" else said[2]


def _listed(browser: Browser, person: Person, view: str, account: Principal) -> bool:
    return account.id in browser.text(_path(person, f"accounts?view={view}"))


def _delete(browser: Browser, person: Person, account: Principal) -> Any:
    path = _path(person, "accounts", account.id, "do/delete")
    return browser.fill(path, typed=account.name, reason="left over")


def test_deleted_account_comes_back_disabled_and_its_keys_stay_dead(
    signed_in: Browser, person: Person
) -> None:
    """
    A deleted account leaves the list for the view of deleted ones, which offers to restore it. Restored it is
    disabled and without keys; enabled again, its old tokens are still denied, and a new key works.
    """
    account = account_of(person, "etl-restored")
    old = _issue(account).token.reveal()
    path = _path(person, "accounts", account.id)
    before = _verdict(signed_in, person, old)
    deleted = _delete(signed_in, person, account)
    shown = [_listed(signed_in, person, view, account) for view in ("all", "deleted")]
    page = signed_in.text(path)
    restored = signed_in.fill(f"{path}/do/restore", reason="needed after all")
    after = signed_in.text(path)
    state = Principal.objects.get(id=account.id).state
    signed_in.fill(f"{path}/do/enable")
    newer = _issue(account, "next").token.reveal()

    assert ("accepted", 303, 303) == (before, deleted.status_code, restored.status_code)
    assert [False, True] == shown
    assert "This account is deleted. It can be restored for" in page
    assert "etl-restored is restored. It is disabled, and has no credentials." in after
    assert "disabled" == state
    assert "credential_revoked" == _verdict(signed_in, person, old)
    assert "accepted" == _verdict(signed_in, person, newer)


def test_account_that_was_used_of_late_is_deleted_only_by_its_name(
    signed_in: Browser, person: Person
) -> None:
    """
    Without the name, or with another one, an account that was used of late is not deleted, and its key goes on
    working. With the name it is.
    """
    account = account_of(person, "etl-typed")
    issued = _issue(account)
    token = issued.token.reveal()
    _use(account, issued.credential)
    path = _path(person, "accounts", account.id, "do/delete")
    answers = [signed_in.fill(path, typed=typed).status_code for typed in ("", "etl-typo")]
    state, verdict = Principal.objects.get(id=account.id).state, _verdict(signed_in, person, token)

    assert ([422, 422], "enabled", "accepted") == (answers, state, verdict)
    assert 303 == _delete(signed_in, person, account).status_code
    assert "deleted" == Principal.objects.get(id=account.id).state


def test_account_is_restored_only_within_the_time_of_the_policy(signed_in: Browser, person: Person) -> None:
    """
    Where the policy allows no days to restore, the page says why not, and the account stays deleted. So does one
    that was never deleted stay as it is.
    """
    account, other = account_of(person, "etl-late"), account_of(person, "etl-alive")
    _delete(signed_in, person, account)
    set_policy(person, {"accounts.restore_days": 0})
    late = signed_in.fill(_path(person, "accounts", account.id, "do/restore"))
    alive = signed_in.fill(_path(person, "accounts", other.id, "do/restore"))

    assert [409, 409] == [each.status_code for each in (late, alive)]
    assert ["deleted", "enabled"] == [Principal.objects.get(id=each.id).state for each in (account, other)]


def test_revoked_key_is_restored_with_the_same_token(signed_in: Browser, person: Person) -> None:
    """
    A key that was revoked because it is no longer needed is offered for restoring in its row; then the same token
    is accepted again. A deleted one leaves the list of keys, and does not come back.
    """
    account = account_of(person, "etl-key")
    issued = _issue(account)
    token, key = issued.token.reveal(), issued.credential
    path, tab = _path(person, "keys", key.id, "do"), _path(person, "accounts", account.id, "keys")
    signed_in.fill(f"{path}/revoke", cause="no_longer_needed")
    revoked, offered = _verdict(signed_in, person, token), f"{path}/restore" in signed_in.text(tab)
    restored = signed_in.fill(f"{path}/restore", reason="needed after all")
    said, again = signed_in.text(tab), _verdict(signed_in, person, token)
    signed_in.fill(f"{path}/revoke", cause="no_longer_needed")
    signed_in.fill(f"{path}/delete", typed=key.name)
    listed, back = signed_in.text(tab), signed_in.fill(f"{path}/restore")

    assert ("credential_revoked", True) == (revoked, offered)
    assert (303, "accepted") == (restored.status_code, again)
    assert f"{key.name} is restored." in said
    assert f"{path}/restore" not in listed
    assert 409 == back.status_code
    assert "accepted" != _verdict(signed_in, person, token)


def test_compromised_key_is_never_restored(signed_in: Browser, person: Person) -> None:
    """
    What was revoked as compromised stays so: restoring it is refused, and its token stays denied.
    """
    issued = _issue(account_of(person, "etl-leaked"))
    path = _path(person, "keys", issued.credential.id, "do")
    signed_in.fill(f"{path}/revoke", cause="compromised")
    refused = signed_in.fill(f"{path}/restore")

    assert 409 == refused.status_code
    assert "revoked" == Credential.objects.get(id=issued.credential.id).state
    assert "credential_revoked" == _verdict(signed_in, person, issued.token.reveal())


def test_nothing_of_another_organization_is_deleted_or_restored(signed_in: Browser, person: Person) -> None:
    """
    Accounts and keys of another organization are not found by these acts, and stay as they are.
    """
    foreign = account_of(make_person(), "etl-foreign")
    key = _issue(foreign).credential
    paths = [("accounts", foreign.id), ("keys", key.id)]
    found = [
        signed_in.get(_path(person, kind, ident, "do", act)).status_code
        for kind, ident in paths
        for act in ("delete", "restore")
    ]

    assert [404] * 4 == found
    assert "enabled" == Principal.objects.get(id=foreign.id).state
    assert "active" == Credential.objects.get(id=key.id).state
