"""Records say what the rows say, and the control plane decides by the same records as every node."""

from __future__ import annotations

import random
import secrets
import time
from datetime import timedelta

import msgspec
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from retinue.authority import holds
from retinue.decision import Allowed, Denied
from retinue.replica import records
from retinue.replica.records import Kind
from retinue.server.access import actions as access
from retinue.server.access import queries
from retinue.server.access.catalogue import INSTALLATION, MANAGEMENT, Declaration
from retinue.server.access.roles import ROLES
from retinue.server.credentials import actions as credentials
from retinue.server.credentials.models import Credential
from retinue.server.directory import actions as directory
from retinue.server.directory.models import Organization
from retinue.server.ledger.feed import Keys
from retinue.server.ledger.transaction import SYSTEM, transaction
from retinue.server.nodes import feed
from retinue.server.nodes.compile import Compiler
from retinue.server.nodes.database import DatabaseReplica
from retinue.token import Kind as TokenKind
from retinue.token import mint
from retinue.verifier import Question, Verifier
from tests.storage.estate import Estate, Follower, enrol

pytestmark = pytest.mark.usefixtures("awake")
_HOST = ["report:read", "report:write", "report:export"]
_PATTERNS = [*_HOST, "report:*", "*:read", "*:*", "*:export", "user:read", "user:*", "credential:issue"]


def _record(kind: Kind, key: str) -> records.Record:
    value = Compiler().compile([(kind, key)])[kind, key]
    assert value is not None
    found: records.Record = msgspec.msgpack.decode(value, type=records.TYPES[kind])
    return found


def _verifier() -> Verifier:
    return Verifier(DatabaseReplica(), credentials.peppers())


def _catalogue_with(*names: str) -> None:
    with transaction(SYSTEM, reason="test") as tx:
        access.declare(tx, [Declaration(name) for name in (*_HOST, *names)])


def test_a_credential_record_holds_the_row_and_no_secret(estate: Estate) -> None:
    """
    Digest, times in milliseconds, state and belonging are those of the row, and only those.
    """
    key, token = estate.key(estate.account())
    record = _record(Kind.CREDENTIAL, key.kid)
    peppers = credentials.peppers()

    assert key.expires_at is not None
    assert key.rotate_by is not None
    expected = records.Credential(
        key.id,
        "sa",
        estate.organization.id,
        key.principal_id or "",
        "active",
        (records.Digest(peppers.active.digest(token.as_bytes()), peppers.active.id),),
        expires_at_ms=round(key.expires_at.timestamp() * 1e3),
        rotate_by_ms=round(key.rotate_by.timestamp() * 1e3),
    )
    assert expected == record


def test_ended_credentials_stay_known(estate: Estate) -> None:
    """
    A revoked key keeps its record, and so does a deleted one: its holder learns why it is refused.
    """
    key, token = estate.key(estate.account())
    estate.revoke(key)
    revoked = _record(Kind.CREDENTIAL, key.kid)
    with transaction(SYSTEM, reason="test") as tx:
        credentials.delete(tx, key)

    deleted = _record(Kind.CREDENTIAL, key.kid)
    assert isinstance(revoked, records.Credential)
    assert isinstance(deleted, records.Credential)
    assert ("revoked", "deleted") == (revoked.state, deleted.state)
    decision = _verifier().verify(Question(token.reveal()))
    assert isinstance(decision, Denied)
    assert "credential_revoked" == decision.reason


def test_node_credentials_are_known_to_the_control_plane_alone() -> None:
    """
    A node has no use for the digests of other nodes' credentials; the control plane accepts them.
    """
    node, token = enrol()
    follower = Follower.create()
    follower.load()
    own = Question(token.reveal(), kinds=frozenset({"node"}))

    assert (Kind.CREDENTIAL, token.kid) not in follower.rows()
    decision = _verifier().verify(own)
    assert isinstance(decision, Allowed)
    assert node == feed.node_of(decision)
    elsewhere = Verifier(follower.replica, credentials.peppers()).verify(own)
    assert isinstance(elsewhere, Denied)
    assert "token_unknown" == elsewhere.reason


