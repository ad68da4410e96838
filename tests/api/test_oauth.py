"""A key is exchanged for an access token: who gets one, what it may, and what ends it."""

from __future__ import annotations

from base64 import b64encode
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlencode

import pytest

from retinue.server.credentials.models import Credential
from retinue.server.directory.queries import Principal
from retinue.server.policies import rules
from retinue.server.traffic.models import Request
from retinue.token import Kind, Token, parse
from tests.api.policies import set_policy
from tests.api.world import STRANGER, Answer, Caller, World

PATH = "/v1/oauth/token"
FORM = {"content-type": "application/x-www-form-urlencoded"}
GRANT = {"grant_type": "client_credentials"}


def basic(ident: str, secret: str) -> dict[str, str]:
    """Client authentication in the header, as RFC 6749 encodes it."""
    pair = f"{quote(ident, safe='')}:{quote(secret, safe='')}"
    return {"authorization": "Basic " + b64encode(pair.encode()).decode()}


def ask(ident: str, secret: str, **more: str) -> Answer:
    """Exchange a key, with Basic."""
    body = urlencode({**GRANT, **more}).encode()
    return STRANGER.call("POST", PATH, raw=body, headers=FORM | basic(ident, secret))


def raw(form: object, headers: dict[str, str] | None = None, path: str = PATH) -> Answer:
    """Send whatever form."""
    body = form.encode() if isinstance(form, str) else urlencode(form).encode()  # type: ignore[arg-type]
    return STRANGER.call("POST", path, raw=body, headers=FORM | (headers or {}))


def bearer(answer: Answer) -> Caller:
    """Whoever presents the access token of an answer."""
    token = parse(answer.json["access_token"])
    assert token is not None
    return Caller(token)


@pytest.fixture
def account(world: World) -> Principal:
    """An account that may read keys, in an organization that offers access tokens."""
    set_policy(world, credentials__exchange_seconds=600)
    return world.account("etl", permissions=("credential:read",))


@pytest.fixture
def key(world: World, account: Principal) -> tuple[Credential, Token]:
    """A key of it."""
    return world.key(account)


def test_a_key_gets_an_access_token(key: tuple[Credential, Token]) -> None:
    """
    With Basic or in the body, by the id of the key or its key id: a bearer token for so many seconds.
    """
    row, token = key
    body = {"client_id": row.id, "client_secret": token.reveal()}
    for answer in (ask(row.id, token.reveal()), ask(row.kid, token.reveal()), raw(GRANT | body)):
        assert 200 == answer.status
        assert {"access_token", "token_type", "expires_in"} == set(answer.json)
        assert ("Bearer", "no-store", "no-cache") == (
            answer.json["token_type"],
            answer.headers["cache-control"],
            answer.headers["pragma"],
        )
        assert 598 <= answer.json["expires_in"] <= 600
        made = parse(answer.json["access_token"])
        assert made is not None
        assert (Kind.ACCESS, row.kid) == (made.kind, made.kid)
        assert 200 == bearer(answer).get("/v1/keys").status


def test_it_is_in_the_log_and_not_a_row(world: World, key: tuple[Credential, Token]) -> None:
    """
    Exchange and use stand under the account's name and its key; no credential is made.
    """
    row, token = key
    rows = Credential.objects.count()
    answer = ask(row.id, token.reveal())
    bearer(answer).get("/v1/keys")

    assert rows == Credential.objects.count()
    assert answer.json["access_token"] not in str(list(Request.objects.values()))
    assert row.id == bearer(answer).get("/v1/me").json["credential"]["id"]


@pytest.mark.parametrize(
    "end", ["revoke", "delete", "suspend the account", "regenerate", "stop offering", "compromise"]
)
def test_what_ends_the_key_ends_it(world: World, key: tuple[Credential, Token], end: str) -> None:
    """
    At once, whatever it still had to live.
    """
    row, token = key
    caller = bearer(ask(row.id, token.reveal()))
    assert 200 == caller.get("/v1/keys").status
    owner = world.owner
    match end:
        case "revoke":
            done = owner.post(f"/v1/keys/{row.id}/revoke", {"reason": "compromised"})
        case "delete":
            done = owner.post(f"/v1/keys/{row.id}/revoke", {"reason": "compromised"})
            assert done.status == 200
            done = owner.delete(f"/v1/keys/{row.id}")
        case "suspend the account":
            done = owner.post(f"/v1/service-accounts/{row.principal_id}/disable")
        case "regenerate":
            done = owner.post(f"/v1/keys/{row.id}/regenerate")
        case "compromise":
            done = owner.post(
                f"/v1/service-accounts/{row.principal_id}/compromise", {"confirm": 1, "reason": "leaked"}
            )
        case _:
            set_policy(world, credentials__exchange_seconds=None)
            done = world.owner.get("/v1/me")

    assert 200 <= done.status < 300, done
    assert caller.get("/v1/keys").status in (401, 403)


def test_it_does_not_outlive_the_key(world: World, account: Principal) -> None:
    """
    A key with less than ten minutes left gives as much as it has; an organization that offers less, less.
    """
    row, token = world.key(account)
    soon = (
        datetime.fromtimestamp(int(datetime.now(UTC).timestamp()) + 120, UTC)
        .isoformat()
        .replace("+00:00", "Z")
    )
    made = world.owner.post(
        f"/v1/service-accounts/{account.id}/keys", {"name": "short", "expires": soon}
    ).json
    assert 100 <= ask(made["key"]["id"], made["token"]).json["expires_in"] <= 120
    long = bearer(ask(row.id, token.reveal()))
    set_policy(world, credentials__exchange_seconds=60)

    assert 60 >= ask(row.id, token.reveal()).json["expires_in"]
    # One that was made for longer than is allowed by now has ended.
    assert (401, "credential_expired") == (long.get("/v1/keys").status, long.get("/v1/keys").code)


