"""What the tests' own control plane answers about webhooks and mail."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from tests.cli.answers import ADMIN, NOW, Reply, page
from tests.cli.calls import Call

WEBHOOK: dict[str, Any] = {
    "id": "wh_" + "W" * 16,
    "name": "siem",
    "url": "https://siem.acme.example/retinue",
    "events": ["key.*"],
    "state": "enabled",
    "previous_secret_until": None,
    "pending": 0,
    "failed": 1,
    "created_at": NOW,
}
SECRET = "whsec_" + "A" * 43 + "="
DELIVERY: dict[str, Any] = {
    "id": "msg_" + "D" * 16,
    "event": "812.1",
    "type": "key.leaked",
    "state": "failed",
    "attempts": 8,
    "next_at": None,
    "last_status": 503,
    "last_error": "answered 503",
    "created_at": NOW,
    "ended_at": NOW,
}
MAIL: dict[str, Any] = {
    "id": "mail_" + "M" * 16,
    "recipient": ADMIN,
    "events": ["812.1"],
    "state": "done",
    "attempts": 1,
    "next_at": None,
    "last_error": "",
    "created_at": NOW,
    "ended_at": NOW,
}
_ONE = f"/v1/webhooks/{WEBHOOK['id']}"
WEBHOOKS: list[tuple[str, str, Callable[[Call, re.Match[str]], Reply]]] = [
    ("GET", "/v1/webhooks", lambda c, m: page([WEBHOOK])),
    ("POST", "/v1/webhooks", lambda c, m: (201, {"webhook": WEBHOOK, "secret": SECRET})),
    ("GET", _ONE, lambda c, m: (200, WEBHOOK)),
    ("PATCH", _ONE, lambda c, m: (200, {**WEBHOOK, **{k: v for k, v in c.body.items() if k != "reason"}})),
    ("DELETE", _ONE, lambda c, m: (200, WEBHOOK)),
    ("POST", f"{_ONE}/rotate", lambda c, m: (201, {"webhook": WEBHOOK, "secret": SECRET})),
    ("POST", f"{_ONE}/(enable|test)", lambda c, m: (200, WEBHOOK)),
    ("POST", f"{_ONE}/disable", lambda c, m: (200, {**WEBHOOK, "state": "disabled"})),
    ("GET", f"{_ONE}/deliveries", lambda c, m: page([DELIVERY])),
    ("POST", f"{_ONE}/deliveries/(.+)/retry", lambda c, m: (200, {**DELIVERY, "state": "pending"})),
    ("GET", "/v1/mails", lambda c, m: page([MAIL])),
]