def test_an_organization_record_holds_the_facts_of_its_policy(estate: Estate) -> None:
    """
    Bans as a mask, accepted schemes, the longest warning, the lease.
    """
    indexes = queries.catalogue()
    record = _record(Kind.ORGANIZATION, estate.organization.id)
    found = _record(Kind.ORGANIZATION_HANDLE, estate.organization.handle)

    assert isinstance(record, records.Organization)
    banned = [name for name, index in indexes.items() if _has(record.forbidden_for_service, index)]
    assert {"pat:issue", "organization:delete"} == set(banned)
    assert (("bearer",), True, 10_000) == (record.schemes, record.personal_tokens, record.lease_ms)
    assert 30 * 86_400_000 == record.warn_ms
    assert records.OrganizationHandle(estate.organization.id) == found


def _has(mask: bytes, index: int) -> bool:
    return bool(int.from_bytes(mask, "little") >> index & 1)


@pytest.mark.parametrize("handle", ROLES)
def test_a_role_record_is_the_role(estate: Estate, handle: str) -> None:
    """
    Owner reaches everything but the installation's; Auditor reads and exports; Member issues own tokens.
    """
    indexes = queries.catalogue()
    role = queries.roles(estate.organization.id)[handle]
    record = _record(Kind.HOLDER, role.id)
    assert isinstance(record, records.Holder)
    # Owner and Administrator act outside their teams; the others only inside.
    mask = record.permissions if handle in ("owner", "administrator") else record.bound
    held = {name for name, index in indexes.items() if _has(mask, index)}

    management = set(MANAGEMENT) - INSTALLATION
    reads = {name for name in MANAGEMENT if name.endswith((":read", ":export"))} | {"decision:simulate"}
    manages = {"service_account", "user", "credential", "group", "team", "grant", "review", "finding"}
    expected = {
        "owner": management | (set(indexes) - set(MANAGEMENT)),
        "administrator": (management - {"organization:delete", "policy:update", "pat:issue"})
        | (set(indexes) - set(MANAGEMENT)),
        "access-manager": {name for name in management if name.partition(":")[0] in manages},
        "auditor": reads - INSTALLATION,
        "member": {"pat:issue"},
    }
    assert expected[handle] == held


@pytest.mark.parametrize("seed", range(4))
def test_what_a_replica_allows_is_what_the_rules_say(estate: Estate, seed: int) -> None:
    """
    For principals with random roles, patterns and kinds, each permission is held on a node exactly if a
    direct reading of roles, grants and bans gives it.
    """
    chance = random.Random(seed)  # noqa: S311
    accounts = [
        estate.account(
            roles=chance.sample(["auditor", "administrator", "access-manager"], chance.randrange(3)),
            permissions=chance.sample(_PATTERNS, chance.randrange(4)),
        )
        for _ in range(6)
    ]
    with transaction(SYSTEM, reason="test") as tx:
        name = secrets.token_hex(6)
        operator = directory.create_user(
            tx, estate.organization.id, email=f"{name}@x.example", name="Op", is_operator=True
        )
    follower = Follower.create()
    follower.catch_up()

    indexes = queries.catalogue()
    with follower.replica.snapshot() as snapshot:
        organization = snapshot.organization(estate.organization.id)
        assert organization is not None
        for principal in [*accounts, operator, estate.owner]:
            record = snapshot.principal(principal.id)
            assert record is not None
            held = {name for name in indexes if holds(snapshot, organization, record, name)}
            assert queries.effective(principal) == held
            assert (principal is operator) == (INSTALLATION <= held)


def test_a_wildcard_resource_reaches_no_management_permission(estate: Estate) -> None:
    """
    ``*:read`` on the host's resources is not the right to read Retinue's own users and keys.
    """
    _, token = estate.key(estate.account(permissions=["*:read", "*:*"]))
    verifier = _verifier()

    assert isinstance(verifier.verify(Question(token.reveal(), ("report:write",))), Allowed)
    for name in ("user:read", "service_account:create", "grant:create"):
        assert isinstance(verifier.verify(Question(token.reveal(), (name,))), Denied)


def test_a_withdrawn_permission_leaves_every_set_and_comes_back_under_its_index(estate: Estate) -> None:
    """
    What the host no longer declares is held by nobody and unknown; declared again, it means the same.
    """
    name = f"x{secrets.token_hex(4)}:read"
    _catalogue_with(name)
    account = estate.account(permissions=[name, "*:read"])
    follower = Follower.create()
    follower.catch_up()
    index = queries.catalogue()[name]
    seen = []
    for declared in ([], [name]):
        _catalogue_with(*declared)
        follower.catch_up()
        with follower.replica.snapshot() as snapshot:
            record = snapshot.principal(account.id)
            assert record is not None
            seen.append((snapshot.permission_index(name), _has(record.permissions, index)))

    assert [(None, False), (index, True)] == seen


