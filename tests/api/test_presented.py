"""The control plane accepts tokens as every node does: schemes, formats, networks and restrictions by the policy."""

from __future__ import annotations

import secrets
from base64 import b64encode
from dataclasses import replace
from typing import Any

import pytest

from retinue.formats import MINTED, Format
from retinue.server.access import actions as access
from retinue.server.credentials import actions as credentials
from retinue.server.directory import actions as directory
from retinue.server.ledger.transaction import SYSTEM, transaction
from retinue.server.policies import actions as policies
from retinue.server.traffic.actions import Entry, ingest
from retinue.server.traffic.models import Request, Usage
from retinue.token import Token
from tests.api.policies import set_environment, set_policy
from tests.api.world import STRANGER, Answer, World


def encoded(text: str) -> str:
    """Base64, as Basic and Apikey carry it."""
    return b64encode(text.encode()).decode()


def fields(how: str, token: Token) -> dict[str, str]:
    """The header fields that present a token in a way."""
    text = token.reveal()
    return {
        "bearer": {"authorization": f"Bearer {text}"},
        "basic_pair": {"authorization": f"Basic {encoded(text)}"},
        "basic_token": {"authorization": f"Basic {encoded(text + ':')}"},
        "apikey": {"authorization": f"Apikey {encoded(text)}"},
        "header:X-Api-Key": {"x-api-key": text},
    }[how]


def key(world: World, **fields: Any) -> Token:
    """A key whose account may read keys."""
    account = world.account(f"a{len(fields)}", permissions=("credential:read",))
    return world.key(account)[1]


def call(headers: dict[str, str], address: str = "127.0.0.1", path: str = "/v1/keys") -> Answer:
    """Read the keys with whatever is presented."""
    return STRANGER.call("GET", path, headers=headers, address=address)


def flat(answer: Answer) -> tuple[int, str]:
    """Status and reason."""
    return answer.status, answer.headers.get("retinue-error", "")


@pytest.mark.parametrize("form", MINTED)
def test_a_token_of_each_format_works_and_ends(world: World, form: Format) -> None:
    """
    It is issued in the format of the policy, accepted at once, and refused once it is revoked.
    """
    set_policy(world, credentials__format=form.value)
    account = world.account(permissions=("credential:read",))
    row, token = world.key(account)

    assert (200, "") == flat(call(fields("bearer", token)))
    assert 200 == world.owner.post(f"/v1/keys/{row.id}/revoke", {}).status
    assert (401, "credential_revoked") == flat(call(fields("bearer", token)))


@pytest.mark.parametrize("form", [Format.UUID, Format.JWT, Format.SK_HEX])
def test_a_regenerated_token_without_key_id_is_unknown(world: World, form: Format) -> None:
    """
    Its lookup goes with its digest: the old token finds nothing, the new one the same key.
    """
    set_policy(world, credentials__format=form.value, rotation__regenerate_overlap_seconds=0)
    row, token = world.key(world.account(permissions=("credential:read",)))
    answer = world.owner.post(f"/v1/keys/{row.id}/regenerate", {}).json

    assert (401, "token_unknown") == flat(call(fields("bearer", token)))
    assert 200 == call({"authorization": f"Bearer {answer['token']}"}).status


@pytest.mark.parametrize("prefix", ["acme", "zz9"])
def test_a_prefix_of_ones_own_needs_no_setting(world: World, prefix: str) -> None:
    """
    The tokens of an organization begin as its policy says, from the first one on.
    """
    handle = f"org-{secrets.token_hex(6)}"
    with transaction(SYSTEM, reason="test") as tx:
        organization = directory.create_organization(tx, handle=handle, name=handle)
        access.set_up_organization(tx, organization)
        policies.change(
            tx, organization.id, lambda document: replace(document, overrides={"credentials.prefix": prefix})
        )
    with transaction(SYSTEM, reason="test") as tx:
        user = directory.create_user(tx, organization.id, email=f"a@{handle}.example", name="Ada")
        access.assign_roles(tx, user, ["owner"], "first owner")
        token = credentials.issue_personal_token(tx, user, name="test", days=1).token

    assert token.reveal().startswith(f"{prefix}pat_")
    assert 200 == call(fields("bearer", token)).status


SCHEMES = ["bearer", "basic_pair", "basic_token", "apikey", "header:X-Api-Key"]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_only_the_schemes_of_the_policy_are_accepted(world: World, scheme: str) -> None:
    """
    Each where the policy names it, and nowhere else; from the next call on.
    """
    form = "pair" if scheme in ("basic_pair", "apikey") else "native"
    set_policy(world, credentials__format=form, credentials__schemes=[scheme])
    token = key(world)
    others = [
        each
        for each in SCHEMES
        if each != scheme and (form == "pair" or each not in ("basic_pair", "apikey"))
    ]

    assert (200, "") == flat(call(fields(scheme, token)))
    refused = {flat(call(fields(each, token))) for each in others}
    assert refused <= {
        (401, "scheme_not_accepted"),
        (401, "token_malformed"),
        (401, "token_missing"),
        (401, "token_unknown"),
    }
    set_policy(world, credentials__schemes=["basic_token"] if scheme != "basic_token" else ["bearer"])
    assert 401 == call(fields(scheme, token)).status


