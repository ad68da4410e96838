"""Qualytics: tokens of service accounts, and their rotation, expiry and end."""

from __future__ import annotations

import hashlib
import time

from retinue.token import Kind, mint
from tests.conformance.callers import ACCOUNTS, KEYS
from tests.conformance.server import Organization, days_from_now
from tests.support.processes import wait_for


def test_QU10_one_token_for_each_pipeline_is_auditable(organization: Organization) -> None:
    """
    Two pipelines with a token each: the request log tells them apart, and the token that both use is found.
    """
    account = organization.account()
    keys = [organization.key(account, name=name) for name in ("airflow", "dbt")]
    for key in keys:
        organization.decide(key["token"], "dataset:read", path=f"/{key['key']['name']}")
    log = organization.logged(account, 2)

    assert {(key["key"]["id"], key["key"]["name"], f"/{key['key']['name']}") for key in keys} == {
        (each["credential_id"], each["credential_name"], each["path"]) for each in log
    }
    only = organization.logged(account, 1, credential=keys[0]["key"]["id"])
    assert ["/airflow"] == [each["path"] for each in only]


def test_QU12_an_administrator_issues_a_token(organization: Organization) -> None:
    """
    An Admin issues a token of an account, with a name; a second of that name, and the call of a member, are refused.
    """
    account = organization.account()
    path = f"{ACCOUNTS}/{account['id']}/keys"
    issued = organization.admin.post(path, name="nightly")

    assert "allowed" == organization.decide(issued["token"], "dataset:read")
    assert (409, "duplicate_name") == organization.admin.refused("POST", path, {"name": "Nightly"})[:2]
    assert (400, "body.name") == organization.admin.refused("POST", path, {})[::2]
    assert 403 == organization.server.caller(issued["token"]).refused("POST", path, {"name": "x"})[0]


def test_QU13_an_administrator_lists_the_tokens_of_service_accounts(organization: Organization) -> None:
    """
    The list has the tokens of all service accounts, whose each is and how it stands, and no token; a member
    does not get it.
    """
    accounts = [organization.account(name) for name in ("one", "two")]
    issued = [organization.key(account) for account in accounts]
    listed = {each["id"]: each for each in organization.admin.get(KEYS, limit=200)["items"]}

    assert {each["key"]["id"] for each in issued} <= set(listed)
    assert {"api_key"} == {each["kind"] for each in listed.values()}
    assert [each["id"] for each in accounts] == [
        listed[each["key"]["id"]]["account"]["id"] for each in issued
    ]
    assert 403 == organization.server.caller(issued[0]["token"]).refused("GET", KEYS)[0]


def test_QU14_an_administrator_revokes_a_token(organization: Organization) -> None:
    """
    Revoked, the token is refused by the very next decision; a member cannot do it.
    """
    account = organization.account()
    issued, other = organization.key(account), organization.key(account)
    path = f"{KEYS}/{issued['key']['id']}/revoke"
    refused = organization.server.caller(other["token"]).refused("POST", path, {})
    before = organization.decide(issued["token"])
    organization.admin.post(path)

    assert (403, "allowed") == (refused[0], before)
    assert "credential_revoked" == organization.decide(issued["token"])
    assert "allowed" == organization.decide(other["token"])


def test_QU15_an_administrator_deletes_a_token(organization: Organization) -> None:
    """
    What is revoked can be deleted and leaves the lists; what is in use cannot.
    """
    account = organization.account()
    issued = organization.key(account)
    path = f"{KEYS}/{issued['key']['id']}"
    refused = organization.admin.refused("DELETE", path)
    organization.admin.post(f"{path}/revoke")
    organization.admin.delete(path)

    assert (409, "state_conflict") == refused[:2]
    assert [] == organization.admin.get(f"{ACCOUNTS}/{account['id']}/keys")["items"]
    assert "credential_revoked" == organization.decide(issued["token"])


def test_QU19_the_command_line_does_what_the_api_does(organization: Organization) -> None:
    """
    An account and a key made on the command line are those that the API shows, and the other way round.
    """
    made = organization.cli("account", "create", "from-cli", "--role", "member", "-o", "json")
    ident = made["id"]
    issued = organization.cli("key", "issue", "from-cli@service", "--name", "k1", "-o", "json")
    shown = organization.admin.get(f"{ACCOUNTS}/{ident}")
    organization.account("from-api")

    assert ("from-cli", ["member"]) == (shown["name"], shown["roles"])
    assert "allowed" == organization.decide(issued["token"], "dataset:read")
    listed = organization.cli("account", "list", "-o", "json")
    assert {"from-api", "from-cli"} <= {each["name"] for each in listed["items"]}


