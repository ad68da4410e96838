"""Mail: who is told what by the system itself, once, in words that help, and never with a token in them."""

from __future__ import annotations

from datetime import datetime, timedelta
from email.message import EmailMessage

import pytest
from django.utils import timezone

from retinue.attempts import Allowance
from retinue.server.api import leaks as leaks_api
from retinue.server.credentials.models import Credential
from retinue.server.directory.queries import Principal
from retinue.server.notifications import expiring
from tests.api.messages import SENDER, Outside
from tests.api.world import STRANGER, World
from tests.api.wrongs import put, use


def text_of(mail: EmailMessage) -> str:
    """The text of a mail, its lines as they were written."""
    return str(mail.get_content())


def owned(world: World) -> tuple[Principal, Principal, Principal, Principal]:
    """An account with an owner, a backup and a team: (account, owner, backup, member of the team)."""
    people = [world.user(name)[0] for name in ("Oda Owner", "Bea Backup", "Tom Team")]
    account = world.account("etl")
    path = f"/v1/service-accounts/{account.id}"
    assert 200 == world.owner.patch(path, {"owners": [people[0].id]}).status
    assert 200 == world.owner.patch(path, {"owners": [people[0].id, people[1].id]}).status
    team = world.owner.post("/v1/teams", {"name": "data"}).json["id"]
    added = world.owner.post(f"/v1/teams/{team}/add", {"members": [account.id, people[2].id]})
    assert added.status < 300, added.text
    return account, people[0], people[1], people[2]


def ending(world: World, account: Principal, days: float, name: str = "prod") -> Credential:
    """A key that was issued long ago and ends in so many days."""
    key, _ = world.key(account, name)
    now = timezone.now()
    put(Credential, key.id, issued_at=now - timedelta(days=200), expires_at=now + timedelta(days=days))
    return Credential.objects.get(id=key.id)


def warned(world: World, outside: Outside, **by: float) -> set[str]:
    """Let time pass, warn, and send; return the addresses in this organization that got a mail."""
    outside.clock.later(**by)
    outside.mails.got.clear()
    expiring.warn(outside.clock(), 1000)
    outside.tell()
    outside.tell(seconds=61)
    outside.clock.later(seconds=-61)
    return {str(each["To"]) for each in outside.mails.got if world.organization.handle in str(each["To"])}


def forget(outside: Outside) -> None:
    """Tell what is waiting, and forget that it was."""
    outside.tell()
    outside.tell(seconds=61)
    outside.clock.later(seconds=-61)
    outside.mails.got.clear()


def test_a_mail_confirms_each_new_credential(world: World, outside: Outside) -> None:
    """
    The first owner of an account is told of a new key within a minute: which, by whom, until when, what to do if it was
    not expected, and how we know. Neither the token nor its secret stands in it.
    """
    account, owner, *_ = owned(world)
    forget(outside)
    issued = world.owner.post(f"/v1/service-accounts/{account.id}/keys", {"name": "prod"}).json
    assert 0 == outside.tell()
    outside.tell(seconds=61)
    [mail] = outside.mails.got
    text = text_of(mail)

    assert (owner.email, SENDER) == (mail["To"], mail["From"])
    assert f"[{world.organization.name}] API key etl/prod was issued" == mail["Subject"]
    for words in (
        "What happened:",
        "Which one:",
        "What to do:",
        "How we know:",
        "Olga Owner",
        issued["key"]["id"],
    ):
        assert words in text
    assert f"retinue key revoke {issued['key']['id']}" in text
    assert issued["token"] not in text
    assert issued["token"][-49:] not in mail.as_string()
    assert 0 == outside.tell(seconds=61)


def test_warnings_go_further_as_the_end_comes_nearer(world: World, outside: Outside) -> None:
    """
    By the thresholds of the policy first the owner is told, then backup and team, at the last one and at the end
    administrators too; each threshold once, and nobody who is disabled.
    """
    account, owner, backup, member = owned(world)
    key = ending(world, account, 29.5)
    forget(outside)
    admin = str(world.owner.principal.email) if world.owner.principal else ""
    first = warned(world, outside)
    again = warned(world, outside, hours=2)
    second = warned(world, outside, days=16)
    world.owner.post(f"/v1/users/{member.id}/disable")
    last = warned(world, outside, days=13)
    end = warned(world, outside, days=1)
    silent = warned(world, outside, days=1)

    assert ({owner.email}, set()) == (first, again)
    assert {owner.email, backup.email, member.email} == second
    assert {owner.email, backup.email, admin} == last == end
    assert set() == silent
    events = [each["type"] for each in world.owner.get(f"/v1/audit-events?subject={key.id}").json["items"]]
    assert (3, 1) == (events.count("key.expiry_warned"), events.count("key.expired"))


