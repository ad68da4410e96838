"""Addresses of the console. Nothing of the sign-in library is reachable but two."""

from __future__ import annotations

from django.urls import URLPattern, path
from django.views.generic import RedirectView

from retinue.server.console import (
    access_policies,
    account_form,
    account_page,
    accounts,
    acting,
    assets,
    compromising,
    confirmation,
    credentials,
    device,
    editing,
    explaining,
    exporting,
    findings,
    groups,
    ingest_tokens,
    invitation,
    key_form,
    logs,
    my_tokens,
    pages,
    people,
    policies,
    problems,
    receipts,
    revealing,
    reviews,
    roles,
    setup,
    signin,
)

_ACCOUNT = "o/<slug:handle>/accounts/<str:account_id>"
_KEY = "o/<slug:handle>/keys/<str:key_id>"
_REVIEW = "o/<slug:handle>/reviews/<str:review_id>"
_USER = "o/<slug:handle>/settings/users/<str:user_id>"
_POLICY = "o/<slug:handle>/access/policies/<str:policy_id>"
_INGEST = "o/<slug:handle>/credentials/ingest"
_ROLE = "o/<slug:handle>/access/roles/<str:role_id>"


def _of_groups(kind: str) -> list[URLPattern]:
    """Return the addresses of groups, or of teams."""
    base, kinds = f"o/<slug:handle>/access/{kind}s", {"kind": kind}
    one = f"{base}/<str:group_id>"
    return [
        path(base, groups.listed, kinds, name=f"console_{kind}s"),
        path(f"{base}/new", groups.create, kinds, name=f"console_{kind}_new"),
        path(one, groups.one, kinds, name=f"console_{kind}"),
        path(f"{one}/do/<str:name>", groups.act, kinds, name=f"console_{kind}_act"),
    ]


