"""The grammar of a token (SECURITY.md section 2): vectors, and what is no token."""

from __future__ import annotations

import re
import zlib

import pytest

from retinue.token import (
    BASE62,
    EXAMPLE_KID_PREFIX,
    MAX_LENGTH,
    SECRET_TOKEN_SCHEME,
    Kind,
    checksum,
    draw_kid,
    mint,
    parse,
)

VECTOR = "rtnsa_0EXAMPLE0KID_" + "x" * 43 + "1DkGSP"
#: As published: full match, ASCII; written anew here, so that a change of the code's own pattern is seen.
PUBLISHED = re.compile(
    r"rtn(sa|pat|ing|node|boot|inv|acc)_([0-9A-Za-z]{12})_([0-9A-Za-z]{43})([0-9A-Za-z]{6})", re.ASCII
)


def base62(number: int) -> str:
    """Six digits of ``number``, the plain way."""
    text = ""
    for _ in range(6):
        number, digit = divmod(number, 62)
        text = BASE62[digit] + text
    return text


def sealed(body: str) -> str:
    """``body`` with its right checksum, so that only another rule can refuse it."""
    return body + base62(zlib.crc32(body.encode()))


def test_alphabet_is_in_the_published_order() -> None:
    """Digits, capitals, small letters: another order would make another checksum."""
    assert "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz" == BASE62


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"", "000000"),
        (b"a", "4GEHKN"),
        (b"123456789", "3jZRME"),  # the check value of CRC-32 (IEEE), cbf43926
        (VECTOR[:-6].encode(), "1DkGSP"),
    ],
)
def test_checksum_vectors(text: bytes, expected: str) -> None:
    """CRC-32 (IEEE) as six base62 digits, left-padded with zeros."""
    assert expected == base62(zlib.crc32(text))
    assert expected == checksum(text)


def test_checksum_is_padded() -> None:
    """Small numbers keep their leading zeros: of many texts, each checksum is the plain one."""
    texts = [str(number).encode() for number in range(5_000)]

    assert any(base62(zlib.crc32(text)).startswith("00") for text in texts)
    assert [base62(zlib.crc32(text)) for text in texts] == [checksum(text) for text in texts]


def test_the_published_vector_is_read() -> None:
    """The example token gives brand, kind and key id; its length is the published one."""
    parsed = parse(VECTOR)

    assert 68 == len(VECTOR)
    assert parsed is not None
    assert ("rtn", Kind.API_KEY, "0EXAMPLE0KID") == (parsed.brand, parsed.kind, parsed.kid)
    assert VECTOR == parsed.reveal()
    assert VECTOR.encode() == parsed.as_bytes()


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("brand", ["rtn", "ab", "a123456789"])
def test_what_is_minted_is_read_back(kind: Kind, brand: str) -> None:
    """Every kind and brand: the length follows from both, and only word characters occur."""
    token = mint(kind, brand)
    text = token.reveal()
    parsed = parse(text, (brand,))

    assert len(brand) + len(kind.value) + 1 + 12 + 1 + 43 + 6 == len(text)
    assert re.fullmatch(r"\w+", text, re.ASCII)
    assert parsed is not None
    assert (brand, kind, token.kid) == (parsed.brand, parsed.kind, parsed.kid)
    assert brand != "rtn" or PUBLISHED.fullmatch(text)


def test_the_kinds_are_the_published_ones() -> None:
    """Seven kinds, and none is the end of another: brand and kind split in one way."""
    kinds = [kind.value for kind in Kind]

    assert {"sa", "pat", "ing", "node", "boot", "inv", "acc"} == set(kinds)
    assert [] == [(one, other) for one in kinds for other in kinds if one != other and one.endswith(other)]


def test_secrets_and_key_ids_are_random() -> None:
    """Two tokens share neither secret nor key id; a key id that is given is kept, its secret is new."""
    tokens = [mint(Kind.API_KEY) for _ in range(200)]
    secrets = {token.reveal()[-49:-6] for token in tokens}
    again = mint(Kind.API_KEY, kid=tokens[0].kid)

    assert (200, 200) == (len({token.kid for token in tokens}), len(secrets))
    assert set(BASE62) == set("".join(secrets))
    assert tokens[0].kid == again.kid
    assert again.reveal()[-49:-6] not in secrets


def test_example_key_ids_are_never_issued(monkeypatch: pytest.MonkeyPatch) -> None:
    """A draw that begins like an example is drawn again."""
    drawn = iter("0EXAMPLE0KID" + "7EXAMPLE0KID")
    monkeypatch.setattr("secrets.choice", lambda alphabet: next(drawn))

    assert "0EXAMPLE" == EXAMPLE_KID_PREFIX
    assert "7EXAMPLE0KID" == draw_kid()


@pytest.mark.parametrize(
    "brand", ["", "a", "Rtn", "1rtn", "rt_n", "rt-n", "a1234567890", "rtn\n", "rtñ", "rt９"]
)
def test_a_brand_outside_the_grammar_is_not_minted(brand: str) -> None:
    """Two to ten characters, small letters and digits, a letter first."""
    with pytest.raises(ValueError, match="brand"):
        mint(Kind.API_KEY, brand)


@pytest.mark.parametrize(
    "kid", ["", "short", "0" * 11, "0" * 13, "0" * 11 + "-", "0" * 11 + "\n", "0" * 11 + "９"]
)
def test_a_key_id_outside_the_grammar_is_not_minted(kid: str) -> None:
    """Twelve base62 characters, ASCII."""
    with pytest.raises(ValueError, match="kid"):
        mint(Kind.API_KEY, kid=kid)


