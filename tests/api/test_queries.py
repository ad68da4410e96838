"""A list costs the same number of queries whatever its length."""

from __future__ import annotations

import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.api.world import World

LISTS = ("/v1/service-accounts", "/v1/keys", "/v1/users", "/v1/audit-events", "/v1/requests", "/v1/nodes")
#: Deciding who calls reads the head, the credential, the organization and the policy in force; the account; the
#: groups and access policies with rules, the memberships, assigned roles and grants that apply to it, and once more
#: for the roles and groups themselves; and the person. Each is one statement, however many there are of them. The
#: catalogue is read after a change alone.
GUARD_MAX = 13
#: The most is the list of accounts: owners, roles, keys, those that end soon, and uses stand beside its rows.
LIST_MAX = 10


def cost(world: World, path: str) -> int:
    """Return how many statements a call sends to the database."""
    with CaptureQueriesContext(connection) as sent:
        answer = world.owner.get(path)
    assert 200 == answer.status
    return len(
        [each for each in sent.captured_queries if each["sql"].split()[0] in ("SELECT", "INSERT", "UPDATE")]
    )


@pytest.mark.parametrize("path", LISTS)
def test_longer_lists_cost_no_more_queries(server_database: str, path: str) -> None:
    """
    Ten accounts with keys, owners, roles and grants are listed with as many queries as one.
    """
    world = World.create(operator=True)
    world.key(world.account("a0", permissions=("report:read",), roles=("auditor",)))
    short = cost(world, path)
    for n in range(1, 10):
        world.key(world.account(f"a{n}", permissions=("report:read",), roles=("auditor",)))
    long = cost(world, path)

    assert short == long
    assert cost(world, "/v1/me") <= GUARD_MAX + LIST_MAX
    assert long <= GUARD_MAX + LIST_MAX


@pytest.mark.parametrize("path", ["/v1/me", *LISTS])
def test_a_call_that_reads_asks_for_nothing_twice(server_database: str, path: str) -> None:
    """
    What the decision has read is not read again for the answer: the catalogue, the policy in force and the rules of
    groups stand in one statement each, and none is sent twice but the head, which moves on.
    """
    world = World.create(operator=True)
    world.key(world.account("a0", permissions=("report:read",), roles=("auditor",)))
    with CaptureQueriesContext(connection) as sent:
        assert 200 == world.owner.get(path).status
    read = [each["sql"] for each in sent if "SELECT" in each["sql"] and "FROM ledger_head" not in each["sql"]]

    assert [] == [each for each in read if read.count(each) > 1]
    for table in ("access_permission", "rule <> ''"):
        assert 1 >= len([each for each in read if table in each]), table
    # It stands beside the organization, which is read for the decision.
    assert [] == [each for each in read if re.search(r'version_id"? FROM "?policies_standing', each)]


def test_an_import_of_permissions_reads_all_organizations_at_once(server_database: str) -> None:
    """
    However many organizations have a policy of their own and roles that cover what is imported, an import asks for
    what is in force in all of them, and for who carries these roles, with one statement, and once more before its
    commit on PostgreSQL; so it does not hold up who writes.
    """
    world = World.create(operator=True)

    def imported(name: str) -> list[int]:
        body = {"permissions": [{"name": name}], "withdraw_others": False}
        with CaptureQueriesContext(connection) as sent:
            answer = world.operator().post("/v1/permissions/import", body)
        assert 200 == answer.status, answer.json
        tables = ("policies_standing", "access_roleassignment")
        return [sum(table in each["sql"] for each in sent) for table in tables]

    policies, carriers = imported("policies_at_once:read")
    for _ in range(5):
        other = World.create()
        answer = other.owner.patch("/v1/policy", {"set": {"idle.days": 30}})
        assert 200 == answer.status, answer.json

    many = imported("policies_at_once:write")
    # So many roles at once: five more may need one statement more, never five.
    assert policies == many[0]
    assert many[1] in {carriers, carriers + 1}
