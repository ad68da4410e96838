"""What tests of a guard need of an installation that runs: accounts with tokens, and what a guard says of them."""

from __future__ import annotations

import secrets

import pytest

from retinue.guard import Denied, Guard
from tests.support.installation import ADMIN_EMAIL, Installation


def issue(installation: Installation, *permissions: str, **more: str) -> tuple[str, str, str]:
    """Return account, key id and token of a new account, which the node knows."""
    body = {"name": secrets.token_hex(4), "owners": [ADMIN_EMAIL], "purpose": "t", "permissions": permissions}
    body |= more
    made = installation.change("POST", "/v1/service-accounts", body).json()
    issued = installation.change("POST", f"/v1/service-accounts/{made['id']}/keys", {"name": "k1"}).json()
    return made["id"], issued["key"]["id"], issued["token"]


def reason(guard: Guard, token: str, need: str = "report:read") -> str:
    """Return for what reason a guard denies."""
    with pytest.raises(Denied) as caught:
        guard.verify(token, need)
    return caught.value.reason
