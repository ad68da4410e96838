"""The formats of tokens beside the native one."""

from __future__ import annotations

import json
import re
from base64 import urlsafe_b64decode

import pytest

from retinue.formats import MINTED, Format, Other, Reader, display, last, mint_as
from retinue.token import SECRET_TOKEN_SCHEME, Kind, Token, holds_token, mint, parse, redact

SHAPES = {
    Format.NATIVE: r"acmesa_[0-9A-Za-z]{12}_[0-9A-Za-z]{49}",
    Format.PAIR: r"[0-9A-Za-z]{12}:[0-9A-Za-z]{43}",
    Format.JWT: r"eyJ[\w-]+\.eyJ[\w-]+\.[\w-]{43}",
    Format.UUID: r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}",
    Format.SK_HEX: r"sk:[0-9a-f]{64}",
}
BY_DIGEST = [Format.JWT, Format.UUID, Format.SK_HEX]
read = Reader(("rtn", "acme")).read


def made(form: Format) -> Token:
    """A new key of the brand ``acme``."""
    return mint_as(form, Kind.API_KEY, "acme")


@pytest.mark.parametrize("form", MINTED)
def test_a_token_has_the_shape_of_its_format(form: Format) -> None:
    """
    Two tokens differ, and keep the key id that they were given.
    """
    one, other = made(form), made(form)

    assert re.fullmatch(SHAPES[form], one.reveal(), re.ASCII)
    assert one.reveal() != other.reveal()
    assert one.kid == mint_as(form, Kind.API_KEY, "acme", one.kid).kid


@pytest.mark.parametrize("form", MINTED)
def test_a_key_id_outside_the_grammar_is_refused(form: Format) -> None:
    """
    The key id is 12 base62 characters in each format.
    """
    with pytest.raises(ValueError, match="12 base62"):
        mint_as(form, Kind.API_KEY, "acme", "no-such-kid!")


@pytest.mark.parametrize("form", BY_DIGEST)
def test_a_token_without_key_id_is_read_as_ours(form: Format) -> None:
    """
    Also with the URI scheme of RFC 8959 in front, which is not part of the token.
    """
    text = made(form).reveal()
    expected = Other(text.encode(), "", "", True)

    assert expected == read(text)
    assert expected == read(SECRET_TOKEN_SCHEME + text)


def test_a_pair_names_its_key_id() -> None:
    """
    The id is in front of the colon; the kind is the record's affair.
    """
    token = made(Format.PAIR)

    assert Other(token.as_bytes(), token.kid, "", True) == read(token.reveal())


def test_a_native_token_of_an_unlisted_brand_names_kind_and_key_id() -> None:
    """
    An organization has a brand of its own without being listed anywhere; the checksum is tested all the same.
    """
    token = mint(Kind.PERSONAL, "other")
    broken = token.reveal()[:-1] + ("0" if token.reveal()[-1] != "0" else "1")

    assert Other(token.as_bytes(), token.kid, "pat", True) == read(token.reveal())
    assert Other(broken.encode(), "", "", False) == read(broken)


def test_a_mistyped_token_of_ours_is_nothing_else() -> None:
    """
    What begins with a brand of the deployment and fails the grammar is never tried as a foreign token.
    """
    text = mint(Kind.API_KEY, "acme").reveal()

    assert None is read(text[:-1] + ("0" if text[-1] != "0" else "1"))
    assert None is read(text[:-3])
    assert None is read(text + "x" * 40)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "short",
        "x" * 15,
        "x" * 513,
        "with a space in it",
        "tab\there-and-more",
        "ümlaut-ümlaut-ü",
        "x" * 20 + "\n",
    ],
)
def test_what_cannot_be_a_token_is_refused_without_state(text: str) -> None:
    """
    16 to 512 printable ASCII characters, no space.
    """
    assert None is read(text)


@pytest.mark.parametrize(
    "text",
    ["x" * 16, "x" * 512, "AKIA1234567890ABCDEF", "sk_live_abcdef0123456789", "eyJx.eyJx.x" + "y" * 20],
)
def test_anything_else_may_be_foreign(text: str) -> None:
    """
    It can only be the token of another system.
    """
    assert Other(text.encode(), "", "", False) == read(text)


def test_a_jwt_is_well_formed_and_says_nothing() -> None:
    """
    Header and claims are JSON; no name, no account, no permission stands in it.
    """
    token = made(Format.JWT)
    header, claims, signature = token.reveal().split(".")

    def decoded(part: str) -> bytes:
        return urlsafe_b64decode(part + "=" * (-len(part) % 4))

    assert {"alg": "HS256", "typ": "JWT"} == json.loads(decoded(header))
    assert {"jti", "iat"} == json.loads(decoded(claims)).keys()
    assert token.kid == json.loads(decoded(claims))["jti"]
    assert 32 == len(decoded(signature))


@pytest.mark.parametrize("form", MINTED)
def test_the_display_form_shows_no_secret(form: Format) -> None:
    """
    It is what a token prints as. Last characters are shown only of formats without a key id, five at most.
    """
    token = made(form)
    shown = display(form, "acme", Kind.API_KEY, token.kid, last(form, token.reveal(), 4))

    assert token.display == str(token) == display(form, "acme", Kind.API_KEY, token.kid)
    assert token.reveal() not in shown
    assert ("…" if form.names_key else f"…{token.reveal()[-4:]}") == shown[-(1 if form.names_key else 5) :]
    assert len(last(form, token.reveal(), 99)) <= 5
    assert "" == last(form, token.reveal(), 0)


@pytest.mark.parametrize("form", [each for each in MINTED if each is not Format.UUID])
@pytest.mark.parametrize("around", ["{}", "/v1/x/{}/y", "key={}&x=1", "Basic {} x", "a-{}"])
def test_logs_keep_the_display_form_alone(form: Format, around: str) -> None:
    """
    Wherever a token stands in a text, and with its separators percent-encoded too.
    """
    token = made(form)
    text = around.format(token.reveal())
    encoded = around.format(token.reveal().replace(":", "%3A").replace("_", "%5F"))

    assert token.reveal()[-20:] not in redact(text)
    assert token.reveal()[-20:] not in redact(encoded)
    assert holds_token(text)
    assert redact(text) == redact(redact(text))


def test_ordinary_ids_stay() -> None:
    """
    A UUID is what an ordinary id looks like, so it stays; so do times and short pairs.
    """
    for text in ("/v1/3f0c2a54-6a0e-4c7e-9d0e-7a3f3c0d2b11", "12:30:00 sk:abc", "urn:isbn:0451450523", "eyJ"):
        assert text == redact(text)


def test_the_native_reader_is_not_changed() -> None:
    """
    No other format is read as a native token.
    """
    assert [True, False, False, False, False] == [
        parse(made(form).reveal(), ("acme",)) is not None for form in MINTED
    ]
