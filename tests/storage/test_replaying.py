"""A backup is put back: what was taken away since is taken away again, and nothing that was given comes back."""

from __future__ import annotations

from retinue.replica.records import Kind
from retinue.server.access import actions as access
from retinue.server.access import grant_actions, group_actions, member_actions
from retinue.server.access.models import Grant, Group, Membership, RoleAssignment, TeamResource
from retinue.server.access.subjects import Subject
from retinue.server.credentials import actions as credentials
from retinue.server.credentials.models import Credential
from retinue.server.directory import actions as directory
from retinue.server.directory.models import Principal
from retinue.server.ledger.models import AuditEvent
from retinue.server.ledger.transaction import SYSTEM, transaction
from retinue.server.nodes import actions
from retinue.server.nodes.models import Lost
from tests.storage.estate import Estate, Follower
from tests.storage.past import Past
from tests.storage.recovering import fresh_follower, outcomes, recover, state_of


def test_what_was_taken_away_after_the_backup_is_taken_away_again(history: Past) -> None:
    """
    Revoked and deleted keys, a disabled and a deleted account, a removed grant and role: after the restore all
    of it ends again, each with its event, and the node ends with what the database says.
    """
    estate, follower = Estate.create(), fresh_follower()
    accounts = [estate.account(roles=["auditor"], permissions=["report:read", "report:write"]) for _ in "abc"]
    revoked, deleted, used, kept = (estate.key(account)[0] for account in (*accounts, accounts[2]))
    history.backup()
    estate.revoke(revoked)
    estate.revoke(deleted)
    with transaction(SYSTEM, reason="test") as tx:
        credentials.delete(tx, deleted)
        directory.disable(tx, accounts[1])
    with transaction(SYSTEM, reason="test") as tx:
        credentials.delete_account(tx, accounts[0])
    with transaction(SYSTEM, reason="test") as tx:
        access.delete_grant(
            tx, accounts[2], Grant.objects.get(subject=accounts[2].id, permission="report:write").id
        )
        access.set_roles(tx, accounts[2], [])
    estate.revoke(used)
    follower.catch_up()
    history.restore()

    epoch = recover(follower)
    assert ("open", "node_ahead", 2) == (epoch.state, epoch.cause, epoch.epoch)
    assert ["revoked", "deleted", "revoked", "active"] == [
        state_of(key) for key in (revoked, deleted, used, kept)
    ]
    assert ["deleted", "disabled", "enabled"] == [
        Principal.objects.get(id=each.id).state for each in accounts
    ]
    assert ["report:read"] == [each.permission for each in Grant.objects.filter(subject=accounts[2].id)]
    assert not RoleAssignment.objects.filter(subject=accounts[2].id).exists()
    assert {"recovered", "account_deleted"} >= set(
        Credential.objects.filter(state="revoked").values_list("reason", flat=True)
    )
    assert {"replayed"} == set(outcomes("principal").values())
    again = AuditEvent.objects.filter(type="key.revoked", subject=used.id).values_list("actor", flat=True)
    assert ["system"] == list(again)
    answer = follower.poll()
    assert (True, 2) == (answer.lease, answer.epoch)


def test_a_key_issued_after_the_backup_is_unknown_and_reported(history: Past) -> None:
    """
    What was given after the backup does not come back: the key stays unknown, on the node too, and the report
    and an event name it.
    """
    estate, follower = Estate.create(), fresh_follower()
    account = estate.account()
    history.backup()
    key, _ = estate.key(account)
    follower.catch_up()
    with follower.replica.snapshot() as snapshot:
        assert snapshot.credential(key.kid) is not None
    history.restore()

    recover(follower)
    assert {key.id: "unknown"} == outcomes("credential")
    [event] = AuditEvent.objects.filter(type="credential.lost")
    assert (key.id, estate.organization.id) == (event.subject, event.organization)
    with follower.replica.snapshot() as snapshot:
        assert snapshot.credential(key.kid) is None


def test_an_old_secret_does_not_come_back(history: Past) -> None:
    """
    A key that got a new secret after the backup has its old one again: it ends, because a node is believed
    nothing that gives access. One that was rotated retires when it was to.
    """
    estate, follower = Estate.create(), fresh_follower()
    regenerated, rotated = (estate.key(estate.account())[0] for _ in range(2))
    history.backup()
    with transaction(SYSTEM, reason="test") as tx:
        credentials.regenerate(tx, regenerated)
        credentials.rotate(tx, rotated)
    retires = Credential.objects.get(id=rotated.id).retires_at
    follower.catch_up()
    history.restore()

    recover(follower)
    assert ("revoked", "active") == (state_of(regenerated), state_of(rotated))
    assert retires == Credential.objects.get(id=rotated.id).retires_at
    assert "closed" == outcomes("credential")[regenerated.id]
    assert "replayed" == outcomes("credential")[rotated.id]


def test_what_cannot_be_said_in_rows_disables_the_account(history: Past) -> None:
    """
    An operator who was none any more is one again, which no rule takes away: the account is disabled.
    """
    estate, follower = Estate.create(), fresh_follower()
    with transaction(SYSTEM, reason="test") as tx:
        operator = directory.create_user(
            tx, estate.organization.id, email="o@a.example", name="O", is_operator=True
        )
    history.backup()
    with transaction(SYSTEM, reason="test") as tx:
        Principal.objects.filter(id=operator.id).update(is_operator=False)
        tx.record("account.disabled", operator.id, name="o", organization=estate.organization.id)
        tx.touch(Kind.PRINCIPAL, operator.id)
    follower.catch_up()
    history.restore()

    recover(follower)
    assert ("disabled", "closed") == (
        Principal.objects.get(id=operator.id).state,
        outcomes("principal")[operator.id],
    )


