"""``credentials.format``: keys of other forms are issued, rotated and shown as the policy says."""

from __future__ import annotations

import re

import pytest

from retinue.server.credentials.queries import Credential
from tests.api.policies import set_policy
from tests.api.world import STRANGER, World

SHAPES = {
    "native": r"rtnsa_[0-9A-Za-z]{12}_[0-9A-Za-z]{49}",
    "pair": r"[0-9A-Za-z]{12}:[0-9A-Za-z]{43}",
    "jwt": r"eyJ[\w-]+\.eyJ[\w-]+\.[\w-]{43}",
    "uuid": r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}",
    "sk_hex": r"sk:[0-9a-f]{64}",
}


def status(token: str) -> int:
    """What a token is answered by the control plane."""
    return STRANGER.get("/v1/me", {"authorization": f"Bearer {token}"}).status


@pytest.mark.parametrize("form", SHAPES)
def test_key_has_the_format_of_the_policy(world: World, form: str) -> None:
    """
    A key of each format works, is rotated, regenerated with and without overlap, and revoked; no list shows more
    than the policy's last characters, and only where no key id tells one token from another.
    """
    set_policy(world, credentials__format=form, credentials__mask_last=4,
               rotation__regenerate_overlap_seconds=3600)  # fmt: skip
    path = f"/v1/service-accounts/{world.account().id}/keys"
    issued = world.owner.post(path, {"name": "k"}).json
    one = f"/v1/keys/{issued['key']['id']}"
    second = world.owner.post(f"{one}/regenerate").json
    overlapping = [status(each["token"]) for each in (issued, second)]
    third = world.owner.post(f"{one}/regenerate", {"overlap": "0s"}).json
    after = [status(each["token"]) for each in (issued, second, third)]
    next_one = world.owner.post(f"{one}/rotate", {"overlap": "0s"}).json

    assert re.fullmatch(SHAPES[form], issued["token"])
    assert ([200, 200], [401, 401, 200]) == (overlapping, after)
    assert [401, 200] == [status(each["token"]) for each in (third, next_one)]
    display, last = next_one["key"]["display"], next_one["token"][-4:]
    assert (form in ("jwt", "uuid", "sk_hex")) == display.endswith(last)
    assert next_one["token"][:-4] not in world.owner.get("/v1/keys").text
    world.owner.post(f"/v1/keys/{next_one['key']['id']}/revoke")
    assert 401 == status(next_one["token"])


def test_no_secret_is_at_rest(world: World) -> None:
    """
    Of a token whose form names no key id a row keeps its digest, and as many characters as are shown.
    """
    set_policy(world, credentials__format="uuid", credentials__mask_last=4)
    issued = world.owner.post(f"/v1/service-accounts/{world.account().id}/keys", {"name": "k"}).json
    row = Credential.objects.get(id=issued["key"]["id"])

    assert issued["token"][-4:] == row.last_characters
    assert issued["token"][:-4] not in repr(vars(row))
