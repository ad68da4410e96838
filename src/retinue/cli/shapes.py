"""How each kind of object is shown in tables, CSV, TSV, and by name."""

from __future__ import annotations

from retinue.cli.cells import Column, Shape, told
from retinue.cli.durations import ago, brief, clock, micro
from retinue.cli.lookup import key_label
from retinue.client import models as m
from retinue.client import node_models as n

ACCOUNT = Shape[m.ServiceAccount](
    columns=(
        Column("handle", "handle"),
        Column("id", "id"),
        Column("status", "status"),
        Column("owners", "owners"),
        Column("roles", "roles"),
        Column("keys", "keys.usable"),
        Column("last_used", "last_used_at", ago),
        Column("purpose", "purpose"),
    ),
    name=lambda account: account.handle,
    id=lambda account: account.id,
)
KEY = Shape[m.Key](
    columns=(
        Column("account", "account"),
        Column("name", "name"),
        Column("id", "id"),
        Column("status", "status"),
        Column("issued", "issued_at", ago),
        Column("expires", "expires_at", ago),
        Column("last_used", "last_used_at", ago),
        Column("uses", "use_count"),
    ),
    name=key_label,
    id=lambda key: key.id,
)
CREDENTIAL = Shape[m.Key](
    columns=(
        Column("kind", "kind"),
        Column("account", "account"),
        Column("account_state", "account_state"),
        Column("name", "name"),
        Column("id", "id"),
        Column("status", "status"),
        Column("issued", "issued_at", ago),
        Column("expires", "expires_at", ago),
        Column("last_used", "last_used_at", ago),
    ),
    name=key_label,
    id=lambda key: key.id,
)
USER = Shape[m.User](
    columns=(
        Column("email", "email"),
        Column("id", "id"),
        Column("name", "name"),
        Column("roles", "roles"),
        Column("state", "state", data_only=True),
        Column("status", "status"),
        Column("operator", "operator"),
    ),
    name=lambda user: user.email or user.handle,
    id=lambda user: user.id,
)
GRANT = Shape[m.Grant](
    columns=(
        Column("permission", "permission"),
        Column("role", "role"),
        Column("resource", "resource"),
        Column("id", "id"),
        Column("subject", "subject"),
        Column("state", "state"),
        Column("granted_by", "granted_by"),
        Column("granted", "granted_at", ago),
        Column("expires", "expires_at", ago),
        Column("justification", "justification"),
    ),
    name=lambda grant: grant.permission or f"role {grant.role}",
    id=lambda grant: grant.id,
)
PERSONAL_TOKEN = Shape[m.Key](
    columns=(
        Column("name", "name"),
        Column("id", "id"),
        Column("status", "status"),
        Column("issued", "issued_at", ago),
        Column("expires", "expires_at", ago),
        Column("last_used", "last_used_at", ago),
    ),
    name=lambda token: token.name,
    id=lambda token: token.id,
)
REQUEST = Shape[m.RequestRecord](
    columns=(
        Column("at", "at", clock),
        Column("account", "account.name"),
        Column("key", "credential_name"),
        Column("decision", "decision"),
        Column("reason", "reason"),
        Column("permission", "permission"),
        Column("method", "method"),
        Column("path", "path"),
        Column("status", "status", data_only=True),
        Column("route", "route", data_only=True),
        Column("address", "address", data_only=True),
        Column("credential", "credential_id", data_only=True),
        Column("node", "node", data_only=True),
        Column("request", "request_id", data_only=True),
    ),
    name=lambda record: record.id,
    id=lambda record: record.id,
)
AUDIT_EVENT = Shape[m.AuditEvent](
    columns=(
        Column("id", "id"),
        Column("at", "at", clock),
        Column("type", "type"),
        Column("actor", "actor.name"),
        Column("subject", "subject.name"),
        Column("subject_id", "subject.id", data_only=True),
        Column("reason", "reason"),
        Column("credential", "credential_id", data_only=True),
        Column("request", "request_id", data_only=True),
    ),
    name=lambda event: event.id,
    id=lambda event: event.id,
)
NODE = Shape[n.Node](
    columns=(
        Column("name", "name"),
        Column("id", "id"),
        Column("state", "state"),
        Column("connected", "connected"),
        Column("revision", "applied.revision"),
        Column("lag", "lag"),
        Column("last_contact", "last_contact_at", ago),
        Column("lease", "lease_remaining_seconds", brief),
        Column("clock", "clock.state"),
        Column("ratio", "clock.ratio", data_only=True),
        Column("wall_ahead", "clock.wall_ahead_seconds", data_only=True),
        Column("losses", "clock.losses", data_only=True),
        Column("waits", "waits"),
        Column("stale", "stale_seconds", data_only=True),
        Column("follows", "parent", data_only=True),
        Column("relay", "relay", data_only=True),
        Column("missing", "requests_missing", data_only=True),
        Column("version", "about.version", told),
        Column("credentials", "about.credentials", told, data_only=True),
        Column("p50", "about.verification.p50_us", micro, data_only=True),
        Column("p99", "about.verification.p99_us", micro),
        Column("decisions", "about.verification.decisions", data_only=True),
        Column("told", "about.told_at", data_only=True),
    ),
    name=lambda node: node.name,
    id=lambda node: node.id,
)
PROBED_NODE = Shape[n.ProbedNode](
    columns=(
        Column("node", "node"),
        Column("allowed_ms", "allowed_ms"),
        Column("refused_ms", "refused_ms"),
        Column("reason", "reason"),
        Column("stale", "stale"),
        Column("incarnation", "incarnation", data_only=True),
    ),
    name=lambda node: node.node,
    id=lambda node: node.incarnation,
)
