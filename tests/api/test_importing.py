"""Keys of another system are imported by their digests, and their tokens go on working."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from base64 import b64encode
from typing import Any

import pytest
from django.db import connection

from retinue.server.credentials.models import Credential, ImportScheme
from retinue.server.ledger.queries import AuditEvent
from tests.api.policies import set_policy
from tests.api.world import STRANGER, Answer, World

KEY = b"the key of the other system"


def made(algorithm: str, token: str) -> bytes:
    """The digest that the other system kept."""
    whole = token.encode()
    if algorithm == "hmac-sha256":
        return hmac.digest(KEY, whole, "sha256")
    return hashlib.new(algorithm, whole).digest()


def bring(world: World, algorithm: str, *keys: dict[str, Any], **more: Any) -> Answer:
    """Import keys as the owner does."""
    scheme = {"name": more.pop("name", f"old {algorithm}"), "algorithm": algorithm, **more.pop("scheme", {})}
    if algorithm == "hmac-sha256":
        scheme.setdefault("key", b64encode(KEY).decode())
    return world.owner.post("/v1/bulk/keys/import", {"scheme": scheme, "keys": list(keys), **more})


def call(token: str) -> tuple[int, str]:
    """Read the keys with a token: status and reason."""
    answer = STRANGER.call("GET", "/v1/keys", headers={"authorization": f"Bearer {token}"})
    return answer.status, answer.headers.get("retinue-error", "")


@pytest.fixture
def account(world: World) -> str:
    """The id of an account that may read keys."""
    return world.account(permissions=("credential:read",)).id


ALGORITHMS = ["sha256", "sha512", "hmac-sha256"]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("encoding", ["hex", "HEX", "base64"])
def test_an_imported_token_works_until_it_is_revoked(
    world: World, account: str, algorithm: str, encoding: str
) -> None:
    """
    By each algorithm, in either encoding; the key is one like any other from then on.
    """
    token = f"AKIA-{secrets.token_hex(12)}"
    digest = made(algorithm, token)
    text = b64encode(digest).decode() if encoding == "base64" else digest.hex()
    item = {
        "account": account,
        "name": "old",
        "digest": text.upper() if encoding == "HEX" else text,
        "last": token[-4:],
    }
    answer = bring(world, algorithm, item, scheme={"prefix": "AKIA"})

    assert (200, 1, "done") == (answer.status, answer.json["done"], answer.json["items"][0]["result"])
    assert (200, "") == call(token)
    assert (401, "token_unknown") == call(token + "x")
    key = world.owner.get(f"/v1/keys/{answer.json['items'][0]['id']}").json
    assert ("imported", f"AKIA…{token[-4:]}", "active") == (key["format"], key["display"], key["state"])
    assert 200 == world.owner.post(f"/v1/keys/{key['id']}/revoke", {}).status
    assert (401, "credential_revoked") == call(token)


def test_a_preview_says_what_an_import_does_and_does_nothing(world: World, account: str) -> None:
    """
    Item by item, with the code and the field of what is refused; the rest is imported all the same.
    """
    good, late = f"AKIA-{secrets.token_hex(12)}", f"AKIA-{secrets.token_hex(12)}"
    items = [
        {"account": account, "name": "a", "digest": made("sha256", good).hex()},
        {"account": account, "name": "a", "digest": made("sha256", late).hex()},
        {"account": account, "name": "b", "digest": "no digest"},
        {"account": "sa_0000000000000000", "name": "c", "digest": made("sha256", late).hex()},
        {"account": account, "name": "d", "digest": made("sha256", good).hex()},
        {"account": account, "name": "e", "digest": made("sha256", late).hex(), "last": "too long"},
    ]
    events = AuditEvent.objects.count()
    preview = bring(world, "sha256", *items, preview=True).json
    assert events == AuditEvent.objects.count()
    assert (401, "token_malformed") == call(good) or (401, "token_unknown") == call(good)
    done = bring(world, "sha256", *items).json

    results = [(each["result"], each["code"], each["field"]) for each in done["items"]]
    assert [
        ("done", None, None),
        ("refused", "duplicate_name", "name"),
        ("refused", "invalid_value", "digest"),
        ("refused", "not_found", None),
        ("unchanged", None, None),
        ("refused", "invalid_value", "last"),
    ] == results
    assert results == [(each["result"], each["code"], each["field"]) for each in preview["items"]]
    assert (1, 1, 4, True) == tuple(preview[name] for name in ("done", "unchanged", "refused", "preview"))
    assert [None] * 6 == [each["id"] for each in preview["items"]]
    assert (200, "") == call(good)


def test_repeating_an_import_changes_nothing(world: World, account: str) -> None:
    """
    So a part that failed can be imported again with all the rest.
    """
    item = {"account": account, "name": "a", "digest": made("sha512", f"AKIA-{secrets.token_hex(9)}").hex()}
    bring(world, "sha512", item)
    events = AuditEvent.objects.count()

    assert ["unchanged"] == [each["result"] for each in bring(world, "sha512", item).json["items"]]
    assert events == AuditEvent.objects.count()


def test_a_token_is_one_credential(world: World, account: str) -> None:
    """
    What another account has already is refused, in whatever organization that is.
    """
    token = f"AKIA-{secrets.token_hex(12)}"
    item = {"account": account, "name": "a", "digest": made("sha256", token).hex()}
    bring(world, "sha256", item)
    other = World.create()
    twice = bring(world, "sha256", {**item, "account": world.account("two").id}).json["items"][0]
    elsewhere = bring(other, "sha256", {**item, "account": other.account().id}).json["items"][0]

    assert [("refused", "state_conflict")] * 2 == [
        (each["result"], each["code"]) for each in (twice, elsewhere)
    ]
    assert (200, "") == call(token)


def test_limits_and_rules_hold_for_imported_keys(world: World, account: str) -> None:
    """
    The number of usable keys, and the longest lifetime.
    """
    set_policy(world, credentials__max_usable=1, expiry__max_days=30, expiry__default_days=30)
    items = [
        {
            "account": account,
            "name": name,
            "digest": made("sha256", secrets.token_hex(12)).hex(),
            "expires": "90d",
        }
        for name in ("a", "b")
    ]
    first, second = bring(world, "sha256", *items).json["items"]

    assert ("done", "too_many_keys") == (first["result"], second["code"])
    assert first["expires_at"] is not None


def test_an_imported_key_gets_a_secret_of_ours(world: World, account: str) -> None:
    """
    Regenerated, it has a token in the format of the policy, and the old one is unknown.
    """
    token = f"AKIA-{secrets.token_hex(12)}"
    item = {"account": account, "name": "a", "digest": made("sha256", token).hex()}
    ident = bring(world, "sha256", item, scheme={"prefix": "AKIA"}).json["items"][0]["id"]
    answer = world.owner.post(f"/v1/keys/{ident}/regenerate", {})

    assert 200 == answer.status, answer.text
    assert (401, "token_unknown") == call(token)
    assert (200, "") == call(answer.json["token"])
    assert "native" == answer.json["key"]["format"]


@pytest.mark.parametrize(
    ("scheme", "field"),
    [
        ({"algorithm": "md5"}, "scheme.algorithm"),
        ({"algorithm": "sha256", "key": "YTph"}, "scheme.key"),
        ({"algorithm": "hmac-sha256"}, "scheme.key"),
        ({"algorithm": "hmac-sha256", "key": "not base64!"}, "scheme.key"),
        ({"algorithm": "hmac-sha256", "key": "c2hvcnQ="}, "scheme.key"),
        ({"algorithm": "sha256", "prefix": "with blank"}, "scheme.prefix"),
        ({"algorithm": "sha256", "prefix": "x" * 65}, "scheme.prefix"),
        ({"algorithm": "sha256", "name": " "}, "scheme.name"),
    ],
)
def test_a_bad_scheme_is_refused_as_a_whole(
    world: World, account: str, scheme: dict[str, Any], field: str
) -> None:
    """
    Naming the field; nothing is written.
    """
    item = {"account": account, "name": "a", "digest": "0" * 64}
    stated: dict[str, Any] = {"name": "x"} | scheme
    answer = world.owner.post("/v1/bulk/keys/import", {"scheme": stated, "keys": [item]})

    assert field == (answer.field or "").removeprefix("body.")
    assert answer.status in (400, 422)
    assert not ImportScheme.objects.filter(organization_id=world.organization.id).exists()


def test_a_name_stands_for_one_scheme(world: World, account: str) -> None:
    """
    With another key, algorithm or prefix it is refused: the tokens before would end without a word.
    """
    item = {"account": account, "name": "a", "digest": made("hmac-sha256", secrets.token_hex(9)).hex()}
    assert 200 == bring(world, "hmac-sha256", item, name="one").status
    changed = [
        bring(world, "hmac-sha256", item, name="one", scheme={"key": b64encode(b"x" * 32).decode()}),
        bring(world, "sha256", item, name="one"),
        bring(world, "hmac-sha256", item, name="one", scheme={"prefix": "y"}),
    ]

    assert [(409, "state_conflict")] * 3 == [(each.status, each.code) for each in changed]


def test_there_are_few_schemes(world: World, account: str) -> None:
    """
    Each makes every unknown text dearer on every node: a fifth is refused.
    """
    item = {"account": account, "name": "a", "digest": made("sha256", secrets.token_hex(9)).hex()}
    answers = [bring(world, "sha256", item, name=f"s{n}", preview=n == 9) for n in range(5)]

    assert [200, 200, 200, 200, 409] == [each.status for each in answers]


def test_neither_digests_nor_keys_are_at_rest(world: World, account: str) -> None:
    """
    Digests are wrapped, the other system's key is sealed; neither stands in an event or an answer.
    """
    token = f"AKIA-{secrets.token_hex(12)}"
    digest = made("hmac-sha256", token)
    item = {"account": account, "name": "a", "digest": digest.hex()}
    answer = bring(world, "hmac-sha256", item)
    row = Credential.objects.get(id=answer.json["items"][0]["id"])
    scheme = ImportScheme.objects.get(organization_id=world.organization.id)
    with connection.cursor() as cursor:
        cursor.execute("SELECT type, before, after FROM ledger_auditevent")
        events = str(cursor.fetchall())

    assert digest != bytes(row.digest)
    assert KEY not in bytes(scheme.sealed)
    for secret in (digest.hex(), b64encode(KEY).decode(), KEY.decode(), KEY.hex(), token):
        assert secret not in events
        assert secret not in answer.text


@pytest.mark.parametrize("who", ["credential:read", "credential:revoke"])
def test_importing_needs_the_permission_to_issue(world: World, account: str, who: str) -> None:
    """
    And no account stronger than the caller gets a key so.
    """
    body = {
        "scheme": {"name": "x", "algorithm": "sha256"},
        "keys": [{"account": account, "name": "a", "digest": "0" * 64}],
    }
    weak = world.caller("credential:issue")

    assert (403, "permission_missing") == (
        (answer := world.caller(who).post("/v1/bulk/keys/import", body)).status,
        answer.code,
    )
    assert ["ceiling_exceeded"] == [
        each["code"] for each in weak.post("/v1/bulk/keys/import", body).json["items"]
    ]