REFUSED = {
    "empty": "",
    "trailing newline": VECTOR + "\n",
    "leading blank": " " + VECTOR,
    "trailing blank": VECTOR + " ",
    "nul": VECTOR + "\0",
    "twice": VECTOR + VECTOR[:28],
    "one character short": VECTOR[:-1],
    "one character long": VECTOR + "0",
    "wrong checksum": VECTOR[:-1] + "Q",
    "case folded": VECTOR.lower(),
    "kind exchanged": VECTOR.replace("rtnsa_", "rtnpat_"),
    "unknown kind": sealed("rtnkey_0EXAMPLE0KID_" + "x" * 43),
    "no kind": sealed("rtn_0EXAMPLE0KID_" + "x" * 43),
    "foreign brand": sealed("abcsa_0EXAMPLE0KID_" + "x" * 43),
    "brand in capitals": sealed("RTNsa_0EXAMPLE0KID_" + "x" * 43),
    "kid short": sealed("rtnsa_0EXAMPLE0KI_" + "x" * 43),
    "kid long": sealed("rtnsa_0EXAMPLE0KIDD_" + "x" * 43),
    "underscore in kid": sealed("rtnsa_0EXAMPLE_KID_" + "x" * 43),
    "secret short": sealed("rtnsa_0EXAMPLE0KID_" + "x" * 42),
    "secret long": sealed("rtnsa_0EXAMPLE0KID_" + "x" * 44),
    "underscore in secret": sealed("rtnsa_0EXAMPLE0KID_" + "x" * 42 + "_"),
    "dash in secret": sealed("rtnsa_0EXAMPLE0KID_" + "x" * 42 + "-"),
    "full-width digit in secret": sealed("rtnsa_0EXAMPLE0KID_" + "x" * 42 + "９"),
    "Cyrillic x in secret": sealed("rtnsa_0EXAMPLE0KID_" + "x" * 42 + "х"),
    "Cyrillic a in kind": sealed("rtnsа_0EXAMPLE0KID_" + "x" * 43),
    "Arabic digit in kid": sealed("rtnsa_٠EXAMPLE0KID_" + "x" * 43),
    "full-width underscore": sealed("rtnsa＿0EXAMPLE0KID_" + "x" * 43),
    "long s, which folds to s": sealed("rtnſa_0EXAMPLE0KID_" + "x" * 43),
    "Kelvin sign, which folds to k": sealed("rtnsa_0EXAMPLE0\u212aID_" + "x" * 43),
    "full-width checksum": VECTOR[:-1] + "Ｐ",
    "lone surrogate": VECTOR[:-1] + "\ud800",
    "zero-width joiner": "rtnsa_\u200d" + VECTOR[6:],
    "display form": "rtnsa_0EXAMPLE0KID_…",
    "base64 of it": "cnRuc2FfMEVYQU1QTEUwS0lEXw==",
    "a megabyte": "rtnsa_" + "x" * (1 << 20),
}


@pytest.mark.parametrize("text", REFUSED.values(), ids=REFUSED.keys())
def test_what_is_no_token_is_refused(text: str) -> None:
    """Anything that differs from the grammar is nothing, also where the checksum was made right again."""
    assert parse(text) is None


def test_no_text_shares_the_checksum_of_a_changed_kind() -> None:
    """The kind is inside the checksum: each exchange of kinds breaks it."""
    for kind in Kind:
        body = mint(kind).reveal().removeprefix(f"rtn{kind.value}")
        others = [f"rtn{other.value}{body}" for other in Kind if other is not kind]
        assert [None] * (len(Kind) - 1) == [parse(text) for text in others]


def test_the_uri_form_is_read() -> None:
    """``secret-token:`` (RFC 8959) may stand before it, once, in small letters; what is kept is the token."""
    parsed = parse(SECRET_TOKEN_SCHEME + VECTOR)

    assert "secret-token:" == SECRET_TOKEN_SCHEME
    assert parsed is not None
    assert VECTOR == parsed.reveal()
    assert parse("secret-token:" * 2 + VECTOR) is None
    assert parse("SECRET-TOKEN:" + VECTOR) is None
    assert parse("secret-token: " + VECTOR) is None
    assert parse("secret-token%3A" + VECTOR) is None


def test_the_longest_token_fits() -> None:
    """The longest brand and kind is read, also in the URI form: the bound on the length cuts nothing off."""
    longest = mint(Kind.NODE, "a123456789").reveal()

    assert MAX_LENGTH == len(longest)
    assert parse(longest, ("a123456789",)) is not None
    assert parse(SECRET_TOKEN_SCHEME + longest, ("a123456789",)) is not None
    assert parse(SECRET_TOKEN_SCHEME * 2 + longest, ("a123456789",)) is None


def test_retired_brands_are_still_read() -> None:
    """A deployment reads its live and its retired brands, and no other."""
    old = mint(Kind.API_KEY, "old").reveal()

    assert parse(old, ("rtn", "old")) is not None
    assert parse(VECTOR, ("rtn", "old")) is not None
    assert parse(old) is None
    assert parse(VECTOR, ("old",)) is None


@pytest.mark.parametrize(
    ("brand", "kind"), [("rtnsa", Kind.API_KEY), ("rtn", Kind.API_KEY), ("rtno", Kind.NODE)]
)
def test_a_brand_that_looks_like_brand_and_kind(brand: str, kind: Kind) -> None:
    """A brand that is the beginning of another, or ends like a kind, is split in the right place."""
    parsed = parse(mint(kind, brand).reveal(), ("rtn", "rtnsa", "rtno"))

    assert parsed is not None
    assert (brand, kind) == (parsed.brand, parsed.kind)


def test_a_brand_is_no_pattern() -> None:
    """A brand is text: a dot in it matches a dot alone."""
    assert parse(sealed("rtxsa_0EXAMPLE0KID_" + "x" * 43), ("rt.",)) is None
