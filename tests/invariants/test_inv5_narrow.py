"""INV5: credentials own no permissions; they only narrow what their account may do."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from retinue.replica import records
from retinue.replica.records import Kind
from retinue.server.credentials.models import Credential
from retinue.token import Token
from tests.api.policies import set_policy
from tests.invariants.ground import ALLOWED, Ground, done

NAMES = ("report:read", "report:write", "report:export")


def _allowed(ground: Ground, *tokens: object) -> list[set[str]]:
    ground.follow()
    return [{name for name in NAMES if ground.decide(token, name) == ALLOWED} for token in tokens]  # type: ignore[arg-type]


def test_inv5_every_key_may_what_its_account_may(ground: Ground) -> None:
    """
    Keys issued before and after a change of the account's permissions, rotated and regenerated ones, may exactly
    what the account may, at every moment.
    """
    account = ground.world.account(permissions=("report:read",))
    path = f"/v1/service-accounts/{account.id}"
    early, token = ground.world.key(account, "early")
    done(ground.owner.post(f"{path}/grants", {"permission": "report:write"}))
    late = done(ground.owner.post(f"{path}/keys", {"name": "late"}))
    second = done(ground.owner.post(f"/v1/keys/{late['key']['id']}/rotate"))["token"]
    more = _allowed(ground, token, late["token"], second)
    [first, *_] = done(ground.owner.get(f"{path}/grants"))["items"]
    done(ground.owner.delete(f"{path}/grants/{first['id']}"))
    fresh = done(ground.owner.post(f"/v1/keys/{early.id}/regenerate"))["token"]

    assert [{"report:read", "report:write"}] * 3 == more
    assert [{"report:write"}] * 3 == _allowed(ground, fresh, late["token"], second)


def test_inv5_a_credential_has_no_place_for_a_permission(ground: Ground) -> None:
    """
    Neither the row of a credential nor its record on a node has a field that could give a permission, and no
    other table points at a credential to give it one.
    """
    account = ground.world.account(permissions=NAMES)
    key, _ = ground.world.key(account)
    ground.follow()
    value = ground.follower.rows()[Kind.CREDENTIAL, key.kid]
    giving = {"permission", "permissions", "role", "roles", "holder", "holders", "grants", "groups", "teams"}
    names = {field.name for field in Credential._meta.get_fields()}

    assert set() == giving & names
    assert set() == giving & {field.name for field in msgspec.structs.fields(records.Credential)}
    assert [] == [name for name in NAMES if name.encode() in value]
    assert {"access"}.isdisjoint(
        each.related_model._meta.app_label for each in Credential._meta.related_objects
    )


def test_inv5_a_key_of_an_account_without_permissions_may_nothing(ground: Ground) -> None:
    """
    A key is genuine and gives nothing by itself; whoever issued it may all, and lends it nothing.
    """
    account = ground.world.account()
    token = done(ground.owner.post(f"/v1/service-accounts/{account.id}/keys", {"name": "k"}))["token"]

    assert [set()] == _allowed(ground, token)
    assert ALLOWED == ground.decide(token)
    assert set(NAMES) == _allowed(ground, ground.owner.token)[0]


def _questions() -> st.SearchStrategy[dict[str, str]]:
    facts = {
        "address": st.sampled_from(["10.1.2.3", "192.0.2.7", "2001:db8::1"]),
        "method": st.sampled_from(["GET", "POST", "DELETE"]),
        "path": st.sampled_from(["/reports", "/reports/7", "/admin", "/events/new"]),
    }
    return st.fixed_dictionaries({}, optional=facts)


def _narrowings() -> st.SearchStrategy[dict[str, list[object]]]:
    windows = [{"days": ["mon", "tue"], "start": "08:00", "end": "18:00", "zone": "UTC"}, {"start": "00:00"}]
    return st.fixed_dictionaries(
        {
            "networks": st.lists(
                st.sampled_from(["10.0.0.0/8", "192.0.2.0/24", "2001:db8::/32"]), max_size=2
            ),
            "endpoints": st.lists(st.sampled_from(["/reports", "/reports/*", "/admin"]), max_size=2),
            "methods": st.lists(st.sampled_from(["GET", "POST"]), max_size=2, unique=True),
            "times": st.lists(st.sampled_from(windows), max_size=1),
        }
    )


@given(narrowed=_narrowings(), asked=_questions(), need=st.sampled_from([*NAMES, None]))
@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_inv5_restrictions_only_narrow(
    narrow: tuple[Ground, str, Token, Token],
    narrowed: dict[str, list[object]],
    asked: dict[str, str],
    need: str | None,
) -> None:
    """
    Whatever a key is narrowed to and whatever is asked, it may nothing that the account's other key may not; and
    with all restrictions taken off it may the same.
    """
    ground, path, token, free = narrow
    wanted = () if need is None else (need,)
    done(ground.owner.post(f"{path}/restrict", {"restrictions": narrowed}))
    ground.follow()
    with_it, without = ground.decide(token, *wanted, **asked), ground.decide(free, *wanted, **asked)

    assert without == ALLOWED or with_it != ALLOWED
    assert with_it in (
        without,
        "network_not_allowed",
        "endpoint_not_allowed",
        "method_not_allowed",
        "time_not_allowed",
    )
    if not any(narrowed.values()):
        assert without == with_it


@pytest.fixture
def narrow(ground: Ground) -> tuple[Ground, str, Token, Token]:
    """An account with two keys: the one at the address is narrowed, the other never."""
    account = ground.world.account(permissions=("report:read", "report:write"))
    (key, token), (_, free) = ground.world.key(account, "narrowed"), ground.world.key(account, "free")
    return ground, f"/v1/keys/{key.id}", token, free


def test_inv5_an_ingest_token_only_writes_where_it_is_bound(ground: Ground) -> None:
    """
    It is accepted where it is bound to and nowhere else, for writing and never for reading; it holds no
    permission, opens nothing at the control plane, and cannot be let loose.
    """
    set_policy(ground.world, ingest__enabled=True)
    issued = done(ground.owner.post("/v1/ingest-tokens", {"name": "in", "endpoints": ["/events/*"]}))
    token, path = issued["token"], f"/v1/ingest-tokens/{issued['key']['id']}"
    ground.follow()
    asked = [("POST", "/events/new"), ("GET", "/events/new"), ("POST", "/reports"), ("DELETE", "/events/new")]
    found = [
        ground.decide(token, method=method, path=where, kinds=frozenset({"ing"})) for method, where in asked
    ]
    unbound = ground.owner.post(f"{path}/restrict", {"restrictions": {"methods": ["POST"]}})
    calls = [
        ground.owner.get(each, {"authorization": f"Bearer {token}"}).status for each in ("/v1/me", "/v1/keys")
    ]

    assert ALLOWED == found[0]
    assert ["method_not_allowed", "kind_not_accepted", "method_not_allowed"] == found[1:]
    assert ALLOWED != ground.decide(token, "report:read", method="POST", path="/events/new")
    assert (400, "missing_field") == (unbound.status, unbound.code)
    assert {401, 403} >= set(calls)
