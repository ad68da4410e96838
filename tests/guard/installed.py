"""What tests of a guard need of an installation that runs: accounts with tokens, and what a guard says of them."""

from __future__ import annotations

import secrets

import pytest

from retinue.guard import Denied, Guard
from tests.support.installation import ADMIN_EMAIL, Installation, http


def issue(installation: Installation, *permissions: str, **more: str) -> tuple[str, str, str]:
    """Return account, key id and token of a new account."""
    body = {"name": secrets.token_hex(4), "owners": [ADMIN_EMAIL], "purpose": "t", "permissions": permissions}
    body |= more
    admin = installation.token()
    made = http("POST", f"{installation.url}/v1/service-accounts", token=admin, body=body).json()
    keys = f"{installation.url}/v1/service-accounts/{made['id']}/keys"
    issued = http("POST", keys, token=admin, body={"name": "k1"}).json()
    return made["id"], issued["key"]["id"], issued["token"]


def reason(guard: Guard, token: str, need: str = "report:read") -> str:
    """Return for what reason a guard denies."""
    with pytest.raises(Denied) as caught:
        guard.verify(token, need)
    return caught.value.reason