def test_one_digest_tells_everything_of_a_day(world: World, outside: Outside) -> None:
    """
    An owner of several keys that end at different hours of a day gets one mail that names them all.
    """
    account, owner, *_ = owned(world)
    keys = [ending(world, account, 29.1 + number / 10, f"k{number}") for number in range(3)]
    forget(outside)
    warned(world, outside)
    [mail] = outside.mails.to(owner.email)

    assert "3 things about credentials" in mail["Subject"]
    assert all(f"API key etl/{key.name} ({key.id})" in text_of(mail) for key in keys)


def test_nobody_is_told_of_a_key_whose_successor_is_in_use(world: World, outside: Outside) -> None:
    """
    Silent once the successor is used; before that the mail says that the successor waits to be used.
    """
    account, owner, *_ = owned(world)
    key = ending(world, account, 29)
    assert 201 == world.owner.post(f"/v1/keys/{key.id}/rotate", {"name": "next"}).status
    put(Credential, key.id, retires_at=timezone.now() + timedelta(days=29))
    successor = Credential.objects.get(rotated_from=key.id)
    forget(outside)
    before = warned(world, outside)
    told = text_of(outside.mails.to(owner.email)[0])
    use(world, account, successor, timezone.now())

    assert {owner.email} == before
    assert f"successor {successor.id} is not used yet" in told
    assert set() == warned(world, outside, days=15)


def test_a_short_life_brings_no_warning_of_long_ago(world: World, outside: Outside) -> None:
    """
    A key that was issued for a week is not warned of thresholds that lay before its issue; a longer end that is stated
    later is warned of anew.
    """
    account, owner, *_ = owned(world)
    key = world.owner.post(
        f"/v1/service-accounts/{account.id}/keys", {"name": "short", "expires": "5d"}
    ).json["key"]
    forget(outside)
    now = warned(world, outside)
    last = warned(world, outside, days=4)
    put(Credential, key["id"], expires_at=timezone.now() + timedelta(days=10, hours=12))
    later = warned(world, outside, days=0)

    assert (set(), True) == (now, owner.email in last)
    assert owner.email in later


def test_a_leak_is_told_at_once_and_to_everybody(
    world: World, outside: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Owner, backup, team and administrators learn of a leak without waiting for a digest; the address that a stranger named
    is not passed on in a mail.
    """
    monkeypatch.setattr(leaks_api, "allowance", Allowance(60, 3600.0))
    account, owner, backup, member = owned(world)
    _, token = world.key(account, "prod")
    forget(outside)
    page = "https://evil.example/phish"
    STRANGER.post("/v1/leaks/revoke", {"tokens": [token.reveal()], "source": "a scanner", "url": page})
    outside.tell()
    text = text_of(outside.mails.to(owner.email)[0])

    assert {owner.email, backup.email, member.email} < {str(each["To"]) for each in outside.mails.got}
    assert "has leaked and was revoked" in outside.mails.got[0]["Subject"]
    assert ("a scanner" in text, page in text, token.reveal() in text) == (True, False, False)


def test_whose_account_has_no_owner_is_told_by_administrators(world: World, outside: Outside) -> None:
    """
    Where nobody owns the account, whoever may revoke its keys is told; a personal access token is its user's matter.
    """
    account, owner, backup, member = owned(world)
    ending(world, account, 29)
    for each in (owner, backup, member):
        world.owner.post(f"/v1/users/{each.id}/disable")
    user, _ = world.user("Pia")
    token = Credential.objects.get(principal_id=user.id)
    put(
        Credential,
        token.id,
        issued_at=timezone.now() - timedelta(days=80),
        expires_at=timezone.now() + timedelta(days=29),
    )
    forget(outside)
    admin = world.owner.principal

    assert admin is not None
    assert {admin.email, user.email} == warned(world, outside)


def test_a_day_is_a_day_of_utc() -> None:
    """
    Whatever the hour, a threshold is said on its day; never later than it says.
    """
    from retinue.server.notifications.rules import threshold

    end = datetime.fromisoformat("2026-12-31T08:00:00+00:00")
    begun = end - timedelta(days=90)
    said = {
        now: threshold(end, begun, (30, 14, 7, 1), datetime.fromisoformat(f"{now}+00:00"))
        for now in (
            "2026-11-30T23:59:59", "2026-12-01T00:00:00", "2026-12-16T23:59:59", "2026-12-17T00:00:01",
            "2026-12-30T00:00:00", "2026-12-31T07:59:59", "2026-12-31T08:00:00",
        )
    }  # fmt: skip

    assert [None, 30, 30, 14, 1, 1, 0] == list(said.values())
