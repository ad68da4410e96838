"""Which test shows that a key of the policy has an effect. Who adds a key adds its test here."""

from __future__ import annotations

#: Keys with one value alone, which no test can state otherwise.
FIXED = {"credentials.reveal", "accounts.slug.case"}
#: File, test, and the keys (of an object: its members) whose effect it shows.
SHOWN_BY: dict[str, dict[str, tuple[str, ...]]] = {
    "api/test_naming": {
        "test_service_accounts_can_be_switched_off": ("features.service_accounts",),
        "test_handle_is_made_by_the_template": (
            "accounts.id_template",
            "accounts.slug.case",
            "accounts.slug.space",
            "accounts.slug.strip",
        ),
        "test_what_must_be_unique": ("accounts.unique",),
        "test_convention_is_refused_on_create_and_rename": ("accounts.name_pattern",),
        "test_number_of_accounts_is_limited": ("accounts.max",),
        "test_role_can_be_required": ("accounts.required",),
    },
    "api/test_account_policy": {
        "test_words_are_those_of_the_pack": ("terminology",),
        "test_attributes_are_typed": ("accounts.attributes",),
        "test_accounts_stand_where_the_policy_wants_them": ("accounts.list_with_users",),
        "test_many_accounts_are_deleted_where_the_policy_lets_that": ("accounts.delete_bulk",),
    },
    "api/test_first_key": {
        "test_key_comes_with_every_account": ("accounts.initial_credential",),
    },
    "api/test_copying": {
        "test_a_copy_obeys_policy_and_ceiling": (
            "accounts.copy_permissions.from",
            "accounts.copy_permissions.modes",
        ),
    },
    "api/test_account_approval": {
        "test_duplicates_wait_too_and_are_found": ("accounts.approval",),
    },
    "api/test_policy_values": {
        "test_deleted_accounts_come_back_for_so_many_days": ("accounts.restore_days",),
        "test_own_keys_are_rotated_where_the_policy_lets_that": ("credentials.self_rotation",),
        "test_an_environment_has_a_longest_lifetime": ("expiry.by_environment",),
        "test_no_key_lives_longer_than_the_policy_says": ("expiry.max_days",),
        "test_keys_are_rotated_so_long_before_they_end": ("rotation.lead_days",),
        "test_the_old_token_lives_on_for_the_overlap": ("rotation.overlap_seconds",),
        "test_more_than_one_holds_is_handed_out_where_the_policy_lets_that": ("grants.ceiling",),
        "test_what_services_never_have_the_policy_says": ("forbidden_for_service.permissions",),
        "test_what_is_elevated_the_policy_says": ("elevated.permissions",),
        "test_a_reason_is_asked_where_the_policy_says_so": ("elevated.justification",),
        "test_a_second_person_is_asked_where_the_policy_says_so": ("elevated.approval",),
        "test_ingest_tokens_stand_where_the_policy_says": ("ingest.presentation",),
        "test_the_request_log_is_kept_for_so_many_days": ("request_log.retention_days",),
        "test_reviews_come_in_the_rhythm_of_the_policy": ("reviews.every_days",),
        "test_who_is_silent_has_the_grace_of_the_policy": ("reviews.grace_days",),
        "test_silence_means_what_the_policy_says": ("reviews.no_answer",),
        "test_only_findings_of_the_policy_are_raised": ("findings.kinds",),
    },
    "api/test_presentation": {
        "test_disabling_is_confirmed_as_the_organization_wants": ("accounts.disable_confirm",),
        "test_lifetimes_that_are_too_long_are_not_offered": ("expiry.choices",),
        "test_callers_are_warned_from_the_first_of_the_days_on": ("expiry.warn_days",),
        "test_personal_tokens_are_warned_of_where_the_policy_says_so": ("pat.production_warning",),
    },
    "api/test_idle": {
        "test_environments_have_their_own_days": ("idle.days",),
        "test_idle_is_shut_with_its_cause": ("idle.action",),
    },
    "api/test_formats": {
        "test_key_has_the_format_of_the_policy": (
            "credentials.format",
            "credentials.mask_last",
        ),
    },
    "api/test_presented": {
        "test_a_prefix_of_ones_own_needs_no_setting": ("credentials.prefix",),
        "test_only_the_schemes_of_the_policy_are_accepted": ("credentials.schemes",),
        "test_networks_of_the_organization_and_of_an_environment": (
            "network.allow",
            "network.deny",
        ),
        "test_refusals_of_a_token_are_told_as_the_policy_says": (
            "responses.status.unauthenticated",
            "responses.status.forbidden",
            "responses.errors",
        ),
        "test_the_log_can_be_off": ("request_log.enabled",),
        "test_the_log_samples_allowed_decisions_alone": ("request_log.sample_allowed",),
    },
    "api/test_keys": {
        "test_token_is_shown_once": ("credentials.reveal",),
    },
    "api/test_key_life": {
        "test_names_are_free_where_the_policy_says_so": (
            "credentials.name.required",
            "credentials.name.unique",
            "credentials.name.renameable",
        ),
        "test_never_ends_where_the_policy_lets_it": (
            "expiry.required",
            "expiry.default_days",
        ),
        "test_mode_is_the_policys": ("rotation.modes",),
        "test_rotate_by_is_the_earlier_of_two": ("rotation.every_days",),
        "test_restore_has_its_window": ("revoke.restore_hours",),
        "test_delete_revokes_first_where_the_policy_says_so": ("revoke.delete_requires_revoked",),
    },
    "api/test_policy": {
        "test_changed_limit_holds_for_the_next_key": ("credentials.max_usable",),
    },
    "api/test_key_narrowing": {
        "test_policy_says_how_keys_are_narrowed": ("credentials.restrictions",),
    },
    "api/test_oauth": {
        "test_it_does_not_outlive_the_key": ("credentials.exchange_seconds",),
    },
    "api/test_expiry_enforced": {
        "test_stock_is_shortened_after_a_dry_run": ("expiry.enforce",),
    },
    "api/test_key_rotation": {
        "test_regenerate_overlaps_where_the_policy_says_so": ("rotation.regenerate_overlap_seconds",),
        "test_predecessor_retires_when_its_successor_is_first_used": ("rotation.retire_on",),
    },
    "api/test_sources": {
        "test_a_source_that_is_not_allowed": ("grants.sources",),
        "test_roles_per_account": (
            "grants.roles_per_account.min",
            "grants.roles_per_account.max",
        ),
        "test_forbidden_roles_and_groups": (
            "forbidden_for_service.roles",
            "forbidden_for_service.groups",
        ),
    },
    "api/test_access_policies": {
        "test_a_policy_gives_roles_to_groups": ("grants.group_roles_from",),
    },
    "api/test_approval": {
        "test_what_is_elevated_ends_by_itself": ("elevated.expires_days",),
    },
    "console/test_confirmation": {
        "test_elevated_permission_needs_a_recent_sign_in": ("elevated.step_up_minutes",),
    },
    "api/test_system_groups": {
        "test_a_policy_adds_roles_and_groups": (
            "system_groups",
            "roles.templates",
        ),
        "test_default_groups_are_joined_and_may_be_left": ("default_groups",),
    },
    "api/test_personal_tokens": {
        "test_where_there_are_none_none_is_issued": ("pat.enabled",),
        "test_role_change_suspends_until_confirmed": ("pat.on_role_change",),
        "test_tokens_live_on_where_the_policy_keeps_them": ("pat.on_permission_loss",),
        "test_administrators_reach_as_far_as_the_policy": ("pat.admin_visibility",),
        "test_limits_are_per_user": (
            "pat.max_usable",
            "pat.max_days",
        ),
    },
    "api/test_ingest_tokens": {
        "test_it_exists_where_the_policy_has_it": ("ingest.enabled",),
    },
    "api/test_own_limits": {
        "test_calls_of_an_account_are_limited": ("limits.per_account.per_minute",),
        "test_a_limit_by_the_second_and_what_is_refused": ("limits.per_account.per_second",),
        "test_a_denial_has_the_status_of_the_policy": ("responses.status.limited",),
    },
    "storage/test_retention": {
        "test_events_go_after_the_days_of_the_policy": ("audit_log.retention_days",),
    },
    "storage/test_freshness": {
        "test_each_organization_has_its_own_lease": ("freshness.lease_seconds",),
    },
}
