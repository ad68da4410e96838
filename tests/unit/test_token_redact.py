"""Tokens in texts that strangers write are kept in their display form."""

from __future__ import annotations

import pytest

from retinue.token import Kind, holds_token, mint, redact


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("brand", ["rtn", "acme", "zz9"])
def test_a_token_becomes_its_display_form(kind: Kind, brand: str) -> None:
    """
    Of any kind and brand, wherever it stands and however often.
    """
    token = mint(kind, brand)
    text = f"/hook/{token.reveal()}/x {token.reveal()}"

    assert f"/hook/{token.display}/x {token.display}" == redact(text)
    assert (True, False) == (holds_token(text), holds_token(redact(text)))


@pytest.mark.parametrize("kept", [75, 68, 60, 51])
def test_no_telling_piece_of_a_secret_stays(kept: int) -> None:
    """
    A token that was cut off, or whose underscores are percent-encoded, is seen too.
    """
    token = mint(Kind.API_KEY)
    text = token.reveal()[:kept]

    assert token.display == redact(text)
    assert token.display == redact(text.replace("_", "%5F"))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/v1/reports",
        "/v1/service-accounts/sa_0123456789abcdef0123/keys/key_0123456789ab",
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko)",
        "/files/" + "a" * 200 + "_" + "b" * 200,
        "rtnsa_0EXAMPLE0KID_…",
    ],
)
def test_other_texts_stay(text: str) -> None:
    """
    What is no token is kept letter by letter.
    """
    assert text == redact(text)
    assert not holds_token(text)