def test_the_control_plane_decides_as_a_node_does(estate: Estate) -> None:
    """
    For keys in every state the database's answer is the replica's, field by field.
    """
    account, other = estate.account(permissions=["report:read"]), estate.account()
    with transaction(SYSTEM, reason="test") as tx:
        ended = credentials.issue(tx, account, name="ended")
        expired = credentials.issue(tx, account, name="expired")
        Credential.objects.filter(id=expired.credential.id).update(expires_at=timezone.now())
        credentials.revoke(tx, ended.credential)
    tokens = [
        estate.key(account)[1],
        estate.key(other)[1],
        ended.token,
        expired.token,
        mint(TokenKind.API_KEY),
    ]
    with transaction(SYSTEM, reason="test") as tx:
        directory.disable(tx, other)
    follower = Follower.create()
    follower.load()
    near, far = _verifier(), Verifier(follower.replica, credentials.peppers())

    for token in tokens:
        for need in ((), ("report:read",), ("report:write",)):
            for organization in (None, estate.organization.handle, estate.organization.id):
                question = Question(token.reveal(), need, organization)
                assert near.verify(question) == far.verify(question)


def test_a_decision_of_the_control_plane_costs_sixteen_queries_at_most(estate: Estate) -> None:
    """
    Authentication of each call is a handful of queries, and one consistent read.
    """
    _, token = estate.key(estate.account(roles=["auditor", "administrator"], permissions=["*:read"]))
    verifier = _verifier()
    question = Question(token.reveal(), ("report:read", "user:read"))
    counts = []
    for _ in range(2):
        with CaptureQueriesContext(connection) as captured:
            assert isinstance(verifier.verify(question), Allowed)
        asked = [each["sql"] for each in captured if each["sql"].lstrip("( \n").upper().startswith("SELECT")]
        counts.append(len(asked))

    print(f"\n{connection.vendor}: queries of a decision: {counts}")
    assert max(counts) <= 16


def test_decisions_follow_the_catalogue_at_once(estate: Estate) -> None:
    """
    The remembered catalogue is never older than the head.
    """
    _, token = estate.key(estate.account(permissions=["*:read"]))
    verifier = _verifier()
    for _ in range(3):
        name = f"x{secrets.token_hex(4)}:read"
        _catalogue_with(name)
        assert isinstance(verifier.verify(Question(token.reveal(), (name,))), Allowed)


def test_pages_are_compiled_in_bulk(estate: Estate) -> None:
    """
    A page costs a handful of queries however many records it holds: 5,000 credentials in one.
    """
    with transaction(SYSTEM, reason="test") as tx:
        made = [estate.account_in(tx) for _ in range(5)]
        kids = [mint(TokenKind.API_KEY).kid for _ in range(5_000)]
        Credential.objects.bulk_create(
            [
                Credential(
                    id=f"key_{kid}",
                    kid=kid,
                    kind="boot",  # no replica has these: other tests compare whole snapshots
                    brand="rtn",
                    organization=Organization(id=estate.organization.id),
                    principal=made[place % 5],
                    name=kid,
                    name_folded=kid,
                    digest=secrets.token_bytes(32),
                    pepper_id="x",
                    issued_at=tx.now,
                    issued_by="system",
                    expires_at=tx.now + timedelta(days=1),
                )
                for place, kid in enumerate(kids)
            ],
            batch_size=500,
        )
    compiler = Compiler(kinds=("boot",))
    with CaptureQueriesContext(connection) as captured:
        began = time.perf_counter()
        found = compiler.select(Kind.CREDENTIAL, Keys(kids))
        took = time.perf_counter() - began
    feed.snapshot()  # reads what a process keeps: versions of policies never change
    with CaptureQueriesContext(connection) as page:
        feed.snapshot()

    print(f"\n{connection.vendor}: 5,000 credentials compiled in {took * 1e3:.0f} ms")
    assert (5_000, 1) == (len(found), len(captured))
    assert len(page) <= 2 * len(Kind) + 20
