"""Users of the organization: list, create, invite, get, update, enable, disable, delete."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from retinue.server.access import actions as access
from retinue.server.access.queries import holders_of
from retinue.server.api import people, render, schemas
from retinue.server.api.answers import instant
from retinue.server.api.cursors import Listing, page
from retinue.server.api.operations import Call, operation
from retinue.server.credentials import actions as credentials
from retinue.server.credentials import device, founding, invitations
from retinue.server.credentials.writing import Issued
from retinue.server.directory import actions, queries, saved_views
from retinue.server.directory import users as directory
from retinue.server.directory.queries import Principal

TAG = "users"
LIST, ONE = "/users", "/users/{user_id}"
#: Where the holder of an invitation chooses a password, on the control plane.
INVITATION_PAGE = "/invitation/"


class User(schemas.Answer):
    """A person of the organization."""

    id: str
    kind: Literal["user"]
    email: str | None
    handle: str
    name: str
    roles: list[str]
    state: Literal["enabled", "disabled", "deleted"]
    status: Literal["active", "invited", "disabled", "deleted"]
    operator: bool
    created_at: str
    created_by: schemas.PrincipalRef | None
    can_sign_in: bool
    sign_in_methods: list[Literal["password", "totp", "passkey", "recovery_codes", "single_sign_on"]] = Field(
        description="What there is; empty where `can_sign_in` is false."
    )
    last_sign_in_at: str | None = Field(description="As far as the audit log goes back.")
    tokens: int = Field(description="Personal access tokens that were not revoked and have not ended.")
    accounts: int = Field(description="Service accounts that the user answers for.")
    invitation_expires_at: str | None


class UserList(schemas.Answer):
    """A page of users."""

    items: list[User]
    next: str | None


class UserFilter(schemas.ListQuery):
    """Filters of the list of users; deleted ones stand in it only if asked for."""

    email: str | None = None
    search: str | None = None
    state: Literal["enabled", "disabled", "deleted"] | None = None
    role: str | None = None


class CreateUser(schemas.WithReason):
    """A new user, without a password."""

    email: str
    name: str
    roles: list[str] = []
    justification: str = ""


class UpdateUser(schemas.WithReason):
    """The fields to change; what is left out stays."""

    name: str = ""
    roles: list[str] = []
    justification: str = ""


class Invitation(schemas.Answer):
    """A user who is invited; the token stands in this answer and nowhere else."""

    user: User
    token: str
    expires_at: str
    page: str = Field(description="Where its holder chooses a password.")


class ResetSignIn(schemas.WithReason):
    """What a person must set up anew."""

    everything: bool = Field(
        False, description="The password and the identity provider too; then invite the person again."
    )


class OwnedAccount(schemas.Answer):
    """A service account of a user, and who else answers for it."""

    account: schemas.PrincipalRef
    state: Literal["enabled", "disabled"]
    other_owners: list[schemas.PrincipalRef]


class UserImpact(schemas.Answer):
    """What hangs on a user: the tokens, with their use, and the accounts that need another owner."""

    user: User
    tokens_usable: int
    tokens_used_last_30_days: int
    owned: list[OwnedAccount]
    ownerless_without: int = Field(description="How many accounts nobody else answers for.")


class Reassign(schemas.WithReason):
    """Who answers for the accounts of a user from now on."""

    to: str = Field(description="Id, e-mail address or handle of a user.")
    accounts: list[str] = Field([], max_length=1000, description="Ids; all of the user's if left out.")


class Reassigned(schemas.Answer):
    """The accounts that have another owner."""

    items: list[schemas.PrincipalRef]


@operation("GET", LIST, permission="user:read", response=UserList, tag=TAG)
def list_users(call: Call, query: UserFilter) -> schemas.JSON:
    """List the users of the organization."""
    filters = query.filters()
    narrowed = {name: value for name, value in filters.items() if name != "role"}
    holders = None if query.role is None else holders_of(call.organization, query.role)
    rows, following = page(
        queries.users(call.organization, holders=holders, **narrowed),
        Listing("users", call.organization, filters, ("name", "id")),
        cursor=query.cursor,
        limit=query.limit,
    )
    return {"items": render.users(rows), "next": following}


@operation(
    "POST",
    LIST,
    permission="user:create",
    also={"roles": ("grant:create",)},
    response=User,
    status=201,
    tag=TAG,
)
def create_user(call: Call, body: CreateUser) -> schemas.JSON:
    """Create a user, without a password."""
    return render.users([_created(call, body)])[0]


@operation(
    "POST",
    "/invitations",
    permission="user:create",
    also={"roles": ("grant:create",)},
    response=Invitation,
    status=201,
    tag=TAG,
)
def invite_user(call: Call, body: CreateUser) -> schemas.JSON:
    """Create a user, and an invitation with which the person chooses a password."""
    with founding.naming_first(call.tx, call.organization, body.roles):
        return _invited(call, invitations.invite(call.tx, _created(call, body)))


@operation("GET", ONE, permission="user:read", response=User, tag=TAG)
def get_user(call: Call, user_id: str) -> schemas.JSON:
    """Get a user."""
    return render.users([queries.user(call.organization, user_id)])[0]


@operation(
    "PATCH",
    ONE,
    permission="user:update",
    also={"roles": ("grant:create", "grant:delete")},
    response=User,
    tag=TAG,
    reduces=True,
)
def update_user(call: Call, user_id: str, body: UpdateUser) -> schemas.JSON:
    """Change name and roles of a user; what is left out stays."""
    user = queries.user(call.organization, user_id, lock=True)
    if "name" in body.model_fields_set:
        user = access.rename_user(call.tx, user, body.name)
    if "roles" in body.model_fields_set:
        founding.check_roles_may_go(user, body.roles)
        access.set_roles(call.tx, user, body.roles, body.justification)
    return render.users([user])[0]


@operation(
    "POST", f"{ONE}/invite", permission="user:create", response=Invitation, status=201, tag=TAG, reduces=True
)
def invite_again(call: Call, user_id: str, body: schemas.WithReason) -> schemas.JSON:
    """Make another invitation of a user who cannot sign in yet; the one before ends."""
    user = queries.user(call.organization, user_id, lock=True)
    return _invited(call, invitations.invite(call.tx, user))


@operation("GET", f"{ONE}/impact", permission="user:read", response=UserImpact, tag=TAG)
def get_user_impact(call: Call, user_id: str) -> schemas.JSON:
    """Tell what hangs on a user: tokens in use, and accounts that need another owner."""
    user = queries.user(call.organization, user_id)
    return {"user": render.users([user])[0], **people.impact(user, call.now)}


@operation(
    "POST",
    f"{ONE}/reassign",
    permission=("user:update", "service_account:update"),
    response=Reassigned,
    tag=TAG,
)
def reassign_accounts(call: Call, user_id: str, body: Reassign) -> schemas.JSON:
    """Make another user the owner of accounts of a user, who may be deleted."""
    user = queries.user(call.organization, user_id)
    to = queries.find_principal(call.organization, body.to, Principal.USER, field="to")
    return {"items": [render.ref(each) for each in people.reassign(call.tx, user, to, body.accounts)]}


@operation("POST", f"{ONE}/reset-sign-in", permission="user:update", response=User, tag=TAG)
def reset_sign_in(call: Call, user_id: str, body: ResetSignIn) -> schemas.JSON:
    """Remove authenticator app, passkeys and recovery codes of a user who has lost them; sessions end."""
    user = queries.user(call.organization, user_id, lock=True)
    access.check_stronger(call.actor, user, "user")
    directory.reset_sign_in(call.tx, user, everything=body.everything)
    device.forget(user)
    return render.users([user])[0]


@operation("POST", f"{ONE}/enable", permission="user:enable", response=User, tag=TAG)
def enable_user(call: Call, user_id: str, body: schemas.WithReason) -> schemas.JSON:
    """Enable a disabled user; tokens and password work again."""
    return render.users([actions.enable(call.tx, queries.user(call.organization, user_id, lock=True))])[0]


@operation("POST", f"{ONE}/disable", permission="user:disable", response=User, tag=TAG, reduces=True)
def disable_user(call: Call, user_id: str, body: schemas.WithReason) -> schemas.JSON:
    """Disable a user: no session, password or token of the user works until the user is enabled again."""
    user = queries.user(call.organization, user_id, lock=True)
    founding.check_may_go(call.tx, user)
    return render.users([actions.disable(call.tx, user, body.reason)])[0]


@operation("DELETE", ONE, permission="user:delete", response=User, tag=TAG, reduces=True)
def delete_user(call: Call, user_id: str, query: schemas.Reasoned) -> schemas.JSON:
    """Delete a user and revoke the user's tokens; accounts go on, see the impact for those without owner."""
    user = queries.user(call.organization, user_id)
    founding.check_may_go(call.tx, user)
    gone = credentials.delete_account(call.tx, user, query.reason)
    directory.forget_password(gone)
    saved_views.forget_private(gone)
    return render.users([gone])[0]


def _created(call: Call, body: CreateUser) -> Principal:
    made = access.create_user(call.tx, call.organization, email=body.email, name=body.name)
    access.assign_roles(call.tx, made, body.roles, body.justification)
    return made


def _invited(call: Call, issued: Issued) -> schemas.JSON:
    call.credential = issued.credential.id
    assert issued.credential.principal is not None  # noqa: S101  (invitations have a user)
    return {
        "user": render.users([issued.credential.principal])[0],
        "token": issued.token.reveal(),
        "expires_at": instant(issued.expiry.at),
        "page": INVITATION_PAGE,
    }
