"""How a token is presented, where ingest tokens work, the networks of an organization, and its terms."""

from __future__ import annotations

from typing import Any

import pytest

from retinue.decision import NATIVE_TERMS, Allowed, Denied, Reason, Terms
from retinue.formats import Format, mint_as
from retinue.replica.records import ANY, Kind, Record, Restrictions, Rules, Schemes
from retinue.token import Kind as TokenKind
from retinue.token import mint
from retinue.verifier import API_KINDS, Question
from tests.unit.decided import KID, decide, own, reason

TOKEN = mint(TokenKind.API_KEY, kid=KID)
INGEST = mint(TokenKind.INGEST, kid=KID)
SCHEMES = ("bearer", "basic_pair", "basic_token", "apikey", "header:X-Api-Key")


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("organization", [None, "acme"])
def test_only_the_schemes_of_the_organization_are_accepted(scheme: str, organization: str | None) -> None:
    """
    Whether the question names it or the credential does.
    """
    others = tuple(each for each in SCHEMES if each != scheme)
    anywhere: list[tuple[Kind, str, Record]] = [(Kind.SCHEMES, ANY, Schemes(SCHEMES))]

    assert None is _asked(scheme, organization, (scheme,), anywhere)
    assert "scheme_not_accepted" == _asked(scheme, organization, others, anywhere)


def _asked(
    scheme: str | None,
    named: str | None,
    accepted: tuple[str, ...],
    more: list[tuple[Kind, str, Record]],
) -> str | None:
    question = Question(TOKEN.reveal(), ("report:read",), named, scheme=scheme)
    return reason(
        decide(
            question,
            more=more,
            organization={"schemes": accepted},
            credential={"digests": (own(TOKEN.as_bytes()),)},
        )
    )


def test_what_no_organization_accepts_is_refused_unseen() -> None:
    """
    Before anything is looked up, so that no stranger learns whether the token is known.
    """
    question = Question(mint(TokenKind.API_KEY).reveal(), scheme="apikey")
    anywhere: list[tuple[Kind, str, Record]] = [(Kind.SCHEMES, ANY, Schemes(("apikey", "bearer")))]

    assert "scheme_not_accepted" == reason(decide(question))
    assert "token_unknown" == reason(decide(question, more=anywhere))


def test_an_asker_need_not_say_how_a_token_was_presented() -> None:
    """
    It took the token out of the request itself, and answers for that.
    """
    assert None is _asked(None, None, ("apikey",), [])


def ingest(**asked: Any) -> str | None:
    """Decide about an ingest token that may write below ``/points`` and to one path that holds it."""
    place = asked.pop("place", ("header", "basic", "path"))
    given = {"method": "POST", "path": "/points/cpu", "kinds": API_KINDS, **asked}
    credential = {
        "kind": "ing",
        "principal": "",
        "digests": (own(INGEST.as_bytes()),),
        "restrictions": Restrictions(endpoints=("/points/*", "/analytics/{token}")),
        **given.pop("credential", {}),
    }
    more: list[tuple[Kind, str, Record]] = [(Kind.SCHEMES, ANY, Schemes(("bearer", "basic_token", "path")))]
    question = Question(INGEST.reveal(), **given)
    return reason(decide(question, more=more, organization={"ingest": place}, credential=credential))


@pytest.mark.parametrize(
    ("expected", "asked"),
    [
        (None, {}),
        (None, {"path": "/analytics/{token}", "scheme": "path"}),
        (None, {"scheme": "basic_token"}),
        (None, {"scheme": None}),
        (None, {"method": "PUT"}),
        ("kind_not_accepted", {"path": "/reports"}),
        ("kind_not_accepted", {"path": "/points"}),
        ("kind_not_accepted", {"path": "/points/../reports"}),
        ("kind_not_accepted", {"path": None}),
        ("kind_not_accepted", {"kinds": frozenset({"sa", "pat"})}),
        ("kind_not_accepted", {"credential": {"restrictions": None}}),
        ("kind_not_accepted", {"credential": {"restrictions": Restrictions(methods=("POST",))}}),
        ("kind_not_accepted", {"place": (), "scheme": None}),
        ("kind_not_accepted", {"place": ()}),
        ("method_not_allowed", {"method": "GET"}),
        ("method_not_allowed", {"method": "DELETE"}),
        ("method_not_allowed", {"method": None}),
        ("scheme_not_accepted", {"scheme": "path", "place": ("header",)}),
        ("scheme_not_accepted", {"scheme": "basic_token", "place": ("header", "path")}),
        ("scheme_not_accepted", {"scheme": "bearer", "place": ("basic",)}),
        ("credential_revoked", {"credential": {"state": "revoked"}, "path": "/reports"}),
    ],
)
def test_an_ingest_token_only_writes_to_its_endpoints(expected: str | None, asked: dict[str, Any]) -> None:
    """
    Where the organization lets it stand, by a method that writes, to the endpoints it is bound to.
    """
    assert expected == ingest(**asked)


