"""``/v1/leaks``: tokens that were found are ended by whoever holds them; nobody learns which are known."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from django.conf import settings
from django.utils import timezone

from retinue.attempts import Allowance
from retinue.server.api import leaks as leaks_api
from retinue.server.credentials.models import Credential
from retinue.server.governance.models import Leak
from retinue.server.nodes import receipts
from retinue.token import Kind, mint
from tests.api.policies import set_policy
from tests.api.world import STRANGER, Answer, Caller, World
from tests.support.snippets import DOCS, blocks

REVOKE, VERIFY, GITHUB = "/v1/leaks/revoke", "/v1/leaks/verify", "/v1/leaks/github"
PAGE = "https://github.example/acme/app/blob/main/.env"


@pytest.fixture(autouse=True)
def plenty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other tests have reported from this network too."""
    monkeypatch.setattr(leaks_api, "allowance", Allowance(60, 3600.0))


def report(*tokens: str, **stated: str) -> Answer:
    return STRANGER.post(REVOKE, {"tokens": list(tokens), **stated})


def events(world: World, kind: str) -> list[dict[str, object]]:
    found: list[dict[str, object]] = world.owner.get(f"/v1/audit-events?type={kind}").json["items"]
    return found


def test_whoever_holds_a_token_ends_it(world: World) -> None:
    """
    A stranger reports a key and a personal access token: both are revoked as compromised, for good and with a receipt;
    the events say by whom and where they were found, and a finding stands until the credential is deleted.
    """
    account = world.account()
    key, token = world.key(account)
    user, caller = world.user()
    pat = Credential.objects.get(principal_id=user.id)
    assert caller.token is not None
    answer = report(token.reveal(), caller.token.reveal(), source="gitleaks", url=PAGE)
    finding = f"/v1/findings/fnd_leaked-{key.id}"
    found = world.owner.get(finding).json

    assert (202, {"received": 2}) == (answer.status, answer.json)
    assert ["credential_revoked"] * 2 == [
        each.get("/v1/me").code for each in (Caller(token, account), caller)
    ]
    assert [("revoked", "compromised")] * 2 == list(
        Credential.objects.filter(id__in=[key.id, pat.id]).values_list("state", "reason")
    )
    assert 409 == world.owner.post(f"/v1/keys/{key.id}/restore").status
    [said], [revoked] = events(world, "key.leaked"), events(world, "key.revoked")
    assert ("anonymous", {"source": "gitleaks", "url": PAGE}) == (said["actor"]["kind"], said["after"])  # type: ignore[index]
    assert said["revision"] == revoked["revision"] == events(world, "pat.leaked")[0]["revision"]
    assert receipts.of_revision(int(str(said["revision"]))) is not None
    assert (1, "gitleaks", PAGE) == tuple(found["evidence"][name] for name in ("reports", "source", "url"))
    world.owner.delete(f"/v1/keys/{key.id}")
    assert 404 == world.owner.get(finding).status


def test_known_and_unknown_are_answered_alike(world: World) -> None:
    """
    What is known, unknown, mistyped, no token at all, or ended already is answered with the same bytes; of another
    organization's report nothing is visible here.
    """
    _, token = world.key(world.account())
    stranger = mint(Kind.API_KEY).reveal()
    known, again = report(token.reveal()), report(token.reveal())
    answers = [known, again, report(stranger), report(token.reveal()[:-1] + "x"), report("no token")]

    assert {(202, '{"received":1}')} == {(each.status, each.text) for each in answers}
    assert 1 == len({tuple(sorted(each.headers.keys())) for each in answers})
    assert [] == events(World.create(), "key.leaked")


def test_a_report_that_says_nothing_new_is_kept_once(world: World) -> None:
    """
    The same report again adds nothing; a loop of other ones fills neither the log nor the table.
    """
    key, token = world.key(world.account())
    for _ in range(3):
        report(token.reveal(), url=PAGE)
    for number in range(30):
        report(token.reveal(), url=f"{PAGE}?{number}")

    assert 20 == Leak.objects.filter(credential=key.id).count() == len(events(world, "key.leaked"))
    assert 1 == len(events(world, "key.revoked"))


