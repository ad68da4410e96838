"""Ingest tokens: of the organization, only for writing, only where they are bound to."""

from __future__ import annotations

from retinue.formats import Format
from retinue.server.api import guard
from retinue.server.ledger.transaction import reading
from retinue.token import Kind
from retinue.verifier import Question
from tests.api.policies import set_policy
from tests.api.test_key_life import holder
from tests.api.world import Answer, World

ALL = "/v1/ingest-tokens"
INGEST = frozenset({Kind.INGEST.value})


def issue(world: World, **more: object) -> Answer:
    """Issue an ingest token for ``/events`` and what is below."""
    set_policy(world, ingest__enabled=True)
    return world.owner.post(ALL, {"name": "web", "endpoints": ["/events/*"], **more})


def decided(token: str, method: str = "POST", path: str = "/events/click") -> str:
    """What a node says of a use: ``allowed``, or the reason."""
    question = Question(token, method=method, path=path, kinds=INGEST)
    with reading():
        decision = guard.verifier().verify(question)
    return getattr(decision, "reason", None) or "allowed"


def test_it_writes_where_it_is_bound_to(world: World) -> None:
    """
    An ingest token writes to its endpoints, reads nothing, and reaches no other path.
    """
    issued = issue(world)
    token = issued.json["token"]

    assert (201, "ingest_token", None) == (
        issued.status, issued.json["key"]["kind"], issued.json["key"]["account"],
    )  # fmt: skip
    assert "allowed" == decided(token)
    assert "allowed" != decided(token, method="GET")
    assert "allowed" != decided(token, path="/reports")


def test_it_never_manages(world: World) -> None:
    """
    The control plane accepts no ingest token, whatever is asked.
    """
    caller = holder(issue(world))

    assert [(403, "kind_not_accepted")] * 3 == [
        (each.status, each.code) for each in (caller.get("/v1/me"), caller.get(ALL), caller.post(ALL, {}))
    ]


def test_it_exists_where_the_policy_has_it(world: World) -> None:
    """
    Without ``ingest.enabled`` none is issued; without endpoints never.
    """
    off = world.owner.post(ALL, {"name": "web", "endpoints": ["/events"]})
    bare, bad = issue(world, endpoints=[]), issue(world, endpoints=["events"])

    assert (409, "state_conflict") == (off.status, off.code)
    assert [(400, "body.endpoints"), (400, "body.restrictions.endpoints.0")] == [
        (each.status, each.field) for each in (bare, bad)
    ]


def test_it_is_rotated_with_overlap_and_ends(world: World) -> None:
    """
    Old and new write beside each other until the rotation is finished; a revoked one writes nothing more.
    """
    first = issue(world)
    second = world.owner.post(f"{ALL}/{first.json['key']['id']}/rotate")
    tokens = [each.json["token"] for each in (first, second)]
    both = [decided(each) for each in tokens]
    world.owner.post(f"{ALL}/{second.json['key']['id']}/finish-rotation")
    after = [decided(each) for each in tokens]
    world.owner.post(f"{ALL}/{second.json['key']['id']}/revoke")

    assert (["allowed", "allowed"], ["credential_revoked", "allowed"], "credential_revoked") == (
        both, after, decided(tokens[1]),
    )  # fmt: skip
    assert second.json["key"]["restrictions"]["endpoints"] == ["/events/*"]


def test_it_stays_bound(world: World) -> None:
    """
    It is bound to other endpoints, and never to none.
    """
    one = f"{ALL}/{issue(world).json['key']['id']}/restrict"
    other = world.owner.post(one, {"restrictions": {"endpoints": ["/metrics"]}})
    none = world.owner.post(one, {"restrictions": {}})

    assert (200, ["/metrics"], 400) == (other.status, other.json["restrictions"]["endpoints"], none.status)


def test_names_are_once_an_organization(world: World) -> None:
    """
    Two usable ingest tokens of an organization never share a name, and another organization has its own.
    """
    statuses = [issue(world).status, issue(world).status, issue(World.create()).status]

    assert [201, 409, 201] == statuses


def test_others_do_not_see_it(world: World) -> None:
    """
    An ingest token of another organization does not exist, and no key is one.
    """
    ident = issue(world).json["key"]["id"]
    far = World.create().owner
    key, _ = world.key(world.account())

    assert [404] * 4 == [
        each.status
        for each in (
            far.get(f"{ALL}/{ident}"),
            far.post(f"{ALL}/{ident}/revoke"),
            world.owner.get(f"{ALL}/{key.id}"),
            world.owner.get(f"/v1/keys/{ident}"),
        )
    ]
    assert Format.NATIVE == world.owner.get(f"{ALL}/{ident}").json["format"]
