"""The native policy, as far as its keys are enforced. Names are the keys of the policy document."""

from __future__ import annotations

from dataclasses import dataclass

DAY_SECONDS = 86_400


@dataclass(frozen=True, slots=True)
class Policy:
    """The settings of one organization. Each field is a policy key with ``.`` written as ``_``."""

    accounts_required: tuple[str, ...] = ("name", "owner", "purpose")
    accounts_restore_days: int = 30
    credentials_schemes: tuple[str, ...] = ("bearer",)
    credentials_name_required: bool = True
    credentials_max_usable: int | None = 10
    credentials_self_rotation: bool = True
    expiry_default_days: int | None = 90
    expiry_max_days: int | None = 365
    expiry_warn_days: tuple[int, ...] = (30, 14, 7, 1)
    rotation_modes: tuple[str, ...] = ("rotate", "regenerate")
    rotation_overlap_seconds: int = DAY_SECONDS
    rotation_lead_days: int = 14
    forbidden_for_service_roles: tuple[str, ...] = ("owner",)
    forbidden_for_service_permissions: tuple[str, ...] = ("pat:issue", "organization:delete")
    elevated_permissions: tuple[str, ...] = (
        "role:create",
        "role:update",
        "role:delete",
        "grant:create",
        "grant:delete",
        "access_policy:create",
        "access_policy:update",
        "access_policy:delete",
        "policy:update",
        "credential:issue",
    )
    elevated_justification_required: bool = True
    grants_ceiling: bool = True
    pat_enabled: bool = True
    freshness_lease_seconds: int = 10
    request_log_retention_days: int = 90


NATIVE = Policy()


def policy_of(organization_id: str) -> Policy:
    """Return the policy that is in force for an organization."""
    return NATIVE