def test_what_was_revoked_otherwise_is_noted_as_compromised(world: World) -> None:
    """
    A key that was revoked and could come back cannot any more once its token was found.
    """
    set_policy(world, revoke__restore_hours=None)
    key, token = world.key(world.account())
    world.owner.post(f"/v1/keys/{key.id}/revoke")
    report(token.reveal())

    assert "compromised" == world.owner.get(f"/v1/keys/{key.id}").json["reason"]
    assert 409 == world.owner.post(f"/v1/keys/{key.id}/restore").status


def test_a_place_that_is_none_is_refused(world: World) -> None:
    """
    A source or address that is too long, no address, or holds a token itself names its field; nothing is ended.
    """
    account = world.account()
    _, token = world.key(account)
    wrong = [
        ({"url": "javascript:alert(1)"}, "body.url"),
        ({"url": f"https://x.example/{token.reveal()}"}, "body.url"),
        ({"url": "https://x.example/" + "x" * 2048}, "body.url"),
        ({"source": "s" * 65}, "body.source"),
        ({"source": token.reveal()}, "body.source"),
    ]
    for stated, field in wrong:
        answer = report(token.reveal(), **stated)
        assert (400, "invalid_value", field) == (answer.status, answer.code, answer.field)
    assert 400 == STRANGER.post(REVOKE, {"tokens": []}).status
    assert 400 == STRANGER.post(REVOKE, {"tokens": ["x"] * 1001}).status
    assert 200 == Caller(token, account).get("/v1/me").status


def test_a_thousand_tokens_fit_and_a_network_has_sixty_calls(world: World) -> None:
    """
    A report of a thousand tokens is taken; the sixty-first call of a network in an hour is refused before anything
    is looked at, and another network still gets through.
    """
    account = world.account()
    _, token = world.key(account)
    tokens = [mint(Kind.API_KEY).reveal() for _ in range(1000)]
    assert {202} == {STRANGER.call("POST", REVOKE, {"tokens": tokens}, address="192.0.2.7").status}
    for _ in range(59):
        STRANGER.call("POST", REVOKE, {"tokens": ["x"]}, address="192.0.2.9")
    refused = STRANGER.call("POST", REVOKE, {"tokens": [token.reveal()]}, address="192.0.2.8")

    assert (429, "rate_limited") == (refused.status, refused.code)
    assert 200 == Caller(token, account).get("/v1/me").status
    assert 202 == STRANGER.call("POST", REVOKE, {"tokens": [token.reveal()]}, address="198.51.100.1").status
    assert 401 == Caller(token, account).get("/v1/me").status


