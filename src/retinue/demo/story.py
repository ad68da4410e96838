"""Makes the story by the operations of the API: two organizations, each situation, and their past."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from retinue.client import Client, access, credential_operations, governance
from retinue.client import operations as ops
from retinue.client.models import IssuedKey, Key, Me
from retinue.demo import callers, history
from retinue.demo.files import private
from retinue.demo.history import Past
from retinue.demo.processes import DemoError
from retinue.demo.samples import (
    ADA,
    ADMIN,
    CAROL,
    ORBIT,
    ORBIT_SAMPLES,
    PEOPLE,
    PERMISSIONS,
    SAMPLES,
    Sample,
)

TIMEOUT_SECONDS = 20.0
#: So many accounts are made at a time.
AT_ONCE = 3
#: Days without use after which something is idle here; so much past there is.
IDLE_DAYS = 14
#: Who is older than the demo, and by how much: long enough to have used what it holds.
AGED, AGE_DAYS = ("crm-bridge",), 120
#: A personal access token that is used so often a day is a program's.
CI_A_DAY = 48


@dataclass(slots=True)
class Story:
    """What was made: the first account's token, and where the second organization is entered."""

    token: str = ""
    invitation: str = ""
    requests: int = 0
    orbit_accounts: int = 0
    orbit_keys: int = 0
    pasts: list[Past] = field(default_factory=list)
    #: Issued keys with their tokens, by "account/key".
    issued: dict[str, IssuedKey] = field(default_factory=dict)

    def add(self, other: Story) -> None:
        """Take in what was made beside it, in the other organization."""
        self.invitation = other.invitation
        self.orbit_accounts, self.orbit_keys = other.orbit_accounts, other.orbit_keys
        self.pasts += other.pasts
        self.issued |= other.issued


def make(url: str, token: str, folder: Path) -> Story:
    """Make everything in the control plane at ``url``; the callers' files stand in ``folder`` then."""
    admin = Client(url, token, timeout=TIMEOUT_SECONDS)
    story = Story()
    me = admin.call(ops.GET_ME)
    _declare(admin)
    for email, name in PEOPLE:
        admin.call(ops.CREATE_USER, body={"email": email, "name": name, "roles": ["member"]})
    with ThreadPoolExecutor(1) as beside:
        orbit = beside.submit(_orbit, url, Client(url, token, timeout=TIMEOUT_SECONDS), folder)
        _accounts(url, token, me.organization.id, SAMPLES, story)
        _situations(admin, me, story)
        story.add(orbit.result())
    story.requests = _ship(url, admin, story.pasts)
    # After the past was shipped: what follows ends what it needs.
    _endings(admin, story)
    _callers(story, folder)
    story.token = _told(story.issued["demo-etl/main"])
    return story


def _declare(admin: Client) -> None:
    declared = [
        {"name": name, "label": label, "sensitivity": sensitivity} for name, label, sensitivity in PERMISSIONS
    ]
    admin.call(access.IMPORT_PERMISSIONS, body={"permissions": declared})


def _accounts(url: str, token: str, organization: str, samples: Sequence[Sample], story: Story) -> None:
    """Make accounts with their keys, some at a time: one is written while others are judged."""

    def made(sample: Sample) -> list[IssuedKey]:
        client = Client(url, token, timeout=TIMEOUT_SECONDS)  # one is for one thread
        try:
            return _account(client, sample)
        finally:
            client.close()

    with ThreadPoolExecutor(AT_ONCE) as pool:
        for sample, issued in zip(samples, pool.map(made, samples), strict=True):
            for each in issued:
                story.issued[f"{sample.name}/{each.key.name}"] = each
                story.pasts.append(_past(organization, each.key, sample, sample.a_day / len(sample.keys)))


def _account(client: Client, sample: Sample) -> list[IssuedKey]:
    body: dict[str, Any] = {"name": sample.name, "purpose": sample.purpose, "permissions": sample.permissions}
    body["owners"] = [sample.owner] if sample.owner else []
    if sample.is_documented:
        body |= {"systems": ["sales"], "documentation": f"https://wiki.acme.example/{sample.name}"}
    made = client.call(ops.CREATE_ACCOUNT, body=body)
    keys = ({"name": name, "expires": "90d"} for name in sample.keys)
    return [client.call(ops.ISSUE_KEY, {"id": made.id}, body=key) for key in keys]


def _past(organization: str, key: Key, sample: Sample, a_day: float) -> Past:
    is_here = f"{sample.name}/{key.name}" in {caller[1] for caller in _LIVE}
    past = Past(organization, key, sample.calls, a_day, sample.quiet_days, is_here=is_here)
    if sample.name == "mobile-gateway":
        calls = (*sample.calls * 5, "report:write POST /entries")
        return replace(past, calls=calls, denied_each=len(calls), reason="permission_missing")
    if sample.name == "partner-feed" and key.name == "north":
        return replace(past, networks=3)
    return past


def _told(issued: IssuedKey) -> str:
    if issued.token is None:
        raise DemoError("a key was issued without a token")
    return issued.token.reveal()


