"""Every operation of the API that the client knows, with the permission it needs.

``permission`` is empty where each caller may ask about itself. Path parameters stand in braces.
"""

from __future__ import annotations

from typing import Any, Generic, TypeVar

from retinue.client import models as m
from retinue.client import node_models as n
from retinue.client import organization as o

T = TypeVar("T")


class Operation(Generic[T]):
    """One line of the table: how to call, what it needs, and what it answers."""

    __slots__ = ("answer", "creates", "in_earnest", "method", "path", "permission", "reason")

    def __init__(
        self,
        method: str,
        path: str,
        permission: str,
        answer: Any,
        creates: bool = False,
        reason: str = "reason",
        in_earnest: bool = False,
    ) -> None:
        self.method = method
        self.path = path
        self.permission = permission
        self.answer = answer
        #: What makes something new is sent with an Idempotency-Key.
        self.creates = creates
        #: Field of the body that says in words why it is done.
        self.reason = reason
        #: It cannot be tried: it reaches beyond what a dry run takes back.
        self.in_earnest = in_earnest


_ACCOUNTS = "/v1/service-accounts"
_ACCOUNT = "/v1/service-accounts/{id}"

LIST_ACCOUNTS: Operation[m.Page[m.ServiceAccount]] = Operation(
    "GET", _ACCOUNTS, "service_account:read", m.Page[m.ServiceAccount]
)
CREATE_ACCOUNT: Operation[m.CreatedAccount] = Operation(
    "POST", _ACCOUNTS, "service_account:create", m.CreatedAccount, True
)
GET_ACCOUNT: Operation[m.ServiceAccount] = Operation(
    "GET", _ACCOUNT, "service_account:read", m.ServiceAccount
)
EDIT_ACCOUNT: Operation[m.ServiceAccount] = Operation(
    "PATCH", _ACCOUNT, "service_account:update", m.ServiceAccount
)
DELETE_ACCOUNT: Operation[m.ServiceAccount] = Operation(
    "DELETE", _ACCOUNT, "service_account:delete", m.ServiceAccount
)
ENABLE_ACCOUNT: Operation[m.ServiceAccount] = Operation(
    "POST", _ACCOUNT + "/enable", "service_account:enable", m.ServiceAccount
)
APPROVE_ACCOUNT: Operation[m.ServiceAccount] = Operation(
    "POST", _ACCOUNT + "/approve", "service_account:approve", m.ServiceAccount
)
PREVIEW_DISABLE: Operation[o.DisablePreview] = Operation(
    "GET", _ACCOUNT + "/disable", "service_account:read", o.DisablePreview
)
DISABLE_ACCOUNT: Operation[m.ServiceAccount] = Operation(
    "POST", _ACCOUNT + "/disable", "service_account:disable", m.ServiceAccount
)
RESTORE_ACCOUNT: Operation[m.ServiceAccount] = Operation(
    "POST", _ACCOUNT + "/restore", "service_account:delete", m.ServiceAccount
)
LIST_ACCOUNT_KEYS: Operation[m.Page[m.Key]] = Operation(
    "GET", _ACCOUNT + "/keys", "credential:read", m.Page[m.Key]
)
ISSUE_KEY: Operation[m.IssuedKey] = Operation(
    "POST", _ACCOUNT + "/keys", "credential:issue", m.IssuedKey, True
)
IMPORT_KEYS: Operation[m.ImportResult] = Operation(
    "POST", "/v1/bulk/keys/import", "credential:issue", m.ImportResult, True
)
ADD_GRANT: Operation[m.Grant] = Operation("POST", _ACCOUNT + "/grants", "grant:create", m.Grant, True)