def test_an_access_token_ends_its_key_while_it_lives(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    A short-lived stand-in that is found ends its key; one that has ended by itself ends nothing.
    """
    set_policy(world, credentials__exchange_seconds=60)
    account = world.account()
    key, token = world.key(account)
    basic = base64.b64encode(f"{key.id}:{token.reveal()}".encode()).decode()
    made = STRANGER.call(
        "POST", "/v1/oauth/token", raw=b"grant_type=client_credentials",
        headers={"authorization": f"Basic {basic}", "content-type": "application/x-www-form-urlencoded"},
    ).json["access_token"]  # fmt: skip
    with monkeypatch.context() as later:
        later.setattr("retinue.server.api.found_tokens.time.time", lambda: timezone.now().timestamp() + 61)
        report(made)
    before = Caller(token, account).get("/v1/me").status
    report(made)

    assert (200, 401) == (before, Caller(token, account).get("/v1/me").status)


def test_a_scanner_asks_which_are_genuine(world: World) -> None:
    """
    A caller with credential:read learns of its own organization's tokens which are genuine and which still work;
    those of others are as unknown as any. Nothing is ended.
    """
    account = world.account()
    live, revoked = world.key(account, "live"), world.key(account, "revoked")
    world.owner.post(f"/v1/keys/{revoked[0].id}/revoke")
    foreign = World.create()
    _, theirs = foreign.key(foreign.account())
    asked = [live[1].reveal(), theirs.reveal(), revoked[1].reveal(), "x" * 20]
    answer = world.caller("credential:read").post(VERIFY, {"tokens": asked})

    assert [(True, True, live[0].id), (False, False, None), (True, False, revoked[0].id), (False, False, None)] == [
        (each["genuine"], each["usable"], each["credential_id"]) for each in answer.json["items"]
    ]  # fmt: skip
    assert 200 == Caller(live[1], account).get("/v1/me").status
    assert 403 == world.caller().post(VERIFY, {"tokens": asked}).status


class GitHub:
    """Signs reports as GitHub does; its public key is pinned in a file."""

    def __init__(self, folder: Path) -> None:
        self.name = secrets.token_hex(16)
        self._key = ec.generate_private_key(ec.SECP256R1())
        pem = self._key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        (shown,) = [block for block in blocks(DOCS / "how-to" / "leaks.md") if block.language == "json"]
        document = json.loads(shown.text)
        assert [["key", "key_identifier"]] == [sorted(each) for each in document["public_keys"]]
        document["public_keys"] = [{"key_identifier": self.name, "key": pem.decode(), "is_current": True}]
        self.file = folder / "keys.json"
        self.file.write_text(json.dumps(document))

    def send(self, matches: object, *, signed: bytes | None = None, name: str | None = None) -> Answer:
        body = json.dumps(matches).encode()
        signature = self._key.sign(body if signed is None else signed, ec.ECDSA(SHA256()))
        headers = {
            "github-public-key-identifier": name or self.name,
            "github-public-key-signature": base64.b64encode(signature).decode(),
        }
        return STRANGER.call("POST", GITHUB, raw=body, headers=headers)


@pytest.fixture
def github(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> GitHub:
    """See :class:`GitHub`."""
    made = GitHub(tmp_path)
    monkeypatch.setattr(settings, "INSTALLATION", replace(settings.INSTALLATION, leak_keys_file=made.file))
    return made


def test_a_signed_report_of_github_ends_what_it_names(world: World, github: GitHub) -> None:
    """
    GitHub learns which of its matches were genuine, by the digest of each; the genuine one is ended, with its page. What
    is odd about the place is left out, and keeps nothing alive.
    """
    account = world.account()
    (key, token), odd = world.key(account), world.key(account, "odd")
    unknown = mint(Kind.API_KEY).reveal()
    matches = [
        {"token": token.reveal(), "type": "retinue_key", "url": PAGE, "source": "commit", "new": 1},
        {"token": unknown, "type": "retinue_key", "url": PAGE, "source": "commit"},
        {"token": odd[1].reveal(), "type": "retinue_key", "url": "nonsense", "source": None},
    ]
    answer = github.send(matches)
    digest = base64.b64encode(hashlib.sha256(token.reveal().encode()).digest()).decode()

    assert (200, ["true_positive", "false_positive", "true_positive"]) == (
        answer.status, [each["label"] for each in answer.json],
    )  # fmt: skip
    assert {"token_hash": digest, "token_type": "retinue_key", "label": "true_positive"} == answer.json[0]
    assert [("github commit", PAGE), ("github", "")] == [
        Leak.objects.filter(credential=each).values_list("source", "url").get()
        for each in (key.id, odd[0].id)
    ]
    assert "GitHub secret scanning" == events(world, "key.leaked")[0]["actor"]["name"]  # type: ignore[index]


def test_what_github_did_not_sign_is_refused(world: World, github: GitHub) -> None:
    """
    Another body than was signed, a key that is not pinned, a signature that is none, and none at all: 401, and nothing
    ends. Without a pinned key there is no such address.
    """
    account = world.account()
    _, token = world.key(account)
    match = [{"token": token.reveal(), "type": "t", "url": PAGE, "source": "commit"}]
    headers = {"github-public-key-identifier": github.name, "github-public-key-signature": "AAAA"}
    refused = [
        github.send(match, signed=b"[]"),
        github.send(match, name="another"),
        STRANGER.call("POST", GITHUB, match, headers=headers),
        STRANGER.post(GITHUB, match),
    ]
    github.file.write_text("{}")
    refused.append(github.send(match))

    assert [(401, "caller_required")] * 5 == [(each.status, each.code) for each in refused]
    assert 200 == Caller(token, account).get("/v1/me").status
    assert 405 == STRANGER.get(GITHUB).status


def test_without_pinned_keys_nobody_speaks_for_github(world: World) -> None:
    """
    By default nothing is set up and nothing is fetched: the address does not exist.
    """
    assert (404, "not_found") == ((answer := STRANGER.post(GITHUB, [])).status, answer.code)