urlpatterns = [
    path("", pages.home, name="console_home"),
    path("theme/", pages.theme, name="console_theme"),
    path("o/<slug:handle>/", pages.home, name="console_organization"),
    path("o/<slug:handle>/findings/counts", pages.findings, name="console_findings"),
    path("o/<slug:handle>/nodes/state", pages.fleet, name="console_fleet"),
    path("o/<slug:handle>/accounts", accounts.listed, name="console_accounts"),
    path("o/<slug:handle>/accounts/bulk", accounts.bulk, name="console_accounts_bulk"),
    path("o/<slug:handle>/accounts/new", account_form.create, name="console_account_new"),
    path("o/<slug:handle>/accounts/new/handle", account_form.handle, name="console_account_handle"),
    path(_ACCOUNT, account_page.account, name="console_account"),
    path(f"{_ACCOUNT}/save", editing.settings, name="console_account_save"),
    path(f"{_ACCOUNT}/grants", editing.grant, name="console_account_grants"),
    path(f"{_ACCOUNT}/roles", editing.hold_roles, name="console_account_roles"),
    path(f"{_ACCOUNT}/keys/new", key_form.issue, name="console_key_new"),
    path(f"{_ACCOUNT}/do/<str:name>", acting.act_on_account, name="console_account_act"),
    path(f"{_ACCOUNT}/compromise", compromising.account, name="console_account_compromise"),
    path(f"{_ACCOUNT}/<str:tab>", account_page.account, name="console_account"),
    path(f"{_KEY}/first-request", revealing.first_request, name="console_first_request"),
    path(f"{_KEY}/do/<str:name>", acting.act_on_key, name="console_key_act"),
    path("o/<slug:handle>/test-token", revealing.test, name="console_test_token"),
    path("o/<slug:handle>/receipts/<str:receipt_id>", receipts.receipt, name="console_receipt"),
    path("o/<slug:handle>/credentials", credentials.listed, name="console_credentials"),
    path("o/<slug:handle>/credentials/identify", credentials.identify, name="console_identify"),
    path("o/<slug:handle>/credentials/compromise", compromising.organization, name="console_compromise"),
    path(_INGEST, ingest_tokens.listed, name="console_ingest_tokens"),
    path(f"{_INGEST}/new", ingest_tokens.issue, name="console_ingest_token_new"),
    path(f"{_INGEST}/<str:key_id>/do/<str:name>", ingest_tokens.act, name="console_ingest_token_act"),
    path("o/<slug:handle>/requests", logs.requests, name="console_requests"),
    path("o/<slug:handle>/audit", logs.audit, name="console_audit"),
    path("o/<slug:handle>/audit/export", exporting.audit, name="console_audit_export"),
    path("o/<slug:handle>/findings", findings.listed, name="console_findings_listed"),
    path("o/<slug:handle>/findings/<str:finding_id>/accept", findings.accept, name="console_finding_accept"),
    path("o/<slug:handle>/access/roles", roles.listed, name="console_roles"),
    path("o/<slug:handle>/access/roles/new", roles.create, name="console_role_new"),
    path(_ROLE, roles.one, name="console_role"),
    path(f"{_ROLE}/clone", roles.clone, name="console_role_clone"),
    path(f"{_ROLE}/delete", roles.delete, name="console_role_delete"),
    *_of_groups("group"),
    *_of_groups("team"),
    path("o/<slug:handle>/access/policies", access_policies.listed, name="console_access_policies"),
    path("o/<slug:handle>/access/policies/new", access_policies.create, name="console_access_policy_new"),
    path(_POLICY, access_policies.one, name="console_access_policy"),
    path(f"{_POLICY}/do/<str:name>", access_policies.act, name="console_access_policy_act"),
    path("o/<slug:handle>/access/permissions", explaining.permissions, name="console_permissions"),
    path("o/<slug:handle>/access/explain", explaining.why, name="console_why"),
    path("o/<slug:handle>/me/tokens", my_tokens.listed, name="console_my_tokens"),
    path("o/<slug:handle>/me/tokens/new", my_tokens.issue, name="console_my_token_new"),
    path(
        "o/<slug:handle>/me/tokens/<str:key_id>/do/<str:name>",
        acting.act_on_my_token,
        name="console_my_token_act",
    ),
    path("o/<slug:handle>/settings/users", people.listed, name="console_users"),
    path("o/<slug:handle>/settings/users/invite", people.invite, name="console_user_invite"),
    path("o/<slug:handle>/settings/users/<str:user_id>", people.one, name="console_user"),
    path(f"{_USER}/compromise", compromising.user, name="console_user_compromise"),
    path("o/<slug:handle>/settings/users/<str:user_id>/do/<str:name>", people.act, name="console_user_act"),
    path("o/<slug:handle>/settings/nodes", people.nodes, name="console_nodes"),
    path("o/<slug:handle>/policies", policies.shown, name="console_policies"),
    path("o/<slug:handle>/policies/change", policies.change, name="console_policy_change"),
    path("o/<slug:handle>/reviews", reviews.listed, name="console_reviews"),
    path("o/<slug:handle>/reviews/new", reviews.opened, name="console_review_new"),
    path(_REVIEW, reviews.one, name="console_review"),
    path(f"{_REVIEW}/items/<str:item_id>/decide", reviews.decide, name="console_review_decide"),
    path(f"{_REVIEW}/export", exporting.review, name="console_review_export"),
    path(f"{_REVIEW}/<str:how>", reviews.end, name="console_review_end"),
    path("login/", signin.Signin.as_view(), name="account_login"),
    path("login", RedirectView.as_view(url="/login/", query_string=True)),
    path("logout/", signin.Signout.as_view(), name="account_logout"),
    path("confirm/", confirmation.confirm, name="console_confirm"),
    path("confirm", RedirectView.as_view(url="/confirm/", query_string=True)),
    path("device/", device.enter, name="console_device"),
    path("device", RedirectView.as_view(url="/device/")),
    path("setup/", setup.setup, name="console_setup"),
    path("setup", RedirectView.as_view(url="/setup/")),
    path("invitation/", invitation.choose, name="console_invitation"),
    path("invitation", RedirectView.as_view(url="/invitation/")),
    path("docs/errors", problems.listed, name="console_problems"),
    path("docs/errors/", RedirectView.as_view(url="/docs/errors")),
    path("docs/errors/<str:code>", problems.one, name="console_problem"),
    path("static/<str:name>", assets.serve, name="console_asset"),
]
