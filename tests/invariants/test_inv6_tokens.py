"""INV6: tokens are never stored or logged in readable form; no list or read call returns one."""

from __future__ import annotations

import base64
import logging
import re
from collections.abc import Iterator
from typing import Any, get_args

import pytest
from django.db import connection
from ninja import Schema

from retinue.server.access.catalogue import INSTALLATION
from retinue.server.api import routes  # noqa: F401  (fills the table)
from retinue.server.api.operations import OPERATIONS
from retinue.server.credentials.models import Credential
from retinue.server.ledger import current
from tests.api.policies import set_policy
from tests.api.world import World
from tests.authorization.specimens import SPECIMENS
from tests.invariants.ground import Ground, done, hasty

READS = [each for each in OPERATIONS if each.method == "GET" and each.path != "/openapi.json"]


def _forms(token: str) -> list[bytes]:
    """The spellings in which a token would be readable: itself, reversed, as base64 and as hexadecimal."""
    raw = token.encode()
    secret = raw[-40:]
    encoded = [base64.b64encode(raw[shift:])[:-4] for shift in range(3)]
    return [secret, secret[::-1], secret.hex().encode(), *encoded]


def _cells() -> Iterator[tuple[str, bytes]]:
    """Give (table, value) for every cell of the database, and what its binary values are in hexadecimal."""
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f'SELECT * FROM "{table}"')  # noqa: S608
            for row in cursor.fetchall():
                for value in row:
                    if isinstance(value, (bytes, memoryview)):
                        yield table, bytes(value)
                    elif value is not None:
                        yield table, str(value).encode()


def _places(tokens: list[str]) -> set[str]:
    """Return the tables in which one of ``tokens`` is readable."""
    wanted = re.compile(b"|".join(re.escape(form) for token in tokens for form in _forms(token)))
    return {table for table, value in _cells() if wanted.search(value)}


def _answers_token(answer: Any) -> bool:
    """Tell whether a model of an answer holds a token, at whatever depth."""
    if not isinstance(answer, type) or not issubclass(answer, Schema):
        return any(_answers_token(each) for each in get_args(answer))
    fields = answer.model_fields
    return "token" in fields or any(_answers_token(each.annotation) for each in fields.values())


#: Every operation that answers a token. That of a node renews its own credential once that is due.
ISSUING = [each for each in OPERATIONS if _answers_token(each.answer) and each.name != "renew_credential"]


#: These answer one only where the policy, or the caller, wants it; of a plan it is the token's description.
MAY_ANSWER_NONE = {"create_service_account", "duplicate_service_account", "plan_conversion"}


def _tokens_in(body: Any) -> Iterator[str]:
    if isinstance(body, dict):
        found = body.get("token")
        yield from [found] if isinstance(found, str) else []
    for each in body.values() if isinstance(body, dict) else body if isinstance(body, list) else ():
        yield from _tokens_in(each)


def _issued(ground: Ground) -> list[str]:
    """Let every operation that answers a token do so, and repeat it under the same key; return the tokens."""
    set_policy(ground.world, ingest__enabled=True, pat__max_usable=None)
    operator = World.create(operator=True)
    found: dict[str, list[str]] = {}
    for each in ISSUING:
        of_installation = set(each.needs) <= INSTALLATION if isinstance(each.needs, tuple) else False
        world = operator if of_installation else ground.world
        made = SPECIMENS[each.name](world, world.owner)
        for _ in range(2):
            headers = {"Idempotency-Key": f"inv6-{each.name}"}
            answer = hasty(world.owner).call(each.method, made.path, made.body, headers=headers)
            found.setdefault(each.name, []).extend(_tokens_in(done(answer)))
    assert MAY_ANSWER_NONE == {name for name, tokens in found.items() if not tokens}
    every = [token for tokens in found.values() for token in tokens]
    assert len(every) == len(set(every)), "every answer has a token of its own"
    return every


def test_inv6_no_cell_of_the_database_holds_a_token(ground: Ground) -> None:
    """
    After every operation that answers a token, and after calls made with them, no cell of any table holds one,
    neither plain nor reversed nor encoded.
    """
    tokens = _issued(ground)
    for token in tokens:
        ground.owner.get("/v1/me", {"authorization": f"Bearer {token}"})

    assert set() == _places(tokens)


def test_inv6_the_search_finds_a_token(ground: Ground) -> None:
    """
    Negative control: a token that stands in a row, plain or encoded, is found.
    """
    [token, *_] = _issued(ground)
    row = Credential.objects.filter(organization=ground.world.organization).first()
    assert row is not None
    assert {"issue_key", "issue_my_token", "issue_ingest_token", "create_organization"} <= {
        each.name for each in ISSUING
    }
    for text in (token, f"x {token} y", base64.b64encode(f"id:{token}".encode()).decode(), token[::-1]):
        with current.suspended():
            Credential.objects.filter(id=row.id).update(reason_text=text)

        assert {"credentials_credential"} == _places([token]), text
    with current.suspended():
        Credential.objects.filter(id=row.id).update(reason_text="")


def test_inv6_no_read_answers_a_token(ground: Ground) -> None:
    """
    No operation that reads, list or single, answers any part of a secret; nor does a retry of a change that
    answered one long ago under another key.
    """
    tokens = _issued(ground)
    operator = hasty(World.create(operator=True).owner)
    ids = {
        "account_id": done(ground.owner.get("/v1/service-accounts"))["items"][0]["id"],
        "key_id": done(ground.owner.get("/v1/keys"))["items"][0]["id"],
        "user_id": ground.owner.id,
        "node_id": done(operator.get("/v1/nodes"))["items"][0]["id"],
        "event_id": done(ground.owner.get("/v1/audit-events"))["items"][0]["id"],
    }
    texts = []
    for each in READS:
        path = re.sub(r"{(\w+)}", lambda found: ids.get(found[1], "x_0000000000000000"), f"/v1{each.path}")
        texts += [caller.get(path).text for caller in (ground.owner, operator)]
    wanted = [form.decode() for token in tokens for form in _forms(token)]

    assert [] == [text[:200] for text in texts if any(form in text for form in wanted)]
    assert len(texts) == 2 * len(READS)


def test_inv6_nothing_that_is_logged_holds_a_token(ground: Ground, caplog: pytest.LogCaptureFixture) -> None:
    """
    What the control plane logs at its most talkative, also about calls that fail, holds no part of a secret.
    """
    with caplog.at_level(logging.DEBUG):
        tokens = _issued(ground)
        for token in tokens:
            for text in (token, token[:-1], token.upper(), f"{token}x"):
                ground.owner.get("/v1/me", {"authorization": f"Bearer {text}"})
                ground.owner.get(f"/v1/keys/{text}")
                ground.owner.post("/v1/service-accounts", {"name": text, "purpose": text})
    secrets = [token[-49:-9] for token in tokens]

    assert [] == [each for each in caplog.messages if any(secret in each for secret in secrets)]
    assert set() == _places(tokens)