LIST_KEYS: Operation[m.Page[m.Key]] = Operation("GET", "/v1/keys", "credential:read", m.Page[m.Key])
GET_KEY: Operation[m.Key] = Operation("GET", "/v1/keys/{id}", "credential:read", m.Key)
RENAME_KEY: Operation[m.Key] = Operation("PATCH", "/v1/keys/{id}", "credential:rename", m.Key)
ROTATE_KEY: Operation[m.IssuedKey] = Operation(
    "POST", "/v1/keys/{id}/rotate", "credential:rotate", m.IssuedKey, True
)
REGENERATE_KEY: Operation[m.IssuedKey] = Operation(
    "POST", "/v1/keys/{id}/regenerate", "credential:rotate", m.IssuedKey, True
)
REVOKE_KEY: Operation[m.Key] = Operation(
    "POST", "/v1/keys/{id}/revoke", "credential:revoke", m.Key, reason="text"
)
FINISH_ROTATION: Operation[m.Key] = Operation(
    "POST", "/v1/keys/{id}/finish-rotation", "credential:rotate", m.Key
)
EXTEND_ROTATION: Operation[m.Key] = Operation(
    "POST", "/v1/keys/{id}/extend-rotation", "credential:rotate", m.Key, True
)
UNDO_ROTATION: Operation[m.Key] = Operation("POST", "/v1/keys/{id}/undo-rotation", "credential:rotate", m.Key)
EXPIRE_KEY: Operation[m.ExpiringKey] = Operation(
    "POST", "/v1/keys/{id}/expire", "credential:expire", m.ExpiringKey
)
RESTRICT_KEY: Operation[m.Key] = Operation("POST", "/v1/keys/{id}/restrict", "credential:restrict", m.Key)
RESTORE_KEY: Operation[m.Key] = Operation("POST", "/v1/keys/{id}/restore", "credential:revoke", m.Key)
DELETE_KEY: Operation[m.Key] = Operation("DELETE", "/v1/keys/{id}", "credential:delete", m.Key)

LIST_USERS: Operation[m.Page[m.User]] = Operation("GET", "/v1/users", "user:read", m.Page[m.User])
CREATE_USER: Operation[m.User] = Operation("POST", "/v1/users", "user:create", m.User, True)
GET_USER: Operation[m.User] = Operation("GET", "/v1/users/{id}", "user:read", m.User)

INVITE_USER: Operation[o.Invitation] = Operation("POST", "/v1/invitations", "user:create", o.Invitation, True)
INVITE_AGAIN: Operation[o.Invitation] = Operation(
    "POST", "/v1/users/{id}/invite", "user:create", o.Invitation, True
)
EDIT_USER: Operation[m.User] = Operation("PATCH", "/v1/users/{id}", "user:update", m.User)
RESET_SIGN_IN: Operation[m.User] = Operation("POST", "/v1/users/{id}/reset-sign-in", "user:update", m.User)
ENABLE_USER: Operation[m.User] = Operation("POST", "/v1/users/{id}/enable", "user:enable", m.User)
DISABLE_USER: Operation[m.User] = Operation("POST", "/v1/users/{id}/disable", "user:disable", m.User)
DELETE_USER: Operation[m.User] = Operation("DELETE", "/v1/users/{id}", "user:delete", m.User)
USER_IMPACT: Operation[o.UserImpact] = Operation("GET", "/v1/users/{id}/impact", "user:read", o.UserImpact)
REASSIGN: Operation[o.Reassigned] = Operation(
    "POST", "/v1/users/{id}/reassign", "service_account:update", o.Reassigned
)

