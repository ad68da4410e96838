"""Who may do what, as the model's section on management permissions says it in words. Written from those
words, and not from the code's tables: what is here and there is to be the same for two reasons, not for one.
"""

from __future__ import annotations

from tests.authorization import access
from tests.authorization.people import FEW, ROLES

PUBLIC, SELF, NODE = "everybody", "holders of a genuine token", "nodes"
_WORDS = {
    "user": "create read update enable disable delete",
    "service_account": "create read update enable disable delete approve",
    "credential": "issue read rename restrict rotate expire revoke delete",
    "pat": "issue read revoke",
    "ingest_token": "issue read rotate revoke delete",
    "group": "create read update delete",
    "team": "create read update delete",
    "role": "create read update delete",
    "access_policy": "create read update delete",
    "grant": "create read delete",
    "decision": "simulate ask",
    "organization": "read update delete",
    "policy": "read update",
    "request_log": "read export",
    "audit_log": "read export",
    "review": "create read decide",
    "finding": "read resolve",
}
ALL = frozenset(f"{noun}:{verb}" for noun, verbs in _WORDS.items() for verb in verbs.split())
#: Of the installation: operators hold them, no role does.
OPERATORS = frozenset(
    [
        "organization:create",
        "organization:list",
        "organization:enable",
        "organization:disable",
        "node:read",
        "node:enrol",
        "node:remove",
        "permission:import",
        "epoch:read",
        "epoch:create",
        "epoch:update",
    ]
)
_MANAGED = ("user", "service_account", "credential", "group", "team", "grant", "review", "finding")
HOLDS: dict[str, frozenset[str]] = {
    "owner": ALL,
    "administrator": ALL - {"organization:delete", "policy:update", "pat:issue"},
    "access-manager": frozenset(name for name in ALL if name.partition(":")[0] in _MANAGED),
    "auditor": frozenset(name for name in ALL if name.endswith((":read", ":export"))) | {"decision:simulate"},
    "member": frozenset({"pat:issue"}),
}
#: What no service account holds, whatever its roles say.
NEVER_FOR_SERVICE = frozenset({"pat:issue", "organization:delete"})