def test_two_credentials_are_none(world: World) -> None:
    """
    In two places, even if both are good.
    """
    set_policy(world, credentials__schemes=["bearer", "header:X-Api-Key"])
    token = key(world)
    both = fields("bearer", token) | fields("header:X-Api-Key", token)

    assert (401, "scheme_not_accepted") == flat(call(both))


def test_networks_of_the_organization_and_of_an_environment(world: World) -> None:
    """
    The environment of the account has its own list; deny wins.
    """
    token = key(world)
    set_policy(world, network={"allow": ["192.0.2.0/24"], "deny": ["192.0.2.9/32"]})

    assert (403, "network_not_allowed") == flat(call(fields("bearer", token)))
    assert (200, "") == flat(call(fields("bearer", token), "192.0.2.1"))
    assert (403, "network_not_allowed") == flat(call(fields("bearer", token), "192.0.2.9"))

    set_environment(world, "production", network={"allow": ["198.51.100.0/24"], "deny": []})
    account = world.account("prod", permissions=("credential:read",))
    set_policy(world, network={"allow": [], "deny": []})
    answer = world.owner.patch(f"/v1/service-accounts/{account.id}", {"environment": "production"})
    assert 200 == answer.status, answer.text
    own = world.key(account)[1]

    assert (403, "network_not_allowed") == flat(call(fields("bearer", own)))
    assert (200, "") == flat(call(fields("bearer", own), "198.51.100.7"))
    assert (200, "") == flat(call(fields("bearer", token)))


@pytest.mark.parametrize(
    ("expected", "restrictions"),
    [
        ((200, ""), {"networks": ["127.0.0.0/8"], "endpoints": ["/v1/*"], "methods": ["GET"]}),
        ((403, "network_not_allowed"), {"networks": ["10.0.0.0/8"]}),
        ((403, "endpoint_not_allowed"), {"endpoints": ["/v1/nodes"]}),
        ((403, "method_not_allowed"), {"methods": ["POST"]}),
    ],
)
def test_restrictions_hold_for_our_own_api(
    world: World, expected: tuple[int, str], restrictions: dict[str, Any]
) -> None:
    """
    Address, method and path are those of the call.
    """
    account = world.account(permissions=("credential:read",))
    answer = world.owner.post(
        f"/v1/service-accounts/{account.id}/keys", {"name": "k", "restrictions": restrictions}
    )
    made = answer.json

    assert expected == flat(call({"authorization": f"Bearer {made['token']}"}))


def test_refusals_of_a_token_are_told_as_the_policy_says(world: World) -> None:
    """
    Status and form are the organization's once its credential is known; the reason stays.
    """
    set_policy(
        world,
        responses__status={"unauthenticated": 403, "forbidden": 404, "limited": 429},
        responses__errors="flat",
    )
    account = world.account()
    row, token = world.key(account)
    missing = call(fields("bearer", token))
    world.owner.post(f"/v1/keys/{row.id}/revoke", {})
    revoked = call(fields("bearer", token))

    assert (404, "permission_missing") == flat(missing)
    assert (403, "credential_revoked") == flat(revoked)
    assert {
        "status_code": 404,
        "message": missing.json["message"],
        "request_id": missing.json["request_id"],
    } == missing.json
    assert (401, "token_missing") == flat(call({}))


def logged(world: World, **request_log: Any) -> tuple[int, int, int]:
    """How many allowed and denied decisions of twenty each the log keeps, and how many uses are counted."""
    set_policy(
        world, request_log={"enabled": True, "retention_days": 90, "sample_allowed": 1.0, **request_log}
    )
    row, _ = world.key(world.account())
    entry = Entry(1, world.organization.id, "sa", "etl", "service_account", row.id, True)
    denied = Entry(
        1, world.organization.id, "sa", "etl", "service_account", row.id, False, "permission_missing"
    )
    ingest("a node", f"spool-{row.id}", 0, [entry] * 20 + [denied] * 20)
    kept = list(Request.objects.filter(credential=row.id))
    used = Usage.objects.filter(credential=row.id).values_list("count", flat=True)
    return sum(each.allowed for each in kept), sum(not each.allowed for each in kept), sum(used)


def test_the_log_keeps_what_the_policy_says(world: World) -> None:
    """
    Allowed decisions are sampled, denied ones never; what is not kept is counted as use all the same.
    """
    assert (20, 20, 20) == logged(world)


def test_the_log_samples_allowed_decisions_alone(world: World) -> None:
    """
    With a share of 0 only denials stay.
    """
    assert (0, 20, 20) == logged(world, sample_allowed=0)


def test_the_log_can_be_off(world: World) -> None:
    """
    Then nothing is kept, and use is counted.
    """
    assert (0, 0, 20) == logged(world, enabled=False)
