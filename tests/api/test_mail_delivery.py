"""How mail gets out: again if it must, once if it can, and only what is to be told."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from django.conf import settings

from retinue.server.directory.queries import Principal
from retinue.server.notifications import mailing, outbox
from retinue.server.notifications.models import Mail, Notice
from tests.api.messages import Outside
from tests.api.test_mails import forget, owned, text_of
from tests.api.world import Caller, World
from tests.api.wrongs import put


def test_names_cannot_forge_a_mail(world: World, outside: Outside) -> None:
    """
    What people have named stays inside one line, whatever it holds: no header, no paragraph of their own.
    """
    account, owner, *_ = owned(world)
    put(Principal, account.id, handle="etl\r\nBcc: all@evil.example")
    put(type(world.organization), world.organization.id, name="Acme\nX-Evil: 1")
    forget(outside)
    world.key(account, "prod")
    outside.tell(seconds=61)
    outside.tell(seconds=61)
    [mail] = outside.mails.to(owner.email)

    assert (None, None) == (mail["Bcc"], mail["X-Evil"])
    assert not re.search(r"^(Bcc|X-Evil)", text_of(mail), re.MULTILINE)


def test_a_mail_is_tried_again_and_given_up(world: World, outside: Outside) -> None:
    """
    A busy server is tried later, with the same Message-ID; who is refused for good is listed as failed, and why.
    """
    account, owner, *_ = owned(world)
    forget(outside)
    world.key(account, "k1")
    outside.mails.is_busy = True
    outside.tell()
    outside.tell(seconds=61)
    [pending] = [each for each in _listed(world) if each["state"] == "pending"]
    outside.mails.is_busy = False
    outside.tell(seconds=61)
    [mail] = outside.mails.to(owner.email)
    outside.mails.refuses.add(str(owner.email))
    world.key(account, "k2")
    outside.tell()
    outside.tell(seconds=61)
    failed = _listed(world)[0]

    assert (1, owner.id, True) == (
        pending["attempts"],
        pending["recipient"]["id"],
        "451" in pending["last_error"],
    )
    assert f"<{pending['id']}@installation.example>" == mail["Message-ID"]
    assert ("failed", 1, True) == (failed["state"], failed["attempts"], "550" in failed["last_error"])


def _listed(world: World) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = world.owner.get("/v1/mails").json["items"]
    return found


def test_a_process_that_dies_loses_no_mail(world: World, outside: Outside) -> None:
    """
    After the events were read, after a digest was made, and after it was taken: another process goes on, and the mail
    comes once, unless it was sent and not noted: then once more with the same Message-ID.
    """
    account, owner, *_ = owned(world)
    forget(outside)
    world.key(account, "k1")
    outbox.gather(outside.clock())  # dies
    outside.clock.later(seconds=61)
    mailing.collect(outside.clock())  # dies
    [taken] = mailing._claim(outside.clock())  # dies
    assert [] == outside.mails.got
    outside.tell(seconds=61)
    Mail.objects.filter(id=taken.id).update(state="pending", ended_at=None)
    outside.tell(seconds=61)
    mails = outside.mails.to(owner.email)

    assert (2, 1) == (len(mails), len({each["Message-ID"] for each in mails}))


def test_without_a_mail_server_nobody_is_told(
    world: World, outside: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Mail is off by default: nothing is put down, and nothing comes later when it is switched on.
    """
    monkeypatch.setattr(settings, "INSTALLATION", replace(settings.INSTALLATION, mail=None))
    account, *_ = owned(world)
    world.key(account)
    outside.tell(seconds=61)

    assert (0, []) == (Notice.objects.count(), outside.mails.got)


def test_mails_are_their_organizations(world: World, outside: Outside) -> None:
    """
    The list shows no mail of another organization, and needs organization:read and user:read.
    """
    account, *_ = owned(world)
    world.key(account)
    outside.tell(seconds=61)
    outside.tell(seconds=61)
    stranger: Caller = World.create().owner

    assert (True, []) == (bool(_listed(world)), stranger.get("/v1/mails").json["items"])
    assert 403 == world.caller("organization:read").get("/v1/mails").status


def test_an_address_that_cannot_be_written_holds_up_nobody(world: World, outside: Outside) -> None:
    """
    Its mail has failed for good, and says so; mails that wait behind it are sent.
    """
    account, owner, backup, _ = owned(world)
    other = world.account("other")
    assert 200 == world.owner.patch(f"/v1/service-accounts/{other.id}", {"owners": [backup.id]}).status
    put(Principal, owner.id, email=f"x@{'a' * 64}.example")
    forget(outside)
    world.key(account, "k1")
    outside.tell()
    outside.clock.later(seconds=61)
    mailing.collect(outside.clock())
    world.key(other, "k2")
    outside.tell(seconds=61)
    outside.tell(seconds=61)
    why = "no mail can be written to this address"
    failed = {(each["state"], each["attempts"]) for each in _listed(world) if each["last_error"] == why}

    assert 1 == len(outside.mails.to(str(backup.email)))
    assert {("failed", 1)} == failed
