"""Whatever an account or a credential is: it has one status, of the closed set, and the first that applies."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from retinue.server import status

NOW = datetime(2027, 1, 1, tzinfo=UTC)
INSTANTS = st.integers(-400, 400).map(lambda days: NOW + timedelta(days=days))
PAST = st.integers(-400, 0).map(lambda days: NOW + timedelta(days=days))
STATES = st.sampled_from(["enabled", "disabled", "deleted"])
DAYS = st.none() | st.integers(1, 365)


@given(STATES, st.integers(0, 2), PAST, st.none() | PAST, st.integers(0, 2), DAYS)
def test_status_of_an_account_is_the_first_that_applies(
    state: str, owners: int, created: datetime, used: datetime | None, needing: int, idle_days: int | None
) -> None:
    """
    Each status is said exactly if its own condition holds and none before it: read here from the table of words.
    """
    unused = NOW - (used or created)
    holds = {
        "deleted": state == "deleted",
        "disabled": state == "disabled",
        "ownerless": owners == 0,
        "idle": idle_days is not None and unused >= timedelta(days=idle_days),
        "attention": needing > 0,
        "active": True,
    }
    expected = next(word for word in status.ACCOUNT_STATUSES if holds[word])

    assert expected == status.account(
        state=state,
        owners=owners,
        created_at=created,
        last_used_at=used,
        keys_needing_action=needing,
        idle_days=idle_days,
        now=NOW,
    )


@given(
    st.sampled_from(["active", "suspended", "revoked", "deleted"]),
    st.none() | INSTANTS,
    st.none() | INSTANTS,
    STATES,
    st.none() | PAST,
    st.integers(0, 60),
    DAYS,
    st.booleans(),
)
def test_status_of_a_credential_is_the_first_that_applies(
    state: str,
    expires: datetime | None,
    retires: datetime | None,
    owner: str,
    used: datetime | None,
    warn_days: int,
    idle_days: int | None,
    lost: bool,
) -> None:
    """
    The same of a credential; whatever works is never called ended, and what has ended never works.
    """
    holds = {
        "deleted": state == "deleted",
        "revoked": state == "revoked" or (state != "deleted" and retires is not None and retires <= NOW),
        "expired": expires is not None and expires <= NOW,
        "suspended": state == "suspended" or lost,
        "blocked": owner != "enabled",
        "retiring": retires is not None and retires > NOW,
        "expiring": expires is not None and expires <= NOW + timedelta(days=warn_days),
        "never_used": used is None,
        "idle": used is not None and idle_days is not None and used + timedelta(days=idle_days) <= NOW,
        "active": True,
    }
    expected = next(word for word in status.CREDENTIAL_STATUSES if holds[word])

    found = status.credential(
        state=state,
        expires_at=expires,
        retires_at=retires,
        owner_state=owner,
        last_used_at=used,
        warn_days=warn_days,
        idle_days=idle_days,
        now=NOW,
        lost_permission=lost,
    )
    assert expected == found
