"""What every client shows people the same way: words, places, what forms ask and offer, warnings.

Settings of the policy that the server cannot enforce alone: a form is drawn by its client. Every caller
may read them, while `GET /v1/policy` needs a permission.
"""

from __future__ import annotations

from typing import Literal

from ninja import Schema
from pydantic import Field

from retinue.server.api import schemas
from retinue.server.api.operations import Access, Call, operation
from retinue.server.api.principals import Terminology, terminology
from retinue.server.credentials import rules
from retinue.server.policies.policy import Policy
from retinue.server.policies.queries import policy_of
from retinue.server.policies.words import personal_token_warning
from retinue.token import Kind


class AccountForms(schemas.Answer):
    """How service accounts are listed, created, disabled and deleted."""

    list_with_users: Literal["separate", "badged", "hidden"]
    required: list[str]
    initial_credential: Literal["auto", "prompt", "none"]
    copy_from: list[str]
    copy_modes: list[str]
    disable_confirm: Literal["none", "dialog", "typed"]
    delete_bulk: bool


class Lifetimes(schemas.Answer):
    """How long a credential may live, in days, as a form offers it; what is typed in stays within `most`."""

    choices: list[int | Literal["never"]]
    default: int | Literal["never"] | None = Field(description="null: one must be stated.")
    most: int | None


class KeyForms(schemas.Answer):
    """How keys of service accounts are issued."""

    name_required: bool
    restrictions: list[str]
    rotation_modes: list[str]
    lifetimes: Lifetimes


class PersonalTokenForms(schemas.Answer):
    """How personal access tokens are issued; `warning` is shown before one is."""

    enabled: bool
    warning: str | None
    lifetimes: Lifetimes


class Presentation(schemas.Answer):
    """What clients show to people of the organization."""

    terminology: Terminology
    accounts: AccountForms
    keys: KeyForms
    personal_tokens: PersonalTokenForms
    warn_days: list[int] = Field(description="Days before an expiry at which people are warned.")
    step_up_minutes: int | None = Field(
        description="A browser session uses elevated permissions for so long after its password."
    )


class PresentationQuery(Schema):
    """For which accounts: those that name an environment may have lifetimes of their own."""

    environment: str = Field("", max_length=64)


@operation("GET", "/presentation", permission=Access.SELF, response=Presentation, tag="principals")
def get_presentation(call: Call, query: PresentationQuery) -> schemas.JSON:
    """Get what clients show: words, places, what forms ask and offer, warnings."""
    policy = policy_of(call.organization, query.environment)
    return {
        "terminology": terminology(policy),
        "accounts": {
            "list_with_users": policy.accounts_list_with_users,
            "required": list(policy.accounts_required),
            "initial_credential": policy.accounts_initial_credential,
            "copy_from": list(policy.accounts_copy_permissions.from_),
            "copy_modes": list(policy.accounts_copy_permissions.modes),
            "disable_confirm": policy.accounts_disable_confirm,
            "delete_bulk": policy.accounts_delete_bulk,
        },
        "keys": {
            "name_required": policy.credentials_name.required,
            "restrictions": list(policy.credentials_restrictions),
            "rotation_modes": list(policy.rotation_modes),
            "lifetimes": _lifetimes(policy, Kind.API_KEY, query.environment),
        },
        "personal_tokens": {
            "enabled": policy.pat_enabled,
            "warning": personal_token_warning(policy),
            "lifetimes": _lifetimes(policy, Kind.PERSONAL),
        },
        "warn_days": sorted(policy.expiry_warn_days, reverse=True),
        "step_up_minutes": policy.elevated_step_up_minutes,
    }


def _lifetimes(policy: Policy, kind: Kind, environment: str = "") -> schemas.JSON:
    bound = rules.bounds(policy, kind, environment)
    usual = rules.usual_days(bound)
    return {
        "choices": ["never" if each is None else each for each in rules.choices(policy, bound)],
        "default": "never" if usual is None and bound.may_never_end else usual,
        "most": bound.most,
    }