def test_what_the_backup_knows_is_not_done_again(history: Past) -> None:
    """
    A change from before the backup that was undone before it stays undone, though it stands in the journal.
    """
    estate, follower = Estate.create(), fresh_follower()
    account = estate.account(permissions=["report:read"])
    for act in (directory.disable, directory.enable):
        with transaction(SYSTEM, reason="test") as tx:
            act(tx, Principal.objects.get(id=account.id))
        follower.catch_up()
    history.backup()
    estate.account()
    follower.catch_up()
    history.restore()

    recover(follower)
    assert "enabled" == Principal.objects.get(id=account.id).state
    assert not Lost.objects.filter(reduces=True).exists()


def test_a_snapshot_brings_the_journal_of_those_before(history: Past) -> None:
    """
    A node that came later than the revoke, by a snapshot, knows of it as well as those that saw it.
    """
    estate = Estate.create()
    key, _ = estate.key(estate.account())
    history.backup()
    estate.revoke(key)
    with transaction(SYSTEM, reason="test") as tx:
        directory.disable(tx, estate.account_in(tx))
    first = Follower.create()
    follower = Follower(first.node, page_records=7)
    follower.catch_up()
    history.restore()
    with transaction(SYSTEM, reason="test") as tx:  # its credential was lost too; this is a new one
        node, _ = actions.enrol(tx, first.node.name)
    follower.node = node

    recover(follower)
    assert "revoked" == state_of(key)


def test_the_node_that_came_further_knows_better(history: Past) -> None:
    """
    Two nodes name the same lost change; in the end the account was enabled again, as the further one says.
    """
    estate, behind, ahead = Estate.create(), fresh_follower(), fresh_follower()
    account = estate.account(permissions=["report:read"])
    behind.catch_up()
    history.backup()
    with transaction(SYSTEM, reason="test") as tx:
        directory.disable(tx, Principal.objects.get(id=account.id))
    behind.catch_up()
    with transaction(SYSTEM, reason="test") as tx:
        directory.enable(tx, Principal.objects.get(id=account.id))
    ahead.catch_up()
    history.restore()
    for follower in (ahead, behind, ahead):
        follower.catch_up()
        if follower is behind:
            follower.hand_over(2, lines=1)

    assert 2 == recover(ahead, behind).epoch
    assert "enabled" == Principal.objects.get(id=account.id).state


def test_members_and_holders_are_taken_away_again(history: Past) -> None:
    """
    A member was taken out of a group, another group and a role were deleted after the backup: all of it is so
    again. Who is in a group that stands stays in it.
    """
    estate, follower = Estate.create(), fresh_follower()
    taken, stays = estate.account(), estate.account()
    with transaction(SYSTEM, reason="test") as tx:
        group = group_actions.create(tx, estate.organization.id, "group", name="Pilots")
        other = group_actions.create(tx, estate.organization.id, "group", name="Others")
    for each in (group, other):
        with transaction(SYSTEM, reason="test") as tx:
            grant_actions.grant(
                tx, _subject(each), "report:read", "a test", organization=estate.organization.id
            )
            member_actions.add(tx, each, [taken, stays], "a test")
    history.backup()
    with transaction(SYSTEM, reason="test") as tx:
        member_actions.remove(tx, group, [taken])
    with transaction(SYSTEM, reason="test") as tx:
        group_actions.delete(tx, other)
    follower.catch_up()
    history.restore()

    recover(follower)
    assert [stays.id] == [each.principal_id for each in Membership.objects.filter(group=group)]
    assert Group.objects.get(id=other.id).deleted_at is not None
    assert {"enabled"} == {Principal.objects.get(id=each.id).state for each in (taken, stays)}
    assert "open" not in {*outcomes("principal").values(), *outcomes("holder").values()}


def test_resources_are_taken_out_of_teams_again(history: Past) -> None:
    """
    Two resources left a team after the backup, one of them for another team: they are not in it again, with
    one event each. What stays in the team, and what the node alone knows of the other, changes nothing.
    """
    estate, follower = Estate.create(), fresh_follower()
    with transaction(SYSTEM, reason="test") as tx:
        red, blue = (
            group_actions.create(tx, estate.organization.id, "team", name=name) for name in ("Red", "Blue")
        )
    with transaction(SYSTEM, reason="test") as tx:
        member_actions.change_resources(tx, red, add=["r-1", "r-2", "r-3"])
    follower.catch_up()
    history.backup()
    with transaction(SYSTEM, reason="test") as tx:
        member_actions.change_resources(tx, red, remove=["r-1", "r-2"])
        member_actions.change_resources(tx, blue, add=["r-2"])
    follower.catch_up()
    history.restore()

    recover(follower)
    assert {("r-3", red.id)} == set(TeamResource.objects.values_list("resource", "team"))
    home = estate.organization.id
    assert {f"{home}/r-1": "replayed", f"{home}/r-2": "replayed"} == outcomes("resource")
    changes = AuditEvent.objects.filter(type="team.resources_changed", subject=red.id, actor="system")
    assert [["r-1", "r-2", "r-3"], ["r-1"], ["r-2"]] == [
        each.after.get("added") or each.before["removed"] for each in changes.order_by("id")
    ]


def _subject(group: Group) -> Subject:
    return Subject(group.id, group.kind, group.name)
