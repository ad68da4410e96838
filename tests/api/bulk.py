"""Fills an organization with as much as a large one has, by a few statements past the write door."""

# ruff: noqa: S608  (statements are put together from constants)

from __future__ import annotations

from django.db import connection

from retinue.server.access.queries import roles
from retinue.server.ledger.guard import suspended_for_schema_changes
from tests.api.world import World
from tests.server_support.hours import recount

ACCOUNTS, KEYS, REQUESTS, EVENTS = 10_000, 50_000, 100_000, 60_000
#: The time of everything: a minute apart from then on, so that events reach over six weeks.
BEGIN = "2026-01-01 00:00:00"


def fill(world: World) -> None:
    """Make accounts ``sa_0000001`` and so on, with roles, grants, owners, keys, uses, requests and events.

    One account in ten is disabled, one in a thousand is an access manager. Of the keys one in seven is
    revoked, one in five expired, a few retire or expire soon. Of the used ones one in
    four is idle. One request in a hundred is denied. One event
    in a thousand is a revoke by ``usr_rare``.
    """
    rare_owner, _ = world.user()
    given = {"org": world.organization.id, "owner": world.owner.id, "rare": rare_owner.id}
    known = roles(world.organization.id)
    given |= {"manager": known["access-manager"].id, "auditor": known["auditor"].id}
    with suspended_for_schema_changes(), connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET statement_timeout = 0")  # until the connection is closed
        for statement in _statements():
            cursor.execute(statement, given)
        cursor.execute("UPDATE ledger_head SET revision = revision + %s", [EVENTS])
        recount()


_HANDED = "id, subject, justification, granted_by, granted_at, is_pending, approved_by, origin"


def _statements() -> list[str]:
    number = "((i - 1) %% {0} + 1)"
    account, key = _id("sa", number.format(ACCOUNTS)), _id("key", number.format(KEYS))
    return [
        f"""INSERT INTO directory_principal (id, organization_id, kind, handle, name, email, state, state_reason,
            description, purpose, documentation, environment, systems, is_operator, created_at, updated_at, created_by)
        SELECT {_id("sa")}, %(org)s, 'service_account', {_id("bulk")}, {_id("Bulk")}, '',
            CASE WHEN i %% 10 = 0 THEN 'disabled' ELSE 'enabled' END, '', '', 'a test', '', '', '[]', false,
            {_at()}, {_at()}, %(owner)s FROM {_numbers(ACCOUNTS)}""",
        f"""INSERT INTO directory_ownership (account_id, owner_id)
        SELECT {_id("sa")}, CASE WHEN i %% 1000 = 0 THEN %(rare)s ELSE %(owner)s END FROM {_numbers(ACCOUNTS)}""",
        f"""INSERT INTO access_roleassignment ({_HANDED}, role_id)
        SELECT {_id("asg")}, {_id("sa")}, '', %(owner)s, {_at()}, false, '', '',
            CASE WHEN i %% 1000 = 0 THEN %(manager)s ELSE %(auditor)s END FROM {_numbers(ACCOUNTS)}""",
        f"""INSERT INTO access_grant ({_HANDED}, organization_id, permission, resource, is_bound)
        SELECT {_id("grt")}, {_id("sa")}, '', %(owner)s, {_at()}, false, '', '', %(org)s, 'report:read', '"*"', false FROM {_numbers(ACCOUNTS)}""",
        f"""INSERT INTO credentials_credential (id, kid, kind, brand, organization_id, principal_id, name, name_folded,
            digest, pepper_id, state, reason, reason_text, issued_at, issued_by, expires_at, retires_at,
            rotated_from, rotated_to, revoked_by, format, last_characters, scheme, previous, restrictions,
            retires_on_first_use, has_expired)
        SELECT {_id("key")}, {_id("kid")}, 'sa', 'rtn', %(org)s, {account}, {_id("k")}, {_id("k")}, {_no_bytes()}, 'p',
            CASE WHEN i %% 7 = 0 THEN 'revoked' ELSE 'active' END, '', '', {_at()}, %(owner)s,
            CASE WHEN i %% 5 = 0 THEN {_at()} WHEN i %% 2500 = 2 THEN {_in_days(3)} ELSE {_in_days(300)} END,
            CASE WHEN i %% 2500 = 1 THEN {_in_days(1)} END, '', '', '', 'native', '', '', '[]', '{{}}', false, false
        FROM {_numbers(KEYS)}""",
        f"""INSERT INTO traffic_usage (credential, account, first_used_at, last_used_at, last_address, last_client,
            last_node, count)
        SELECT {_id("key")}, {account}, {_at()}, CASE WHEN i %% 4 = 0 THEN {_at()} ELSE {_in_days(-1)} END, '', '', 'n', 1
        FROM {_numbers(KEYS)} WHERE i %% 3 <> 0""",
        f"""INSERT INTO traffic_request (at, organization, account, account_kind, account_name, credential, allowed,
            reason, permission, method, path, address, client, node, revision, duration_us, request_id, route, status)
        SELECT {_at()}, %(org)s, {account}, 'service_account', 'x', {key}, i %% 100 <> 0,
            CASE WHEN i %% 1000 = 0 THEN 'credential_revoked' WHEN i %% 100 = 0 THEN 'permission_missing' ELSE '' END,
            'report:read', 'GET', '/x', '192.0.2.1', '', 'n', 1, 1, {_id("req")}, '', 0 FROM {_numbers(REQUESTS)}""",
        f"""INSERT INTO ledger_auditevent (id, revision, n, at, organization, type, actor_kind, actor, credential,
            request, subject_kind, subject, before, after, mark)
        SELECT CAST(i + revision AS text) || '.1', i + revision, 1, {_at()}, %(org)s,
            CASE WHEN i %% 1000 = 0 THEN 'key.revoked' ELSE 'key.issued' END, 'user',
            CASE WHEN i %% 1000 = 0 THEN 'usr_rare' ELSE %(owner)s END, '', '', 'api_key', {key}, '{{}}', '{{}}', ''
            FROM {_numbers(EVENTS)}, ledger_head""",
    ]  # fmt: skip


def _is_sqlite() -> bool:
    return connection.vendor == "sqlite"


def _numbers(count: int) -> str:
    """A table of the numbers from 1, as ``i``."""
    if _is_sqlite():
        series = f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count})"
        return f"({series} SELECT i FROM n) AS n"
    return f"generate_series(1, {count}) AS n(i)"


def _id(prefix: str, number: str = "i") -> str:
    padded = f"substr('0000000' || CAST({number} AS text), length(CAST({number} AS text)) + 1)"
    return f"'{prefix}_' || {padded}"


def _at() -> str:
    return (
        f"datetime('{BEGIN}', i || ' minutes')"
        if _is_sqlite()
        else f"TIMESTAMPTZ '{BEGIN}Z' + i * INTERVAL '1 minute'"
    )


def _in_days(days: int) -> str:
    return f"datetime('now', '{days} days')" if _is_sqlite() else f"now() + INTERVAL '{days} days'"


def _no_bytes() -> str:
    return "x'00'" if _is_sqlite() else "'\\x00'::bytea"
