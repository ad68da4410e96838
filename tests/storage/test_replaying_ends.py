"""What ends by an instant or by the catalogue: said as such to the nodes, and taken away again after a restore."""

from __future__ import annotations

import msgspec

from retinue.replica.records import Credential as Record
from retinue.replica.records import Kind
from retinue.server.access import actions as access
from retinue.server.access.catalogue import Declaration
from retinue.server.access.catalogue_actions import IMPORT
from retinue.server.access.models import Permission
from retinue.server.credentials import actions as credentials
from retinue.server.credentials.models import Credential
from retinue.server.ledger.transaction import SYSTEM, transaction
from retinue.server.nodes.compile import Compiler
from tests.storage.estate import Estate
from tests.storage.past import Past
from tests.storage.recovering import fresh_follower, outcomes, recover


def test_what_is_expired_by_hand_says_so(estate: Estate) -> None:
    """
    An end that has come already is said as such; one that is still to come is left to the clock.
    """
    now, later = (estate.key(estate.account())[0] for _ in range(2))
    with transaction(SYSTEM, reason="test") as tx:
        credentials.expire(tx, now, "now")
        credentials.expire(tx, later, "2d")
    found = [
        Compiler().compile([(Kind.CREDENTIAL, key.kid)])[Kind.CREDENTIAL, key.kid] for key in (now, later)
    ]

    records = [msgspec.msgpack.decode(each or b"", type=Record) for each in found]
    assert [True, False] == [each.has_expired for each in records]


def test_what_was_expired_by_hand_is_expired_again(history: Past) -> None:
    """
    It ends when it did, and on every clock.
    """
    estate, follower = Estate.create(), fresh_follower()
    key, _ = estate.key(estate.account())
    history.backup()
    with transaction(SYSTEM, reason="test") as tx:
        credentials.expire(tx, key, "now")
    ended = Credential.objects.get(id=key.id).expires_at
    follower.catch_up()
    history.restore()

    recover(follower)
    found = Credential.objects.get(id=key.id)
    assert ("active", True, ended) == (found.state, found.has_expired, found.expires_at)
    assert {key.id: "replayed"} == outcomes("credential")


def test_an_imported_permission_is_withdrawn_again_and_roles_stand(history: Past) -> None:
    """
    Owners hold what is declared: it is withdrawn from them again, and no role or account is ended for it. What
    was withdrawn and declared again is left alone.
    """
    names = ["imported.gone:read", "imported.again:read"]
    follower = fresh_follower()
    _import(*names)
    history.backup()
    _import(names[1])
    _import()
    _import(names[1])
    follower.catch_up()
    history.restore()

    recover(follower)
    declared = Permission.objects.filter(name__in=names, is_withdrawn=False)
    assert [names[1]] == [each.name for each in declared]
    kinds = ("permission", "holder", "principal", "organization")
    ends = {kind: set(outcomes(kind).values()) for kind in kinds}
    assert {"replayed", "nothing"} == ends.pop("permission")
    assert {"nothing"} >= set().union(*ends.values())


def _import(*names: str) -> None:
    """Import these permissions, and withdraw what was imported before."""
    with transaction(SYSTEM, reason="test") as tx:
        access.declare(tx, list(map(Declaration, names)), by=IMPORT)
