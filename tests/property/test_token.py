"""Tokens against any text: what was not minted is refused, and nothing raises."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from retinue.token import BASE62, Kind, Token, mint, parse

VECTOR = "rtnsa_0EXAMPLE0KID_" + "x" * 43 + "1DkGSP"


@given(st.text(max_size=120) | st.text(alphabet=BASE62 + "_", min_size=60, max_size=80).map("rtnsa_".__add__))
def test_any_text_is_refused_or_parsed(text: str) -> None:
    """Any text, lone surrogates and controls too, gives a token or nothing; it never raises."""
    parsed = parse(text)

    assert parsed is None or isinstance(parsed, Token)


@given(st.sampled_from(Kind), st.data())
def test_a_changed_character_is_refused(kind: Kind, data: st.DataObject) -> None:
    """A minted token with one character exchanged for another is no token."""
    text = mint(kind).reveal()
    place = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.characters().filter(lambda each: each != text[place]))

    assert parse(text[:place] + other + text[place + 1 :]) is None


@given(st.sampled_from(Kind), st.integers(0, 66))
def test_a_cut_token_is_refused(kind: Kind, length: int) -> None:
    """No proper beginning of a minted token is a token."""
    assert parse(mint(kind).reveal()[:length]) is None


def test_the_documented_vector_is_read() -> None:
    """The example token of the format's description parses, and without a newline after it only."""
    parsed = parse(VECTOR)

    assert parsed is not None
    assert ("rtn", Kind.API_KEY, "0EXAMPLE0KID") == (parsed.brand, parsed.kind, parsed.kid)
    assert parse(VECTOR + "\n") is None