def _situations(admin: Client, me: Me, story: Story) -> None:
    """What needs attention while it is used: an end that comes near, a rotation, a person's token."""
    key = _rotated(story, "billing-export/main")
    admin.call(ops.EXPIRE_KEY, {"id": key}, body={"expires": "6d"})
    rotating = {"overlap": "24h", "name": "next"}
    story.issued["warehouse-sync/next"] = admin.call(
        ops.ROTATE_KEY, {"id": _rotated(story, "warehouse-sync/main")}, body=rotating
    )
    ci = admin.call(credential_operations.MINE.issue, body={"name": "ci-pipeline", "expires": "60d"})
    story.issued["ci-pipeline"] = ci
    story.pasts.append(Past(me.organization.id, ci.key, SAMPLES[0].calls, CI_A_DAY, is_here=True))
    _policy(admin, "accounts.approval", "four_eyes")
    admin.call(
        ops.CREATE_ACCOUNT, body={"name": "vendor-sync", "purpose": "Brings in vendors", "owners": [ADA]}
    )
    _policy(admin, "accounts.approval", "none")
    _policy(admin, "idle.days", IDLE_DAYS)


def _policy(admin: Client, key: str, value: object) -> None:
    admin.call(ops.CHANGE_POLICY, body={"set": {key: value}})


def _rotated(story: Story, name: str) -> str:
    return story.issued[name].key.id


def _orbit(url: str, admin: Client, folder: Path) -> Story:
    """The other organization, run by its own administrator: an account now, and a person who is invited."""
    founded = admin.call(
        ops.CREATE_ORGANIZATION,
        body={"handle": ORBIT, "name": "Orbit", "preset": "planhat", "service_account": "Provisioning"},
    )
    story, token = Story(), founded.token.reveal()
    orbit = Client(url, token, timeout=TIMEOUT_SECONDS)
    _accounts(url, token, founded.organization.id, ORBIT_SAMPLES, story)
    issued = orbit.call(
        credential_operations.INGEST.issue, body={"name": "telemetry", "endpoints": ["/measurements"]}
    )
    story.issued["telemetry"] = issued
    story.orbit_accounts = sum(len(page.items) for page in orbit.pages(ops.LIST_ACCOUNTS))
    story.orbit_keys = sum(len(page.items) for page in orbit.pages(ops.LIST_KEYS))
    invited = orbit.call(
        ops.INVITE_USER,
        body={"email": "admin@orbit.example", "name": "Orbit Administrator", "roles": ["administrator"]},
    )
    code = private(folder / "orbit-invitation", invited.token.reveal() + "\n")
    story.invitation = f"{url}{invited.page} with the code in {code}"
    return story


def _ship(url: str, admin: Client, pasts: list[Past]) -> int:
    """Send the past as a node does, by a node that is enrolled for it and removed again."""
    enrolled = admin.call(ops.ENROL_NODE, body={"name": history.NODE})
    records = history.records(pasts, datetime.now(UTC))
    node = Client(url, enrolled.token.reveal(), timeout=TIMEOUT_SECONDS)
    for first in range(0, len(records), history.BATCH):
        batch = records[first : first + history.BATCH]
        body = {"node": history.NODE, "spool": "history", "first": first, "records": batch}
        node.call(history.SHIP, body=body)
    admin.call(ops.REMOVE_NODE, {"id": enrolled.node.id})
    return len(records)


def _endings(admin: Client, story: Story) -> None:
    """What has ended, and is called all the same: a leaked key, a disabled account, an expired key."""
    leaked = {"id": _rotated(story, "legacy-crawler/leaked")}
    admin.call(ops.REVOKE_KEY, leaked, body={"reason": "compromised", "text": "found in a public repository"})
    by_name = {each.name: each.id for page in admin.pages(ops.LIST_ACCOUNTS) for each in page.items}
    admin.call(
        ops.DISABLE_ACCOUNT, {"id": by_name["old-importer"]}, body={"reason": "replaced by report-writer"}
    )
    admin.call(ops.DELETE_ACCOUNT, {"id": by_name["trial-bot"]})
    carol = next(each for page in admin.pages(ops.LIST_USERS) for each in page.items if each.email == CAROL)
    admin.call(ops.DELETE_USER, {"id": carol.id})
    admin.call(
        governance.OPEN_REVIEW,
        body={"name": "Quarterly review", "template": "full", "due_days": 3, "fallback": ADMIN},
    )


#: Who calls: the name, the issued key, what it calls, how often (seconds).
_LIVE = (
    ("billing-export", "billing-export/main", ["GET /reports", "GET /exports/reports.csv"], 7.0),
    ("warehouse-sync", "warehouse-sync/main", ["GET /reports"], 4.0),
    ("warehouse-sync-next", "warehouse-sync/next", ["GET /reports"], 6.0),
    ("legacy-crawler", "legacy-crawler/leaked", ["GET /reports"], 9.0),
    ("old-importer", "old-importer/main", ["GET /reports"], 30.0),
    ("mobile-gateway", "mobile-gateway/eu-west", ["GET /reports", "GET /reports", "POST /entries"], 3.0),
    (
        "crm-bridge",
        "crm-bridge/main",
        ["GET /contacts", "GET /deals", "GET /invoices", "POST /contacts"],
        2.0,
    ),
    ("ci-pipeline", "ci-pipeline", ["GET /reports"], 5.0),
    ("telemetry", "telemetry", ["POST /measurements"], 4.0),
    ("health-scores", "Health Scores/eu-west", ["GET /reports"], 6.0),
)


def _callers(story: Story, folder: Path) -> None:
    for name, key, calls, every in _LIVE:
        callers.write(folder, name, _told(story.issued[key]), calls, every)


def header(folder: Path, token: str) -> Path:
    """Write the header that ``curl -H @FILE`` sends, and return where it is."""
    return private(folder / "curl-header", f"Authorization: Bearer {token}\n")
