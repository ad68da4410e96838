"""The words that people are shown, by pack. Names of the API never change. One and many."""

from __future__ import annotations

Words = dict[str, tuple[str, str]]

_RETINUE: Words = {
    "service_account": ("service account", "service accounts"),
    "api_key": ("API key", "API keys"),
    "personal_access_token": ("personal access token", "personal access tokens"),
    "ingest_token": ("ingest token", "ingest tokens"),
    "token": ("token", "tokens"),
    "organization": ("organization", "organizations"),
    "user": ("user", "users"),
    "role": ("role", "roles"),
    "group": ("group", "groups"),
    "team": ("team", "teams"),
    "access_policy": ("access policy", "access policies"),
    "issue": ("issue", "issued"),
    "rotate": ("rotate", "rotated"),
    "revoke": ("revoke", "revoked"),
    "delete": ("delete", "deleted"),
    "disable": ("disable", "disabled"),
    "enable": ("enable", "enabled"),
}

#: Of an act the two words are the act and what it has become.
PACKS: dict[str, Words] = {
    "retinue": _RETINUE,
    "whaly": {
        **_RETINUE,
        "api_key": ("key", "keys"),
        "token": ("API token", "API tokens"),
        "revoke": ("remove", "removed"),
        "organization": ("workspace", "workspaces"),
    },
    "qualytics": {
        **_RETINUE,
        "api_key": ("service token", "service tokens"),
        "personal_access_token": ("personal API token", "personal API tokens"),
        "issue": ("generate", "generated"),
    },
    "precisely": {
        **_RETINUE,
        "service_account": ("service user", "service users"),
        "api_key": ("API key", "API keys"),
        "token": ("API secret", "API secrets"),
        "organization": ("workspace", "workspaces"),
        "access_policy": ("security policy", "security policies"),
        "issue": ("generate", "generated"),
        "revoke": ("delete", "deleted"),
    },
    "planhat": {
        **_RETINUE,
        "api_key": ("API access token", "API access tokens"),
        "token": ("API access token", "API access tokens"),
        "ingest_token": ("tenant token", "tenant tokens"),
        "organization": ("tenant", "tenants"),
        "issue": ("generate", "generated"),
        "revoke": ("delete", "deleted"),
    },
    "wavefront": {
        **_RETINUE,
        "api_key": ("token", "tokens"),
        "personal_access_token": ("API token", "API tokens"),
        "disable": ("deactivate", "deactivated"),
        "enable": ("activate", "activated"),
        "issue": ("generate", "generated"),
    },
}
