"""Every page of the console: the address of each, by the name of its route; and what is no page."""

from __future__ import annotations

from itertools import chain

_ACCOUNT = "/o/northwind/accounts/{account_id}"
_KEY = "/o/northwind/keys/{key_id}"
_ACCESS = "/o/northwind/access"
_SETTINGS = "/o/northwind/settings"
TABS = ("keys", "access", "requests", "audit", "settings")
KEY_ACTS = ("rotate", "regenerate", "expire", "restrict", "rename", "revoke")
ACCOUNT_ACTS = ("disable", "delete")

#: By the name of the route, its pages: what its picture is called, and its address.
PAGES: dict[str, dict[str, str]] = {
    "console_organization": {"home": "/o/northwind/"},
    "console_palette": {"palette": "/o/northwind/palette"},
    "console_accounts": {
        "accounts": "/o/northwind/accounts",
        "accounts-none-match": "/o/northwind/accounts?search=nothing",
    },
    "console_account_new": {"account-new": "/o/northwind/accounts/new"},
    "console_account": {"account": _ACCOUNT, **{f"account-{tab}": f"{_ACCOUNT}/{tab}" for tab in TABS}},
    "console_key_new": {"key-new": f"{_ACCOUNT}/keys/new"},
    "console_account_act": {f"account-{act}": f"{_ACCOUNT}/do/{act}" for act in ACCOUNT_ACTS},
    "console_account_compromise": {"account-compromise": f"{_ACCOUNT}/compromise"},
    "console_key_act": {f"key-{act}": f"{_KEY}/do/{act}" for act in KEY_ACTS},
    "console_receipt": {"receipt": "/o/northwind/receipts/{receipt_id}"},
    "console_credentials": {"credentials": "/o/northwind/credentials"},
    "console_identify": {"identify": "/o/northwind/credentials/identify"},
    "console_compromise": {"compromise": "/o/northwind/credentials/compromise"},
    "console_ingest_tokens": {"ingest-tokens": "/o/northwind/credentials/ingest"},
    "console_ingest_token_new": {"ingest-token-new": "/o/northwind/credentials/ingest/new"},
    "console_ingest_token_act": {"ingest-token-revoke": "/o/northwind/credentials/ingest/{ingest}/do/revoke"},
    "console_account_rotate_all": {"account-rotate-all": f"{_ACCOUNT}/rotate-all"},
    "console_views": {"views": "/o/northwind/views?of=service-accounts&search=etl"},
    "console_requests": {"requests": "/o/northwind/requests"},
    "console_audit": {"audit": "/o/northwind/audit"},
    "console_findings_listed": {"findings": "/o/northwind/findings"},
    "console_roles": {"roles": f"{_ACCESS}/roles"},
    "console_role_new": {"role-new": f"{_ACCESS}/roles/new"},
    "console_role": {"role": f"{_ACCESS}/roles/{{role_id}}"},
    "console_groups": {"groups": f"{_ACCESS}/groups"},
    "console_group_new": {"group-new": f"{_ACCESS}/groups/new"},
    "console_group": {"group": f"{_ACCESS}/groups/{{group}}"},
    "console_teams": {"teams": f"{_ACCESS}/teams"},
    "console_team_new": {"team-new": f"{_ACCESS}/teams/new"},
    "console_team": {
        "team": f"{_ACCESS}/teams/{{team}}",
        "team-resources": f"{_ACCESS}/teams/{{team}}?tab=resources",
    },
    "console_access_policies": {"access-policies": f"{_ACCESS}/policies"},
    "console_access_policy_new": {"access-policy-new": f"{_ACCESS}/policies/new"},
    "console_access_policy": {"access-policy": f"{_ACCESS}/policies/{{policy_id}}"},
    "console_permissions": {"permissions": f"{_ACCESS}/permissions"},
    "console_why": {"why": f"{_ACCESS}/explain?principal=etl-warehouse&permission=report:read"},
    "console_my_tokens": {"my-tokens": "/o/northwind/me/tokens"},
    "console_my_token_new": {"my-token-new": "/o/northwind/me/tokens/new"},
    "console_convert": {"convert": "/o/northwind/tokens/{pat}/convert"},
    "console_settings": {"settings": _SETTINGS},
    "console_notifications": {"notifications": f"{_SETTINGS}/notifications"},
    "console_protect": {"protect": f"{_SETTINGS}/protect"},
    "console_users": {"users": f"{_SETTINGS}/users"},
    "console_user_invite": {"invite": f"{_SETTINGS}/users/invite"},
    "console_user": {"user": f"{_SETTINGS}/users/{{user}}"},
    "console_user_compromise": {"user-compromise": f"{_SETTINGS}/users/{{user}}/compromise"},
    "console_nodes": {"forbidden": f"{_SETTINGS}/nodes"},
    "console_policies": {"policies": "/o/northwind/policies"},
    "console_policy_key": {"policy-key": "/o/northwind/policies/keys/expiry.by_environment"},
    "console_reviews": {"reviews": "/o/northwind/reviews"},
    "console_review_new": {"review-new": "/o/northwind/reviews/new"},
    "console_review": {"review": "/o/northwind/reviews/{review_id}"},
    "account_logout": {"sign-out": "/logout/"},
    "console_device": {"device": "/device/"},
    "console_my_security": {"security": "/me/security/"},
    "console_my_password": {"security-password": "/me/security/password/"},
    "console_my_sessions": {"sessions": "/me/sessions/"},
    "console_problems": {"problems": "/docs/errors"},
    "console_problem": {"problem": "/docs/errors/credential_revoked"},
}
#: Pages that show themselves before the sign-in alone.
BEFORE: dict[str, dict[str, str]] = {
    "account_login": {"sign-in": "/login/"},
    "console_invitation": {"invitation": "/invitation/"},
}
#: Pages for the operator of the installation; others are told that they may not see them.
OPERATOR = {"nodes": "/o/acme/settings/nodes"}
FORBIDDEN = {"forbidden"}
#: What is no page: parts of pages, forms that are only sent, files, and steps that lead on at once.
PARTS = {
    "console_findings", "console_fleet", "console_account_handle", "console_account_effect", "console_first_request", "console_decided", "console_reviews_due",
    "console_requests_chart", "console_test_token", "console_handover",
    "console_account_findings", "console_protected", "console_session_left", "console_account_drift",
}  # fmt: skip
SENT = {
    "console_theme", "console_keys", "console_language", "console_accounts_bulk", "console_audit_verify", "console_webhook_act", "console_nodes_measure", "console_review_keep", "console_credentials_bulk", "console_views_save", "console_view_change", "console_account_save",
    "console_account_grants", "console_account_grants_change", "console_account_roles", "console_account_join", "console_finding_accept",
    "console_role_clone", "console_role_delete", "console_group_act", "console_team_act", "console_access_policy_act",
    "console_policy_change", "console_review_decide", "console_review_end", "console_my_token_act", "console_convert",
    "console_my_app_remove", "console_my_codes", "console_my_passkey_remove", "console_my_passkey_rename",
    "console_sso_disconnect", "console_my_sessions_end", "console_checklist", "console_user_act",
}  # fmt: skip
FILES = {
    "console_accounts_export", "console_requests_export", "console_audit_proof", "console_account_yaml", "console_credentials_export", "console_audit_export", "console_review_export",
    "console_asset",
}  # fmt: skip
#: Shown in the tests of signing in, because they are steps of it; and the documents, which have their own.
ELSEWHERE = {
    "mfa_authenticate", "mfa_login_webauthn", "console_sso", "console_sso_done", "console_sso_out", "console_confirm",
    "console_my_app", "console_my_passkey_new", "console_manual",
}  # fmt: skip
#: Shown in the tests of states: the page of an installation that nobody has set up yet.
FIRST = {"console_setup"}
#: Pages as they are after an act, and the list of each preset: looked at in the tests of states.
STATES = (
    "setup", "secret-reveal", "hand-over", "preset-dry-run", "bulk-preview", "request-drawer",
    "first-home", "first-accounts", "loading", "cut-off", "bulk-partly-done",
    "policy-dry-run", "audit-proof", "unsaved", "not-found", "too-many", "server-failed", "revocation-measured",
    "preset-whaly", "preset-qualytics", "preset-precisely", "preset-planhat", "preset-wavefront",
)  # fmt: skip
#: Leads to the page of the person's organization, or to a list as it is to be shown.
LEADS_ON = {"console_home", "console_view", "console_table"}


def known() -> set[str]:
    """Return the names of all routes that are accounted for."""
    return {*PAGES, *BEFORE, *PARTS, *SENT, *FILES, *ELSEWHERE, *FIRST, *LEADS_ON}


def pictures() -> list[str]:
    """Return the names of all pictures."""
    return [name for each in chain(BEFORE.values(), PAGES.values(), (OPERATOR, STATES)) for name in each]