def test_no_other_token_may_stand_in_a_path() -> None:
    """
    Only ingest tokens are made to be published.
    """
    everything: list[tuple[Kind, str, Record]] = [(Kind.SCHEMES, ANY, Schemes((*SCHEMES, "path")))]

    assert "scheme_not_accepted" == _asked("path", None, SCHEMES, everything)


def test_an_ingest_token_needs_no_permission_and_has_none() -> None:
    """
    Its endpoints are what it may write to: the question's permission is answered by them.
    """
    credential = {
        "kind": "ing",
        "principal": "",
        "digests": (own(INGEST.as_bytes()),),
        "restrictions": Restrictions(endpoints=("/points/*",)),
    }
    question = Question(INGEST.reveal(), ("report:read",), method="POST", path="/points/cpu", kinds=API_KINDS)
    decision = decide(question, organization={"ingest": ("header",)}, credential=credential)

    assert isinstance(decision, Allowed)
    assert ("organization", "org") == (decision.caller.kind, decision.caller.id)


@pytest.mark.parametrize(
    ("expected", "environment", "address"),
    [
        (None, "", "10.0.0.1"),
        ("network_not_allowed", "", "192.0.2.1"),
        ("network_not_allowed", "staging", "192.0.2.1"),
        (None, "production", "192.0.2.1"),
        ("network_not_allowed", "production", "10.0.0.1"),
        (None, "open", "203.0.113.9"),
    ],
)
def test_an_environment_has_its_own_networks(expected: str | None, environment: str, address: str) -> None:
    """
    Those of the organization hold for accounts whose environment has none of its own.
    """
    question = Question(TOKEN.reveal(), address=address)
    rules = {
        "rules": Rules(allow=("10.0.0.0/8",)),
        "environments": {"production": Rules(allow=("192.0.2.0/24",)), "open": Rules()},
    }
    decision = decide(
        question,
        organization=rules,
        principal={"environment": environment},
        credential={"digests": (own(TOKEN.as_bytes()),)},
    )

    assert expected == reason(decision)


def test_terms_are_those_of_the_organization_that_is_known() -> None:
    """
    The protected one's from the first step on, the credential's after the lookup, the native ones before.
    """
    terms = Terms(403, 404, 503, flat=True)
    organization = {"terms": terms}
    credential = {"digests": (own(TOKEN.as_bytes()),)}

    def told(question: Question) -> Terms:
        return decide(question, organization=organization, credential=credential).terms

    assert terms == told(Question(None, organization="acme"))
    assert terms == told(Question("x", organization="acme"))
    assert terms == told(Question(TOKEN.reveal()))
    assert NATIVE_TERMS == told(Question(None))
    assert NATIVE_TERMS == told(Question(mint(TokenKind.API_KEY).reveal()))


def test_terms_change_the_status_and_not_the_reason() -> None:
    """
    What stands for 401, 403 and 429 is the organization's; that a node cannot decide is not.
    """
    terms = Terms(403, 404, 503)

    assert {401: 403, 403: 404, 429: 503, 503: 503} == {each.status: terms.status(each) for each in Reason}
    assert [each.status for each in Reason] == [NATIVE_TERMS.status(each) for each in Reason]
    assert isinstance(decide(Question(None)), Denied)


def test_a_pair_is_read_in_each_scheme() -> None:
    """
    Whatever carried it, the token is id, colon and secret.
    """
    token = mint_as(Format.PAIR, TokenKind.API_KEY, kid=KID)
    for scheme in ("basic_pair", "apikey"):
        question = Question(token.reveal(), organization="acme", scheme=scheme)
        decision = decide(
            question, organization={"schemes": (scheme,)}, credential={"digests": (own(token.as_bytes()),)}
        )
        assert isinstance(decision, Allowed)
