"""Precisely: API keys, which are pairs of an id and a secret."""

from __future__ import annotations

from base64 import b64encode

from tests.conformance.callers import ACCOUNTS, KEYS
from tests.conformance.server import Organization, Server


def _basic(token: str, scheme: str = "Basic") -> str:
    return f"{scheme} {b64encode(token.encode()).decode()}"


def _able(organization: Organization, name: str = "finance team") -> dict[str, object]:
    """Make a service user that may read datasets."""
    if not [each for each in organization.admin.get("/v1/roles")["items"] if each["handle"] == "reader"]:
        organization.admin.post("/v1/roles", name="Reader", handle="reader", permissions=["dataset:read"])
    return organization.account(name, roles=["reader"])


def test_PR11_all_keys_inherit_the_permissions(organization: Organization) -> None:
    """
    Both keys may what the service user may, and nothing else.
    """
    account = _able(organization)
    tokens = [organization.key(account)["token"] for _ in range(2)]

    assert [{"dataset:read"}] * 2 == [
        organization.may(each, "dataset:read", "dataset:create") for each in tokens
    ]


def test_PR12_a_change_applies_to_all_keys_at_once(organization: Organization) -> None:
    """
    The next decision about each key follows a change of the service user, in both directions.
    """
    account = organization.account("finance team")
    tokens = [organization.key(account)["token"] for _ in range(2)]
    organization.admin.post("/v1/roles", name="Reader", handle="reader", permissions=["dataset:read"])
    seen = []
    for roles in (["reader"], [], ["reader"]):
        organization.admin.patch(f"{ACCOUNTS}/{account['id']}", roles=roles)
        seen.append([organization.decide(token, "dataset:read") for token in tokens])

    assert [["allowed"] * 2, ["permission_missing"] * 2, ["allowed"] * 2] == seen


def test_PR15_a_key_is_regenerated_or_deleted(organization: Organization) -> None:
    """
    From the service user a key gets a new secret, or is deleted: in one step, and then no secret of it works.
    """
    account = organization.account("finance team")
    issued = organization.key(account)
    path = f"{KEYS}/{issued['key']['id']}"
    again = organization.admin.post(f"{path}/regenerate")
    between = [organization.decide(each["token"]) for each in (issued, again)]
    organization.admin.delete(path)

    assert ["token_unknown", "allowed"] == between
    assert "credential_revoked" == organization.decide(again["token"])
    assert [] == organization.admin.get(f"{ACCOUNTS}/{account['id']}/keys")["items"]


def test_PR16_regenerating_keeps_the_id(organization: Organization) -> None:
    """
    The id of the key, in answers and in the pair, stays; only the secret is another.
    """
    issued = organization.key(organization.account("finance team"))
    again = organization.admin.post(f"{KEYS}/{issued['key']['id']}/regenerate")
    before, after = (each["token"].partition(":") for each in (issued, again))

    assert [issued["key"][name] for name in ("id", "key_id", "name")] == [
        again["key"][name] for name in ("id", "key_id", "name")
    ]
    assert (before[0], True) == (after[0], before[2] != after[2])


def test_PR17_the_secret_is_displayed_once(organization: Organization) -> None:
    """
    It stands in the answer that generates or regenerates the key, and in no other.
    """
    account = organization.account("finance team")
    issued = organization.key(account)
    again = organization.admin.post(f"{KEYS}/{issued['key']['id']}/regenerate")
    secrets = [each["token"].partition(":")[2] for each in (issued, again)]
    paths = (f"{KEYS}/{issued['key']['id']}", KEYS, f"{ACCOUNTS}/{account['id']}/keys", "/v1/audit-events")
    texts = [organization.admin.call("GET", path).body.decode() for path in paths]

    assert [30 < len(secret) for secret in secrets] == [True, True]
    assert [] == [text for text in texts if any(secret in text for secret in secrets)]