_ORGANIZATION = "/v1/organizations/{id}"
LIST_ORGANIZATIONS: Operation[m.Page[o.Organization]] = Operation(
    "GET", "/v1/organizations", "organization:list", m.Page[o.Organization]
)
CREATE_ORGANIZATION: Operation[o.FoundedOrganization] = Operation(
    "POST", "/v1/organizations", "organization:create", o.FoundedOrganization, True
)
INVITE_ADMINISTRATOR: Operation[o.FoundedOrganization] = Operation(
    "POST", _ORGANIZATION + "/administrator", "organization:create", o.FoundedOrganization, True
)
GET_ORGANIZATION: Operation[o.Organization] = Operation(
    "GET", _ORGANIZATION, "organization:list", o.Organization
)
ENABLE_ORGANIZATION: Operation[o.Organization] = Operation(
    "POST", _ORGANIZATION + "/enable", "organization:enable", o.Organization
)
DISABLE_ORGANIZATION: Operation[o.Organization] = Operation(
    "POST", _ORGANIZATION + "/disable", "organization:disable", o.Organization
)
OWN_ORGANIZATION: Operation[o.Organization] = Operation(
    "GET", "/v1/organization", "organization:read", o.Organization
)
RENAME_ORGANIZATION: Operation[o.Organization] = Operation(
    "PATCH", "/v1/organization", "organization:update", o.Organization
)
DELETE_ORGANIZATION: Operation[o.Organization] = Operation(
    "DELETE", "/v1/organization", "organization:delete", o.Organization
)
GET_POLICY: Operation[o.Policy] = Operation("GET", "/v1/policy", "policy:read", o.Policy)
CHANGE_POLICY: Operation[o.Policy] = Operation("PATCH", "/v1/policy", "policy:update", o.Policy)
CHECK_POLICY: Operation[o.PolicyCheck] = Operation("POST", "/v1/policy/check", "policy:read", o.PolicyCheck)
LIST_POLICY_KEYS: Operation[m.Page[o.PolicyKey]] = Operation(
    "GET", "/v1/policy/keys", "policy:read", m.Page[o.PolicyKey]
)
LIST_PRESETS: Operation[m.Page[o.PolicyPreset]] = Operation(
    "GET", "/v1/policy/presets", "policy:read", m.Page[o.PolicyPreset]
)
LIST_POLICY_VERSIONS: Operation[m.Page[o.PolicyVersion]] = Operation(
    "GET", "/v1/policy/versions", "policy:read", m.Page[o.PolicyVersion]
)
GET_POLICY_VERSION: Operation[o.PolicyVersion] = Operation(
    "GET", "/v1/policy/versions/{number}", "policy:read", o.PolicyVersion
)

GET_PRESENTATION: Operation[o.Presentation] = Operation("GET", "/v1/presentation", "", o.Presentation)
GET_ME: Operation[m.Me] = Operation("GET", "/v1/me", "", m.Me)

LIST_REQUESTS: Operation[m.Page[m.RequestRecord]] = Operation(
    "GET", "/v1/requests", "request_log:read", m.Page[m.RequestRecord]
)
LIST_AUDIT_EVENTS: Operation[m.Page[m.AuditEvent]] = Operation(
    "GET", "/v1/audit-events", "audit_log:read", m.Page[m.AuditEvent]
)
LIST_PROVEN_EVENTS: Operation[m.Page[m.ProvenEvent]] = Operation(
    "GET", "/v1/audit-events", "audit_log:read", m.Page[m.ProvenEvent]
)
GET_AUDIT_LOG: Operation[m.AuditLog] = Operation("GET", "/v1/audit-log", "audit_log:read", m.AuditLog)
LIST_AUDIT_LOG_ENTRIES: Operation[m.Entries] = Operation(
    "GET", "/v1/audit-log/{log}/entries", "audit_log:read", m.Entries
)

LIST_NODES: Operation[m.Page[n.Node]] = Operation("GET", "/v1/nodes", "node:read", m.Page[n.Node])
GET_NODE: Operation[n.Node] = Operation("GET", "/v1/nodes/{id}", "node:read", n.Node)
ENROL_NODE: Operation[n.EnrolledNode] = Operation("POST", "/v1/nodes", "node:enrol", n.EnrolledNode, True)
CREATE_PROBE: Operation[n.Probe] = Operation("POST", "/v1/probes", "node:enrol", n.Probe, in_earnest=True)
REMOVE_NODE: Operation[n.Node] = Operation("DELETE", "/v1/nodes/{id}", "node:remove", n.Node)
