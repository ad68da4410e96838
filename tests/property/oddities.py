"""One thing at a time that is out of order, or just in order: small changes of a scene in which all is well.

Alone and in pairs they go through every step of a decision and every edge of its instants, without chance.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import msgspec

from retinue.verifier import Question
from tests.property.scenes import (
    ACTIVE,
    CATALOGUE,
    CLOCKS,
    KIDS,
    LEASES,
    NOT_HELD,
    NOW,
    RETIRED,
    UNDECLARED,
    UNKNOWN_KID,
    Account,
    Credential,
    Lease,
    Organization,
    Scene,
    Secret,
    token,
)

Oddity = Callable[[Scene], Scene]
ORDERLY = Scene(
    organizations=(
        Organization("org_0", "acme0", True, ("bearer",), frozenset(), True, 0),
        Organization("org_1", "acme1", True, ("bearer", "basic_token"), frozenset(), True, 1_000),
    ),
    roles=(("reader", frozenset({"report:read"})), ("editor", frozenset({"report:write", "company.email:view"}))),
    accounts=(
        Account("account_0", "service_account", "enabled", frozenset({"report:read"}), ()),
        Account("account_1", "user", "enabled", frozenset(), ()),
    ),
    credentials=(
        Credential(KIDS[0], "sa", "org_0", "account_0", "active", (Secret(token(KIDS[0], "sa", 0), ACTIVE, 0),), 0, 0, 0, 0),
        Credential(KIDS[1], "ing", "org_0", "", "active", (Secret(token(KIDS[1], "ing", 0), ACTIVE, 0),), 0, 0, 0, 0),
    ),
    complete=True,
    readable=True,
    clock=CLOCKS[0],
    question=Question(token(KIDS[0], "sa", 0), ("report:read",)),
    well_formed=True,
)  # fmt: skip


def asked(**fields: Any) -> Oddity:
    """Another question. Whether what it presents has the form of a token is told by its length."""

    def change(scene: Scene) -> Scene:
        well_formed = len(fields["token"] or "") > 60 if "token" in fields else scene.well_formed
        question = msgspec.structs.replace(scene.question, **fields)
        return replace(scene, question=question, well_formed=well_formed)

    return change


def clock(told: tuple[int, int, int]) -> Oddity:
    """The clocks differ; it is the same now."""
    return lambda scene: replace(scene, clock=told)


def leased(lease: Lease) -> Oddity:
    """The lease is another."""
    return lambda scene: replace(scene, lease=lease)


def lasting(lease_ms: int, age_s: int) -> Oddity:
    """The organization's lease lasts so long, and is so old."""
    return lambda scene: leased(Lease(age_ns=age_s * 1_000_000_000))(organization(lease_ms=lease_ms)(scene))


def organization(**fields: Any) -> Oddity:
    """The organization differs."""
    return lambda scene: replace(
        scene, organizations=(replace(scene.organizations[0], **fields), scene.organizations[1])
    )


def account(**fields: Any) -> Oddity:
    """The account differs."""
    return lambda scene: replace(scene, accounts=(replace(scene.accounts[0], **fields), scene.accounts[1]))


def key(**fields: Any) -> Oddity:
    """The credential differs."""
    return lambda scene: replace(
        scene, credentials=(replace(scene.credentials[0], **fields), scene.credentials[1])
    )


def secret(number: int = 0, pepper: Any = ACTIVE, until: int = 0, kind: str = "sa") -> Secret:
    """A secret of the credential; the question presents number 0."""
    return Secret(token(KIDS[0], kind, number), pepper, until)


def personal(scene: Scene) -> Scene:
    """The credential is a personal access token, and presented as one."""
    changed = key(kind="pat", secrets=(secret(kind="pat"),))(scene)
    return asked(token=token(KIDS[0], "pat", 0))(changed)