def test_PR18_up_to_two_keys(organization: Organization) -> None:
    """
    A service user has two keys that work; with one revoked there is room for another.
    """
    account = organization.account("finance team")
    first, second = organization.key(account), organization.key(account)
    organization.admin.post(f"{KEYS}/{first['key']['id']}/revoke")
    third = organization.key(account)

    assert ["credential_revoked", "allowed", "allowed"] == [
        organization.decide(each["token"]) for each in (first, second, third)
    ]
    assert 2 == organization.admin.get(f"{ACCOUNTS}/{account['id']}")["keys"]["usable"]


def test_PR19_two_keys_rotate_without_disruption(organization: Organization) -> None:
    """
    The successor works beside the key that it replaces, until that one is ended: at no moment does neither work.
    """
    account = _able(organization)
    old = organization.key(account)
    new = organization.admin.post(f"{KEYS}/{old['key']['id']}/rotate")
    beside = [organization.decide(each["token"], "dataset:read") for each in (old, new)]
    organization.admin.post(f"{KEYS}/{old['key']['id']}/revoke")

    assert (["allowed", "allowed"], old["key"]["id"]) == (beside, new["key"]["rotated_from"])
    assert ["credential_revoked", "allowed"] == [
        organization.decide(each["token"], "dataset:read") for each in (old, new)
    ]


def test_PR22_a_name_for_the_key_is_asked_for(organization: Organization) -> None:
    """
    Without a name no key is made; two may have the same.
    """
    account = organization.account("finance team")
    path = f"{ACCOUNTS}/{account['id']}/keys"
    refused = organization.admin.refused("POST", path, {})
    names = [organization.admin.post(path, name="month end")["key"]["name"] for _ in range(2)]

    assert (400, "missing_field", "body.name") == refused
    assert ["month end", "month end"] == names


def test_PR23_a_key_is_active_once_it_is_made(organization: Organization) -> None:
    """
    The answer says that it is active, and the next decision allows it.
    """
    issued = organization.key(_able(organization))

    assert "active" == issued["key"]["state"]
    assert "allowed" == organization.decide(issued["token"], "dataset:read")


def test_PR24_a_key_is_an_id_and_a_secret(organization: Organization, server: Server) -> None:
    """
    The public id and the secret, as an Apikey or as Basic: accepted together, refused with another secret, with
    the id of another key, and as a bearer.
    """
    account = _able(organization)
    issued, other = organization.key(account), organization.key(account)
    ident, _, secret = issued["token"].partition(":")
    wrong = f"{other['token'].partition(':')[0]}:{secret}"

    assert issued["key"]["key_id"] == ident
    assert [200, 200] == [
        server.present(f"dataset:read@{organization.handle}", _basic(issued["token"], scheme)).status
        for scheme in ("Basic", "Apikey")
    ]
    for sent in (_basic(wrong), _basic(f"{ident}:{secret[:-1]}"), _basic(ident), f"Bearer {issued['token']}"):
        assert 401 == server.present(f"dataset:read@{organization.handle}", sent).status, sent


def test_PR25_a_third_key_is_refused(organization: Organization) -> None:
    """
    While two work a third is refused, with the limit and the keys that could be revoked; also as a successor.
    """
    account = organization.account("finance team")
    issued = [organization.key(account) for _ in range(2)]
    path = f"{ACCOUNTS}/{account['id']}/keys"
    answer = organization.admin.call("POST", path, {"name": "third"})
    rotated = organization.admin.refused("POST", f"{KEYS}/{issued[0]['key']['id']}/rotate", {})

    assert (409, "too_many_keys") == (answer.status, answer.json()["code"])
    assert [] == [each["key"]["id"] for each in issued if each["key"]["id"] not in answer.json()["detail"]]
    assert "2" in answer.json()["detail"]
    assert "too_many_keys" == rotated[1]
    assert 2 == len(organization.admin.get(path)["items"])
