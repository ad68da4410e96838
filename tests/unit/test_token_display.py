"""A token never prints itself: every way a program turns a value into text gives the display form or fails."""

from __future__ import annotations

import copy
import dataclasses
import io
import json
import logging
import operator
import pickle
import pprint
import string
import traceback
import zlib
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from retinue.token import Kind, Token, checksum, mint, parse

# A secret of one letter that stands in no other text here makes a single leaked character visible.
LETTER = chr(81)
BODY = "rtnsa_0EXAMPLE0KID_" + LETTER * 43
TEXT = BODY + checksum(BODY.encode())
DISPLAY = "rtnsa_0EXAMPLE0KID_…"
FORMAT = "{0} {0!r} {0!a} {0:^90}"
PERCENT = "%s %r %a"


def token() -> Token:
    """The token of these tests, as it comes out of a request."""
    parsed = parse(TEXT)
    assert parsed is not None
    return parsed


def leaks(text: str) -> bool:
    """Whether ``text`` holds a character of the secret, or a part of the checksum."""
    seal = TEXT[-6:]
    parts = [seal[at : at + 3] for at in range(4)]
    return LETTER in text or any(part in text for part in parts)


@dataclasses.dataclass
class Plain:
    """A dataclass that somebody put a token into."""

    presented: Any


class Record(msgspec.Struct):
    """A msgspec record that somebody put a token into."""

    presented: Any


def _chained() -> str:
    try:
        try:
            raise ValueError(token())
        except ValueError as error:
            raise RuntimeError(f"while reading {token()}") from error
    except RuntimeError:
        return traceback.format_exc()


def _with_locals() -> str:
    presented = token()
    try:
        raise KeyError(presented)
    except KeyError as error:
        found = traceback.TracebackException.from_exception(error, capture_locals=True)
        return "".join(found.format())


def _logged() -> str:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(message)s %(presented)s"))
    logger = logging.Logger("test")
    logger.addHandler(handler)
    logger.error("%s %r", token(), token(), extra={"presented": token()})
    logger.error(token(), extra={"presented": [token()]})
    return stream.getvalue()


def _printed() -> str:
    stream = io.StringIO()
    print(token(), [token()], {"presented": token()}, file=stream)
    pprint.pprint(token(), stream)
    return stream.getvalue()


SHOWN: dict[str, Callable[[], str]] = {
    "str": lambda: str(token()),
    "repr": lambda: repr(token()),
    "ascii": lambda: ascii(token()),
    "f-string": lambda: f"{token()} {token()!s} {token()!r} {token()!a} {token():>90}",
    "format with a precision": lambda: f"{token():.200} {format(token(), '')}",
    "str.format": lambda: FORMAT.format(token()),
    "percent": lambda: PERCENT % ((token(),) * 3),
    "template": lambda: string.Template("$presented").substitute(presented=token()),
    "print": _printed,
    "in containers": lambda: repr([token(), (token(),), {"presented": token()}]),
    "exception": lambda: f"{ValueError(token())} {ValueError(token())!r} {KeyError(token())}",
    "traceback, chained": _chained,
    "traceback with locals": _with_locals,
    "logging": _logged,
    "dataclass": lambda: f"{Plain(token())} {dataclasses.asdict(Plain(token()))}",
    "msgspec record": lambda: f"{Record(token())}",
    "json with a default": lambda: json.dumps({"presented": token()}, default=str),
    "json of msgspec with a hook": lambda: msgspec.json.encode([token()], enc_hook=str).decode(),
    "msgpack with a hook": lambda: repr(msgspec.msgpack.encode([token()], enc_hook=str)),
    "builtins of msgspec": lambda: repr(msgspec.to_builtins(Record(token()), enc_hook=repr)),
    "copy": lambda: f"{copy.copy(token())} {copy.deepcopy([token()])}",
    "member of the type": lambda: f"{token().display} {token().brand} {token().kid} {token().kind}",
}


@pytest.mark.parametrize("shown", SHOWN.values(), ids=SHOWN.keys())
def test_no_text_form_shows_the_secret(shown: Callable[[], str]) -> None:
    """Each text form names the token by brand, kind and key id, and shows no character of secret or checksum."""
    text = shown()

    assert "0EXAMPLE0KID" in text
    assert not leaks(text)


def test_the_check_of_this_module_sees_a_leak() -> None:
    """A whole token, its last four characters, and one character of its secret are found."""
    assert leaks(token().reveal())
    assert leaks("…" + TEXT[-4:])
    assert leaks("…" + LETTER)
    assert not leaks(DISPLAY)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickle_is_the_display_form(protocol: int) -> None:
    """A pickled token (a cache, a task queue, another process) comes back as its display form."""
    data = pickle.dumps({"presented": token()}, protocol)

    assert DISPLAY == pickle.loads(data)["presented"]  # noqa: S301  (our own bytes)
    assert LETTER.encode() * 2 not in data
    assert TEXT[-6:].encode() not in data


@pytest.mark.parametrize(
    "encode",
    [
        json.dumps,
        msgspec.json.encode,
        msgspec.msgpack.encode,
        msgspec.to_builtins,
        bytes,
        bytearray,
        iter,
        list,
        vars,
        len,
        "".join,
        lambda value: json.dumps({value: 1}),
        lambda value: value + "",
        lambda value: value[0],
    ],
)
def test_what_would_need_the_text_fails(encode: Callable[[Any], object]) -> None:
    """Without a hook a token cannot be encoded, joined, cut or walked over; the error does not show it."""
    with pytest.raises((TypeError, msgspec.ValidationError)) as caught:
        encode(token())

    assert not leaks(str(caught.value))


@pytest.mark.parametrize(
    "compare",
    [operator.eq, operator.ne, operator.lt, operator.le, operator.gt, operator.ge, operator.contains],
)
@pytest.mark.parametrize(
    "other", [TEXT, DISPLAY, None, mint(Kind.API_KEY)], ids=["text", "display", "none", "token"]
)
def test_comparison_is_refused(compare: Callable[[Any, Any], bool], other: object) -> None:
    """Tokens are compared by digest in constant time, never by ``==``, from either side, nor inside a list."""
    if compare is operator.contains:
        with pytest.raises(TypeError):
            compare([token()], other)
        return

    with pytest.raises(TypeError):
        compare(token(), other)
    with pytest.raises(TypeError):
        compare(other, token())


def test_a_token_is_no_key() -> None:
    """A token has no hash: it cannot be a key of a dictionary or a member of a set."""
    with pytest.raises(TypeError):
        hash(token())


def test_attributes_cannot_be_added() -> None:
    """Nothing can be hung onto a token, so no second copy of its text appears in ``vars``."""
    with pytest.raises(AttributeError):
        token().note = "x"  # type: ignore[attr-defined]


def test_only_two_ways_give_the_whole() -> None:
    """``reveal`` and ``as_bytes`` give the token; no other public member does."""
    public = {name for name in dir(Token) if not name.startswith("_")}

    assert {"brand", "kind", "kid", "display", "reveal", "as_bytes"} == public
    assert TEXT == token().reveal()
    assert TEXT.encode() == token().as_bytes()
    assert zlib.crc32(BODY.encode()) == zlib.crc32(token().as_bytes()[:-6])