def test_it_makes_nothing_that_lasts(key: tuple[Credential, Token]) -> None:
    """
    It is exchanged for nothing, and does not rotate the key that it stands for; the key itself does.
    """
    row, token = key
    answer = ask(row.id, token.reveal())
    again = ask(row.id, answer.json["access_token"])

    assert (401, "invalid_client") == (again.status, again.json["error"])
    assert 403 == bearer(answer).post(f"/v1/keys/{row.id}/rotate").status
    assert 201 == Caller(token).post(f"/v1/keys/{row.id}/rotate").status


@pytest.mark.parametrize("form", ["pair", "jwt", "uuid", "sk_hex"])
def test_every_format_is_exchanged(world: World, account: Principal, form: str) -> None:
    """
    Of a pair, id and secret are its halves; its organization need not accept bearer tokens otherwise.
    """
    set_policy(world, credentials__format=form)
    row, token = world.key(account)
    if form == "pair":
        set_policy(world, credentials__schemes=["basic_pair", "apikey"])
        ident, _, secret = token.reveal().partition(":")
    else:
        ident, secret = row.id, token.reveal()
    answer = ask(ident, secret)

    assert 200 == answer.status, answer
    assert 200 == bearer(answer).get("/v1/keys").status


def test_precisely_gives_an_hour() -> None:
    """
    The preset says so, and the key is enforced: nothing of it waits.
    """
    assert 3600 == rules.preset("precisely")[0].credentials_exchange_seconds


def test_a_narrowed_key_gives_a_narrowed_token(world: World, account: Principal) -> None:
    """
    Networks hold for the exchange too; endpoints and methods for the token.
    """
    narrowed = {"name": "n", "restrictions": {"networks": ["127.0.0.0/8"], "endpoints": ["/v1/me"]}}
    made = world.owner.post(f"/v1/service-accounts/{account.id}/keys", narrowed).json
    answer = ask(made["key"]["id"], made["token"])
    assert 200 == answer.status
    caller = bearer(answer)
    form = urlencode(GRANT).encode()
    elsewhere = STRANGER.call(
        "POST", PATH, raw=form, headers=FORM | basic(made["key"]["id"], made["token"]), address="192.0.2.1"
    )

    assert (200, 403) == (caller.get("/v1/me").status, caller.get("/v1/keys").status)
    assert (401, "invalid_client") == (elsewhere.status, elsewhere.json["error"])


def test_who_is_no_client_learns_nothing(world: World, key: tuple[Credential, Token]) -> None:
    """
    401 with a challenge, the same for whatever is wrong; an ended key is told why.
    """
    row, token = key
    other = world.key(world.account("other"))
    wrong = token.reveal()[:-7] + ("A" if token.reveal()[-7] != "A" else "B") + token.reveal()[-6:]
    answers = [ask(row.id, wrong), ask("key_nobody", "x" * 40), raw(GRANT), ask(other[0].id, token.reveal())]
    assert [(401, "invalid_client")] * 4 == [(each.status, each.json["error"]) for each in answers]
    assert {'Basic realm="retinue"'} == {each.headers["www-authenticate"] for each in answers}
    world.owner.post(f"/v1/keys/{row.id}/revoke", {"reason": "compromised"})

    ended = ask(row.id, token.reveal())
    assert (401, "credential_revoked") == (ended.status, ended.json["error_description"])


def test_other_organizations_offer_none(world: World) -> None:
    """
    Without the key in the policy there is nothing to get.
    """
    row, token = world.key(world.account("etl"))
    answer = ask(row.id, token.reveal())

    assert (400, "unauthorized_client") == (answer.status, answer.json["error"])


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({}, "invalid_request"),
        ("grant_type", "invalid_request"),
        ("grant_type=client_credentials&grant_type=client_credentials", "invalid_request"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({**GRANT, "scope": "report:read"}, "invalid_scope"),
        ({**GRANT, "client_id": "another"}, "invalid_request"),
        ({**GRANT, "client_secret": "x", "client_id": "y"}, "invalid_request"),
        ("grant_type=" + "x" * 5000, "invalid_request"),
        ("&".join(f"a{number}=1" for number in range(40)), "invalid_request"),
    ],
)
def test_errors_are_those_of_oauth(key: tuple[Credential, Token], form: Any, error: str) -> None:
    """
    Status 400 and the code of RFC 6749; a secret never stands in the address.
    """
    row, token = key
    answer = raw(form, basic(row.id, token.reveal()))

    assert (400, error) == (answer.status, answer.json["error"])
    assert token.reveal() not in answer.text


def test_only_a_form_in_a_post(key: tuple[Credential, Token]) -> None:
    """
    JSON, a query and other methods are refused.
    """
    row, token = key
    who = basic(row.id, token.reveal())
    asked = STRANGER.call("POST", PATH, {"grant_type": "client_credentials"}, headers=who)
    assert (400, "invalid_request") == (asked.status, asked.json["error"])
    assert (400, "invalid_request") == (
        raw(GRANT, who, f"{PATH}?a=b").status,
        raw(GRANT, who, f"{PATH}?a=b").json["error"],
    )
    assert 405 == STRANGER.get(PATH, who).status
