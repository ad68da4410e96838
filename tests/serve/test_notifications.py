"""The product tells by itself: a leak is mailed and sent to a webhook, also if everything is killed in between."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from standardwebhooks.webhooks import Webhook

from tests.support.installation import ADMIN_EMAIL, Installation, http, start_retinue
from tests.support.outside import mail_sink, receiver
from tests.support.processes import wait_for

#: What was being sent when its process died is sent again after a minute.
SECONDS = 90


def _post(installation: Installation, path: str, body: object) -> Any:
    answer = http("POST", f"{installation.url}{path}", token=installation.token(), body=body)
    assert answer.status < 300, answer.body
    return answer.json()


def test_what_was_committed_is_told_after_kill_9(tmp_path: Path) -> None:
    """
    A stranger reports a token, and every process is killed as soon as that is answered; web and mail server were away.
    After the next start both are told: signed, without the token.
    """
    with receiver() as here, mail_sink() as sink:
        here.statuses, sink.is_busy = [503], True
        told = {
            "RETINUE_EGRESS_ALLOW": "127.0.0.0/8",
            "RETINUE_MAIL_HOST": "127.0.0.1",
            "RETINUE_MAIL_PORT": str(sink.port),
            "RETINUE_MAIL_TLS": "none",
            "RETINUE_MAIL_FROM": "retinue@installation.example",
        }
        with start_retinue(tmp_path / "home", "--only", "control", **told) as installation:
            hook = {"name": "siem", "url": here.url, "events": ["key.leaked"]}
            secret = _post(installation, "/v1/webhooks", hook)["secret"]
            owner = http("GET", f"{installation.url}/v1/me", token=installation.token()).json()["principal"][
                "id"
            ]
            account = _post(
                installation, "/v1/service-accounts", {"name": "etl", "purpose": "x", "owners": [owner]}
            )
            key = _post(installation, f"/v1/service-accounts/{account['id']}/keys", {"name": "prod"})
            _post(installation, "/v1/leaks/revoke", {"tokens": [key["token"]], "source": "a test"})
            installation.kill()
            here.statuses, sink.is_busy = [204], False
            installation.start("--only", "control")

            def arrived() -> bool:
                # Whatever came before the servers were there was not taken.
                return bool(sink.got) and any(here.took)

            wait_for("both are told", arrived, seconds=SECONDS)
            [event] = {json.dumps(Webhook(secret).verify(each.body, each.headers)) for each in here.got}
            [mail] = [
                each for each in sink.got if "has leaked" in each["Subject"] or "things" in each["Subject"]
            ]

            assert ("key.leaked", key["key"]["id"]) == (
                json.loads(event)["type"], json.loads(event)["data"]["subject"]["id"],
            )  # fmt: skip
            assert ADMIN_EMAIL == mail["To"]
            assert key["token"] not in event + mail.as_string() + installation.log.read_text()