def test_QU22_rotation_and_expiration_are_enforced(organization: Organization) -> None:
    """
    Where expiry is required, no token lives longer than the maximum and none for ever; a rotated one ends by
    itself after the overlap.
    """
    organization.set_policy(expiry__required=True, expiry__max_days=30, expiry__default_days=30)
    account = organization.account()
    path = f"{ACCOUNTS}/{account['id']}/keys"
    never = organization.admin.refused("POST", path, {"name": "never", "expires": "never"})
    long = organization.key(account, expires="300d")
    old = organization.key(account)
    new = organization.admin.post(f"{KEYS}/{old['key']['id']}/rotate", overlap="2s")
    both = [organization.decide(each["token"]) for each in (old, new)]

    assert (400, "body.expires") == never[::2]
    assert ("maximum", True) == (
        long["expiry"]["because"],
        abs(days_from_now(long["expiry"]["at"]) - 30) < 0.01,
    )
    assert ["allowed", "allowed"] == both
    wait_for("the old one has ended", lambda: organization.decide(old["token"]) != "allowed", seconds=60)
    assert ["credential_revoked", "allowed"] == [organization.decide(each["token"]) for each in (old, new)]


def test_QU24_a_token_goes_to_the_secrets_manager_alone(organization: Organization) -> None:
    """
    A token that the secrets manager has made is put in force by its digest: it works, and no answer of the
    server ever held it.
    """
    token = mint(Kind.API_KEY, "rtn")
    held = {
        "algorithm": "sha256", "value": hashlib.sha256(token.as_bytes()).hexdigest(), "key_id": token.kid,
    }  # fmt: skip
    organization.set_policy(credentials__format="native")
    account = organization.account()
    answer = organization.admin.call(
        "POST", f"{ACCOUNTS}/{account['id']}/keys", {"name": "vault", "digest": held}
    )

    assert (201, None) == (answer.status, answer.json()["token"])
    assert token.reveal()[-40:] not in answer.body.decode()
    assert "allowed" == organization.decide(token.reveal(), "dataset:read")
    assert "token_unknown" == organization.decide(mint(Kind.API_KEY, kid=token.kid).reveal(), "dataset:read")


def test_QU25_expiry_follows_the_environment(organization: Organization) -> None:
    """
    The token of an account that names an environment lives as long as the policy says for it, and one of an
    account that names none for ever.
    """
    found = {}
    for environment in ("production", "staging", "development", "testing", ""):
        account = organization.account(f"in {environment or 'none'}", environment=environment)
        issued = organization.key(account)
        longer = organization.key(account, expires="360d")
        found[environment] = tuple(
            None if each["expiry"]["at"] is None else round(days_from_now(each["expiry"]["at"]))
            for each in (issued, longer)
        )

    assert {"production": 365, "staging": 180, "development": 90, "testing": 30, "": None} == {
        environment: first for environment, (first, _) in found.items()
    }
    assert {"production": 360, "staging": 180, "development": 90, "testing": 30, "": 360} == {
        environment: longer for environment, (_, longer) in found.items()
    }


def test_QU26_last_used_is_known(organization: Organization) -> None:
    """
    A token that was never used says so; used, it tells when, within a minute.
    """
    issued = organization.key(organization.account())
    path = f"{KEYS}/{issued['key']['id']}"
    before = organization.admin.get(path)
    began = time.time()
    organization.decide(issued["token"], "dataset:read")
    after = organization.used(path)

    assert (None, 0) == (before["last_used_at"], before["use_count"])
    assert after["use_count"] == 1
    assert abs(days_from_now(after["last_used_at"]) * 86_400 - (began - time.time())) < 5


def test_QU27_a_compromised_token_is_revoked_at_once(organization: Organization) -> None:
    """
    Revoked as compromised, the token is refused by the next decision on the node, as the receipt says, and
    nobody can restore it; one that was revoked by mistake is restored.
    """
    account = organization.account()
    stolen, mistaken = organization.key(account), organization.key(account)
    answer = organization.admin.post(f"{KEYS}/{stolen['key']['id']}/revoke", reason="compromised")
    organization.admin.post(f"{KEYS}/{mistaken['key']['id']}/revoke")
    ended = [organization.decide(each["token"]) for each in (stolen, mistaken)]
    refused = organization.admin.refused("POST", f"{KEYS}/{stolen['key']['id']}/restore", {})
    organization.admin.post(f"{KEYS}/{mistaken['key']['id']}/restore")

    assert (True, "complete") == (answer["receipt"]["complete"], answer["receipt"]["state"])
    assert ["credential_revoked"] * 2 == ended
    assert (409, "state_conflict") == refused[:2]
    assert ["credential_revoked", "allowed"] == [
        organization.decide(each["token"]) for each in (stolen, mistaken)
    ]
