"""Tokens of other formats, and tokens of other systems, are decided by their keyed digest."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

import pytest

from retinue.decision import Denied, Reason
from retinue.formats import MINTED, Format, mint_as
from retinue.pepper import Pepper, lookup_key
from retinue.replica.records import Digest, ImportScheme, Kind, Lookup, Organization, Record
from retinue.sealing import seal, unseal
from retinue.token import Kind as TokenKind
from retinue.token import mint
from retinue.verifier import Question
from tests.unit.decided import KID, NOW, PEPPER, decide, own, reason

OTHER_PEPPER = Pepper(bytes([7] * 32))
IMPORTED = "AKIA-legacy-token-0123456789"
IMPORTERS_KEY = b"the key of the other system"
Rows = list[tuple[Kind, str, Record]]


def found_by(digest: bytes, kid: str = KID) -> tuple[Kind, str, Record]:
    """The lookup record for a digest."""
    return Kind.LOOKUP, lookup_key(digest), Lookup(kid)


def ask(text: str, digest: Digest, more: Rows, **changed: Any) -> str | None:
    """Decide a token whose credential has one digest."""
    credential = {"digests": (digest,), **changed.pop("credential", {})}
    question = changed.pop("question", Question(text, ("report:read",)))
    return reason(decide(question, more=more, credential=credential, **changed))


@pytest.mark.parametrize("form", MINTED)
def test_a_token_of_each_format_is_genuine(form: Format) -> None:
    """
    The right one is; one that differs in a character, and one of the same shape, are unknown.
    """
    token = mint_as(form, TokenKind.API_KEY, "other", KID)
    text, digest = token.reveal(), own(token.as_bytes())
    more: Rows = [] if form.names_key else [found_by(digest.value)]
    changed = text[:-1] + ("0" if text[-1] != "0" else "1")

    assert ask(text, digest, more) is None
    assert ask("secret-token:" + text, digest, more) is None
    assert ("token_malformed" if form is Format.NATIVE else "token_unknown") == ask(changed, digest, more)
    assert "token_unknown" == ask(mint_as(form, TokenKind.API_KEY, "other", KID).reveal(), digest, more)


@pytest.mark.parametrize("form", MINTED)
def test_its_life_is_that_of_any_credential(form: Format) -> None:
    """
    The format changes nothing of what follows the lookup.
    """
    token = mint_as(form, TokenKind.API_KEY, "other", KID)
    digest = own(token.as_bytes())
    more: Rows = [] if form.names_key else [found_by(digest.value)]

    assert "credential_revoked" == ask(token.reveal(), digest, more, credential={"state": "revoked"})
    assert "credential_expired" == ask(token.reveal(), digest, more, credential={"expires_at_ms": NOW})
    assert "account_disabled" == ask(token.reveal(), digest, more, principal={"state": "disabled"})
    ended = Digest(digest.value, digest.pepper_id, NOW)
    assert "token_unknown" == ask(token.reveal(), ended, more)


def test_the_claims_of_a_jwt_are_never_trusted() -> None:
    """
    One that names the key id of a live credential, signed by anybody, is unknown.
    """
    token = mint_as(Format.JWT, TokenKind.API_KEY, kid=KID)
    digest = own(token.as_bytes())
    forged = mint_as(Format.JWT, TokenKind.API_KEY, kid=KID)

    assert "token_unknown" == ask(forged.reveal(), digest, [found_by(digest.value)])


def test_a_lookup_alone_opens_nothing() -> None:
    """
    A lookup record that leads to another credential, or to none, gives nobody its rights.
    """
    token = mint_as(Format.UUID, TokenKind.API_KEY)
    stray = own(token.as_bytes()).value

    assert "token_unknown" == ask(token.reveal(), own(b"another token"), [found_by(stray)])
    assert "token_unknown" == ask(token.reveal(), own(b"another token"), [found_by(stray, "nowhere00000")])


def test_another_kind_in_the_text_is_another_token() -> None:
    """
    A native token of a brand that nobody listed keeps its kind.
    """
    token = mint(TokenKind.PERSONAL, "other", KID)

    assert "token_unknown" == ask(token.reveal(), own(token.as_bytes()), [], credential={"kind": "sa"})


def imported(algorithm: str, text: str = IMPORTED, pepper: Pepper = PEPPER) -> tuple[Digest, Rows]:
    """The digest of an imported token as the record holds it, and what is replicated beside it."""
    plain = text.encode()
    made = {
        "sha256": hashlib.sha256(plain).digest(),
        "sha512": hashlib.sha512(plain).digest(),
        "hmac-sha256": hmac.digest(IMPORTERS_KEY, plain, "sha256"),
    }[algorithm]
    name = "ims_1" if algorithm == "hmac-sha256" else algorithm
    digest = Digest(pepper.wrap(name, made), pepper.id, 0, name)
    sealed = seal(pepper, IMPORTERS_KEY, "ims_1")
    scheme = ImportScheme("ims_1", "org", algorithm, "AKIA", sealed, pepper.id)
    return digest, [found_by(digest.value), (Kind.IMPORT_SCHEME, "ims_1", scheme)]


ALGORITHMS = ["sha256", "sha512", "hmac-sha256"]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_an_imported_token_works_as_it_did(algorithm: str) -> None:
    """
    Arbitrary text, known only by the digest that another system made of it; any other text is unknown.
    """
    digest, more = imported(algorithm)

    assert ask(IMPORTED, digest, more) is None
    assert "token_unknown" == ask(IMPORTED + "0", digest, more)
    assert "token_unknown" == ask(IMPORTED.lower(), digest, more)
    assert "credential_revoked" == ask(IMPORTED, digest, more, credential={"state": "revoked"})


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize(
    "text", ["3f0c2a54-6a0e-1c7e-9d0e-7a3f3c0d2b11", "sk:" + "a" * 64, f"{KID}:{'x' * 43}"]
)
def test_an_imported_token_may_look_like_ours(algorithm: str, text: str) -> None:
    """
    What was a token elsewhere stays one, also if one of our formats looks so.
    """
    digest, more = imported(algorithm, text)
    scheme = ImportScheme("ims_1", "org", algorithm, "", seal(PEPPER, IMPORTERS_KEY, "ims_1"), PEPPER.id)
    more[1] = (Kind.IMPORT_SCHEME, "ims_1", scheme)

    assert ask(text, digest, more) is None


def test_without_an_import_nothing_foreign_is_looked_for() -> None:
    """
    The text is malformed then, since no system that is known here makes such tokens.
    """
    digest, more = imported("sha256")

    assert "token_malformed" == ask(IMPORTED, digest, more[:1])
    assert "token_malformed" == ask("too short", digest, more)


def test_a_digest_that_was_not_wrapped_opens_nothing() -> None:
    """
    Whoever can write rows, but has no pepper, cannot plant a credential by a plain digest.
    """
    _, more = imported("sha256")
    plain = hashlib.sha256(IMPORTED.encode()).digest()

    assert "token_unknown" == ask(IMPORTED, Digest(plain, PEPPER.id, 0, "sha256"), [found_by(plain), more[1]])


def test_a_mistyped_token_of_ours_is_never_an_import() -> None:
    """
    A brand of this deployment in front decides what a text is.
    """
    text = mint(TokenKind.API_KEY).reveal()[:-1] + "!"
    digest, more = imported("sha256", text)

    assert "token_malformed" == ask(text, digest, more)


def test_a_scheme_of_another_prefix_is_not_tried() -> None:
    """
    Where an import says what its tokens begin with, others are not digested for it.
    """
    digest, more = imported("sha256", "BKIA-legacy-token-0123456789")

    assert "token_unknown" == ask("BKIA-legacy-token-0123456789", digest, more)


def test_a_protected_organization_knows_its_own_imports_alone() -> None:
    """
    A question that names another organization learns nothing of the token.
    """
    digest, more = imported("sha256")
    more.append((Kind.ORGANIZATION, "other", Organization("other", "other", "Other", "enabled", ("bearer",))))

    assert ask(IMPORTED, digest, more, question=Question(IMPORTED, organization="acme")) is None
    assert "token_unknown" == ask(IMPORTED, digest, more, question=Question(IMPORTED, organization="other"))


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_key_that_cannot_be_opened_opens_nothing(algorithm: str) -> None:
    """
    What was wrapped or sealed under a pepper that is not held here is unknown; under a former one it works.
    """
    digest, more = imported(algorithm, pepper=OTHER_PEPPER)
    question = Question(IMPORTED)

    def decided(*peppers: Pepper) -> str | None:
        return reason(decide(question, more=more, credential={"digests": (digest,)}, peppers=peppers))

    assert "token_unknown" == decided(PEPPER)
    assert decided(PEPPER, OTHER_PEPPER) is None


def test_what_is_sealed_is_opened_by_the_same_pepper_and_purpose_alone() -> None:
    """
    A changed byte, another context and another pepper give nothing.
    """
    sealed = seal(PEPPER, IMPORTERS_KEY, "ims_1")

    assert IMPORTERS_KEY == unseal(PEPPER, sealed, "ims_1")
    assert IMPORTERS_KEY not in sealed
    assert [None] * 4 == [
        unseal(PEPPER, sealed[:-1] + bytes([sealed[-1] ^ 1]), "ims_1"),
        unseal(PEPPER, sealed, "ims_2"),
        unseal(PEPPER, b"", "ims_1"),
        unseal(OTHER_PEPPER, sealed, "ims_1"),
    ]


def test_a_stranger_costs_a_digest_and_learns_nothing() -> None:
    """
    The answer to a foreign text is the same whether a credential of that kind exists or not.
    """
    digest, more = imported("sha256")
    unknown = decide(Question("AKIA-another-token-0123456789"), more=more, credential={"digests": (digest,)})

    assert Denied(Reason.TOKEN_UNKNOWN) == unknown


@pytest.mark.parametrize("digest", [Digest(b"", "not held"), Digest(b"", PEPPER.id, 0, "no such scheme")])
def test_an_empty_digest_opens_nothing(digest: Digest) -> None:
    """
    What cannot be computed proves nothing, whatever a record holds.
    """
    token = mint(TokenKind.API_KEY, kid=KID)

    assert "token_unknown" == ask(token.reveal(), digest, [])
