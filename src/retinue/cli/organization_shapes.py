"""How organizations and policies are shown."""

from __future__ import annotations

from retinue.cli.cells import Column, Shape
from retinue.cli.durations import ago
from retinue.client import organization as o

ORGANIZATION = Shape[o.Organization](
    columns=(
        Column("handle", "handle"),
        Column("id", "id"),
        Column("name", "name"),
        Column("state", "state"),
        Column("preset", "preset"),
        Column("policy", "policy_version", data_only=True),
        Column("created", "created_at", ago),
    ),
    name=lambda organization: organization.handle,
    id=lambda organization: organization.id,
)
POLICY_KEY = Shape[o.PolicyKey](
    columns=(
        Column("key", "name"),
        Column("value", "value"),
        Column("default", "default", data_only=True),
        Column("allowed", "allowed", data_only=True),
        Column("enforced", "enforced", data_only=True),
        Column("meaning", "meaning"),
    ),
    name=lambda key: key.name,
    id=lambda key: key.name,
)
POLICY_PRESET = Shape[o.PolicyPreset](
    columns=(Column("preset", "name"), Column("values", "values"), Column("waiting", "waiting")),
    name=lambda preset: preset.name,
    id=lambda preset: preset.name,
)
POLICY_VERSION = Shape[o.PolicyVersion](
    columns=(
        Column("version", "version"),
        Column("id", "id", data_only=True),
        Column("preset", "preset"),
        Column("changed", "changed"),
        Column("created", "created_at", ago),
        Column("by", "created_by"),
        Column("reason", "reason"),
    ),
    name=lambda version: str(version.version),
    id=lambda version: version.id,
)
BROKEN = Shape[o.BrokenObject](
    columns=(
        Column("key", "key"),
        Column("kind", "kind"),
        Column("name", "name"),
        Column("id", "id", data_only=True),
        Column("effect", "effect"),
        Column("why", "why"),
        Column("last_used", "last_used_at", ago),
        Column("uses", "use_count"),
    ),
    name=lambda broken: broken.name,
    id=lambda broken: broken.id,
)