#: A document of everything is for who may read everything that is in it.
CONFIGURATION = (
    "policy:read user:read role:read group:read team:read service_account:read access_policy:read grant:read"
)
#: What each operation needs: permissions, or who else may.
NEEDS: dict[str, str] = {
    "get_openapi": PUBLIC,
    "list_identity_keys": PUBLIC,
    "report_leaked_tokens": PUBLIC,
    "verify_found_tokens": "credential:read",
    "list_webhooks": "organization:read",
    "get_webhook": "organization:read",
    "list_deliveries": "organization:read",
    "list_mails": "organization:read user:read",
    "create_webhook": "organization:update audit_log:export",
    "update_webhook": "organization:update audit_log:export",
    "enable_webhook": "organization:update audit_log:export",
    "rotate_webhook": "organization:update audit_log:export",
    "disable_webhook": "organization:update",
    "test_webhook": "organization:update",
    "delete_webhook": "organization:update",
    "retry_delivery": "organization:update",
    "poll_feed": NODE,
    "claim_token": NODE,
    "get_snapshot": NODE,
    "ship_requests": NODE,
    "renew_credential": NODE,
    "get_me": SELF,
    "take_journal": NODE,
    "get_terminology": SELF,
    "get_presentation": SELF,
    "list_principals": "user:read service_account:read",
    "announce_node": NODE,
    "list_saved_views": SELF,
    "create_saved_view": SELF,
    "get_saved_view": SELF,
    "update_saved_view": SELF,
    "delete_saved_view": SELF,
    "list_my_tokens": SELF,
    "get_my_token": SELF,
    "rename_my_token": SELF,
    "finish_my_rotation": SELF,
    "revoke_my_token": SELF,
    "delete_my_token": SELF,
    "issue_my_token": "pat:issue",
    "rotate_my_token": "pat:issue",
    "regenerate_my_token": "pat:issue",
    "expire_my_token": "pat:issue",
    "restrict_my_token": "pat:issue",
    "restore_my_token": "pat:issue",
    "list_personal_tokens": "pat:read",
    "get_personal_token": "pat:read",
    "revoke_personal_token": "pat:revoke",
    "list_ingest_tokens": "ingest_token:read",
    "get_ingest_token": "ingest_token:read",
    "issue_ingest_token": "ingest_token:issue",
    "rename_ingest_token": "ingest_token:issue",
    "restrict_ingest_token": "ingest_token:issue",
    "rotate_ingest_token": "ingest_token:rotate",
    "finish_ingest_rotation": "ingest_token:rotate",
    "regenerate_ingest_token": "ingest_token:rotate",
    "expire_ingest_token": "ingest_token:revoke",
    "revoke_ingest_token": "ingest_token:revoke",
    "restore_ingest_token": "ingest_token:revoke",
    "delete_ingest_token": "ingest_token:delete",
    "list_credentials": "credential:read",
    "get_expiry_plan": "credential:read",
    "plan_conversion": "pat:read",
    "convert_token": "pat:read pat:revoke service_account:create grant:create credential:issue",
    "identify_credential": "credential:read",
    "preview_key_compromise": "credential:read",
    "preview_account_compromise": "credential:read",
    "preview_user_compromise": "pat:read",
    "preview_organization_compromise": "credential:read pat:read ingest_token:read",
    "compromise_key": "credential:revoke",
    "compromise_account": "credential:revoke",
    "compromise_user": "pat:revoke",
    "compromise_organization": "credential:revoke pat:revoke ingest_token:revoke",
    "list_service_accounts": "service_account:read",
    "count_service_accounts": "service_account:read",
    "create_service_account": "service_account:create",
    "get_service_account": "service_account:read",
    "update_service_account": "service_account:update",
    "delete_service_account": "service_account:delete",
    "enable_service_account": "service_account:enable",
    "disable_service_account": "service_account:disable",
    "preview_disable": "service_account:read",
    "approve_service_account": "service_account:approve",
    "restore_service_account": "service_account:delete",
    "duplicate_service_account": "service_account:create grant:create",
    "list_grants": "grant:read",
    "create_grant": "grant:create",
    "delete_grant": "grant:delete",
    "change_grants": "grant:create grant:delete",
    "list_effective_permissions": "grant:read",
    "list_keys": "credential:read",
    "list_keys_of_account": "credential:read",
    "get_key": "credential:read",
    "issue_key": "credential:issue",
    "rename_key": "credential:rename",
    "rotate_key": "credential:rotate",
    "regenerate_key": "credential:rotate",
    "finish_rotation": "credential:rotate",
    "extend_rotation": "credential:rotate",
    "undo_rotation": "credential:rotate",
    "expire_key": "credential:expire",
    "restrict_key": "credential:restrict",
    "revoke_key": "credential:revoke",
    "restore_key": "credential:revoke",
    "delete_key": "credential:delete",
    "get_receipt": "credential:read",
    "list_users": "user:read",
    "create_user": "user:create",
    "get_user": "user:read",
    "invite_user": "user:create",
    "invite_again": "user:create",
    "update_user": "user:update",
    "reset_sign_in": "user:update",
    "enable_user": "user:enable",
    "disable_user": "user:disable",
    "delete_user": "user:delete",
    "get_user_impact": "user:read",
    "reassign_accounts": "user:update service_account:update",
    "list_organizations": "organization:list",
    "create_organization": "organization:create",
    "invite_administrator": "organization:create",
    "get_organization": "organization:list",
    "enable_organization": "organization:enable",
    "disable_organization": "organization:disable",
    "get_own_organization": "organization:read",
    "update_own_organization": "organization:update",
    "delete_own_organization": "organization:delete",
    "list_nodes": "node:read",
    "enrol_node": "node:enrol",
    "get_node": "node:read",
    "remove_node": "node:remove",
    "create_probe": "node:enrol",
    "get_probe": "node:read",
    "list_epochs": "epoch:read",
    "begin_epoch": "epoch:create",
    "get_epoch": "epoch:read",
    "skip_journals": "epoch:update",
    "list_lost": "epoch:read",
    "list_requests": "request_log:read",
    "tally_requests": "request_log:read",
    "check_names": "service_account:read",
    "list_requests_of_account": "request_log:read",
    "list_audit_events": "audit_log:read",
    "get_audit_event": "audit_log:read",
    "get_audit_event_proof": "audit_log:read",
    "get_audit_log": "audit_log:read",
    "verify_audit_log": "audit_log:read",
    "list_audit_log_entries": "audit_log:read",
    "get_audit_log_consistency": "audit_log:read",
    "get_policy": "policy:read",
    "check_policy": "policy:read",
    "list_policy_presets": "policy:read",
    "list_policy_keys": "policy:read",
    "list_policy_versions": "policy:read",
    "get_policy_version": "policy:read",
    "change_policy": "policy:update",
    "list_findings": "finding:read",
    "count_findings": "finding:read",
    "get_finding": "finding:read",
    "accept_finding": "finding:resolve",
    "reopen_finding": "finding:resolve",
    "export_configuration": CONFIGURATION,
    "plan_configuration": CONFIGURATION,
    "apply_configuration": CONFIGURATION,
    "list_reviews": "review:read",
    "open_review": "review:create",
    "get_review": "review:read",
    "list_review_items": "review:read",
    "get_review_item": "review:read",
    "decide_review_item": "review:decide",
    "apply_review": "review:decide",
    "cancel_review": "review:create",
    "export_review": "review:read",
    "enable_service_accounts": "service_account:enable",
    "disable_service_accounts": "service_account:disable",
    "delete_service_accounts": "service_account:delete",
    "grant_to_service_accounts": "grant:create",
    "take_from_service_accounts": "grant:delete",
    "set_owners_of_service_accounts": "service_account:update",
    "revoke_keys": "credential:revoke",
    "expire_keys": "credential:expire",
    "restrict_keys": "credential:restrict",
    "rotate_keys": "credential:rotate",
    "delete_keys": "credential:delete",
    "import_keys": "credential:issue",
    **access.NEEDS,
}


def held(who: str) -> frozenset[str]:
    """Return the management permissions that a kind of principal holds."""
    if who == "operator":
        return OPERATORS
    if who == "account with a few permissions":
        return frozenset(FEW)
    roles, is_person = ROLES.get(who, ((), True))
    found: frozenset[str] = frozenset().union(*(HOLDS[role] for role in roles))
    return found if is_person else found - NEVER_FOR_SERVICE


def judge(who: str, operation: str) -> str:
    """Return what a caller of this kind is answered: ``may``, or the code of the refusal."""
    needs = NEEDS[operation]
    if needs == PUBLIC:
        return "may"
    if who == "stranger":
        return "token_missing"
    if who in ("stranger with a token", "setup code"):
        return "token_unknown"
    if (who == "node") != (needs == NODE):
        return "kind_not_accepted"
    if needs in (NODE, SELF) or set(needs.split()) <= held(who):
        return "may"
    return "permission_missing"
