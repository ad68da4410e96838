"""Who calls: every kind of principal of one organization, a node, and people with no business here."""

from __future__ import annotations

from dataclasses import dataclass

from retinue.server.access import actions as access
from retinue.server.ledger.transaction import SYSTEM, transaction
from retinue.token import Kind, mint
from tests.api.policies import set_policy
from tests.api.world import STRANGER, Caller, World

#: What the service account with a few permissions holds.
FEW = ("service_account:read", "credential:rotate", "grant:create")
#: Principals by kind: the roles that they hold, and whether they are people.
ROLES: dict[str, tuple[tuple[str, ...], bool]] = {
    "owner": (("owner",), True),
    "administrator": (("administrator",), True),
    "administrator account": (("administrator",), False),
    "access manager": (("access-manager",), True),
    "access manager account": (("access-manager",), False),
    "auditor": (("auditor",), True),
    "auditor and member": (("auditor", "member"), True),
    "member": (("member",), True),
    "holder of nothing": ((), True),
    "account with nothing": ((), False),
}


@dataclass(frozen=True)
class Cast:
    """The callers by kind, their organization, and another one."""

    here: World
    there: World
    callers: dict[str, Caller]

    @classmethod
    def create(cls) -> Cast:
        """Make two organizations, and one caller of each kind in the first."""
        here, there = World.create(), World.create()
        for world in (here, there):
            set_policy(world, ingest__enabled=True, pat__on_permission_loss="keep", pat__max_usable=None)
        callers = {name: _caller(here, *given) for name, given in ROLES.items()}
        callers |= {
            "account with a few permissions": here.caller(*FEW),
            "operator": here.user("Otto Operator", operator=True)[1],
            "node": here.node()[1],
            "stranger": STRANGER,
            "stranger with a token": Caller(mint(Kind.API_KEY)),
            "setup code": Caller(mint(Kind.SETUP)),
        }
        return cls(here, there, callers)


def _caller(world: World, roles: tuple[str, ...], is_person: bool) -> Caller:
    if not is_person:
        account = world.account(f"account-{'-'.join(roles) or 'nothing'}", roles=roles)
        return Caller(world.key(account)[1], account)
    user, caller = world.user()
    with transaction(SYSTEM, reason="test") as tx:
        access.assign_roles(tx, user, roles, "test")
        tx.record("user.created", user.id, name=user.handle, organization=user.organization_id)
    return caller