SECRETS: dict[str, tuple[Secret, ...]] = {
    "none": (),
    "another": (secret(1),),
    "of another kind": (secret(kind="pat"),),
    "ended": (secret(until=NOW),),
    "ends": (secret(until=NOW + 1),),
    "long ended": (secret(until=1),),
    "second": (secret(1), secret(until=NOW + 1)),
    "second, ended": (secret(1), secret(until=NOW)),
    "first of two": (secret(), secret(1, until=NOW + 1)),
    "first of two, the other ended": (secret(), secret(1, until=1)),
    "third": (secret(1), secret(2), secret()),
    "twice, one ended": (secret(), secret(until=NOW)),
    "by a retired pepper": (secret(pepper=RETIRED),),
    "by a pepper that is not held": (secret(pepper=NOT_HELD),),
    "by two peppers": (secret(pepper=NOT_HELD), secret(pepper=RETIRED)),
}
ALL = frozenset(CATALOGUE)
ODDITIES: dict[str, Oddity] = {
    "nothing": lambda scene: scene,
    "no token": asked(token=None),
    "an empty token": asked(token=""),
    "no token's form": asked(token="rtnsa_0"),
    "an unknown key id": asked(token=token(UNKNOWN_KID, "sa", 0)),
    "a wrong secret": asked(token=token(KIDS[0], "sa", 9)),
    "a token of another kind": asked(token=token(KIDS[0], "pat", 0)),
    "the URI form": asked(token=f"secret-token:{token(KIDS[0], 'sa', 0)}"),
    "an organization's token": asked(token=token(KIDS[1], "ing", 0)),
    "an organization's token, accepted": asked(token=token(KIDS[1], "ing", 0), kinds=frozenset({"ing"})),
    "a refused scheme": asked(scheme="refused"),
    "named by id": asked(organization="org_0"),
    "named by handle": asked(organization="acme0"),
    "another is named": asked(organization="org_1"),
    "another is named by handle": asked(organization="acme1"),
    "another is named, by its scheme": asked(organization="acme1", scheme="basic_token"),
    "named, by its own scheme": lambda scene: asked(organization="org_0", scheme="basic_token")(organization(schemes=("basic_token",))(scene)),
    "nobody is named": asked(organization="nobody"),
    "no kinds": asked(kinds=frozenset()),
    "other kinds": asked(kinds=frozenset({"pat", "ing", "node"})),
    "no need": asked(need=()),
    "two needs": asked(need=("report:read", "report:write")),
    "a far need": asked(need=("company.email:view",)),
    "the same need twice": asked(need=("report:write", "report:read", "report:write")),
    "an undeclared need": asked(need=("report:read", UNDECLARED)),
    "not complete": lambda scene: replace(scene, complete=False),
    "of another schema": lambda scene: replace(scene, readable=False),
    "a disabled organization": organization(enabled=False),
    "other schemes": organization(schemes=("basic_token",)),
    "no schemes": organization(schemes=()),
    "all is forbidden": organization(forbidden=ALL),
    "what is needed is forbidden": organization(forbidden=frozenset({"report:read"})),
    "something else is forbidden": organization(forbidden=frozenset({"report:export"})),
    "no personal tokens": organization(personal_tokens=False),
    "warns early": organization(warn_ms=1),
    "a user": account(kind="user"),
    "a deleted account": account(state="deleted"),
    "a disabled account": account(state="disabled"),
    "holds nothing": account(own=frozenset()),
    "holds all": account(own=ALL),
    "holds by a role": account(own=frozenset(), roles=("editor", "reader")),
    "roles that are gone": account(own=frozenset(), roles=("gone",)),
    "a personal token": personal,
    "of an organization that is gone": key(organization="org_gone"),
    "of another organization": key(organization="org_1"),
    "of an account that is gone": key(account="gone"),
    "of another account": key(account="account_1"),
    "suspended": key(state="suspended"),
    "revoked": key(state="revoked"),
    "deleted": key(state="deleted"),
    **{f"secret: {name}": key(secrets=secrets) for name, secrets in SECRETS.items()},
    **{
        f"{field} {at - NOW:+d}": key(**{field: at})
        for field in ("begins", "expires", "retires", "rotate_by")
        for at in (NOW - 1, NOW, NOW + 1, NOW + 2)
    },
    **{f"lease {each}": leased(each) for each in LEASES},
    "a short lease": organization(lease_ms=2_000),
    "a short lease that is over": lasting(2_000, 5),
    "a long lease": organization(lease_ms=60_000),
    "a long lease that is half over": lasting(60_000, 30),
    "named, with a long lease that is half over": lambda scene: asked(organization="org_0")(lasting(60_000, 30)(scene)),
    **{f"clock {told}": clock(told) for told in CLOCKS[1:]},
}  # fmt: skip
