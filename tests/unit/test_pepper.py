"""The keyed digest of a token: vectors, several peppers, and the file that holds them."""

from __future__ import annotations

import hashlib
import hmac
import os
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from retinue import pepper
from retinue.pepper import Pepper, PepperError, Peppers, hkdf

SECRET = bytes(range(32))
VECTOR = b"rtnsa_0EXAMPLE0KID_" + b"x" * 43 + b"1DkGSP"


def key_of(secret: bytes, label: bytes) -> bytes:
    """RFC 5869 with SHA-256, no salt and one block, by the standard library's ``hmac``."""
    extracted = hmac.new(b"\0" * 32, secret, hashlib.sha256).digest()
    return hmac.new(extracted, label + b"\x01", hashlib.sha256).digest()


def test_hkdf_gives_the_vector_of_its_rfc() -> None:
    """RFC 5869, appendix A.3: SHA-256 with empty salt and info; the first block of the output."""
    expected = "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d"

    assert expected == hkdf(b"\x0b" * 22, "").hex()


def test_hkdf_separates_purposes() -> None:
    """Each label and each secret gives another key, as the standard library computes it."""
    labels = ["", "a", "retinue token digest", "retinue pepper id", "Ünïcode", "x" * 300]

    assert [key_of(SECRET, label.encode()) for label in labels] == [hkdf(SECRET, label) for label in labels]
    assert len(labels) == len({hkdf(SECRET, label) for label in labels})


@pytest.mark.parametrize(
    "length", [0, 1, 54, 55, 56, 57, 63, 64, 65, 68, 118, 119, 120, 127, 128, 129, 1_000, 100_000]
)
def test_digest_is_hmac_sha_256(length: int) -> None:
    """Around every block boundary of SHA-256 the digest is what ``hmac`` computes (RFC 2104, FIPS 198-1)."""
    message = bytes(each * 7 % 256 for each in range(length))
    expected = hmac.new(key_of(SECRET, b"retinue token digest"), message, hashlib.sha256).digest()

    assert expected == Pepper(SECRET).digest(message)


def test_stored_digests_keep_their_meaning() -> None:
    """Fixed vectors: a change of key, label or hash would make every stored credential unknown."""
    made = Pepper(SECRET)

    assert "baf16aeeec1be965" == made.id
    assert "643ef22063b0284e41028fe046a57a14402a42013b3e4f76e02cc7ed36135f44" == made.digest(VECTOR).hex()


def test_digests_do_not_depend_on_each_other() -> None:
    """Any order, repetition and many threads at once: one token, one digest."""
    made = Pepper(SECRET)
    tokens = [b"%d" % number * 9 for number in range(400)]
    expected = [hmac.digest(key_of(SECRET, b"retinue token digest"), token, "sha256") for token in tokens]
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(made.digest, tokens * 5))

    assert expected * 5 == found
    assert expected[::-1] == [made.digest(token) for token in reversed(tokens)]


@pytest.mark.parametrize("length", [0, 1, 16, 31, 33, 64])
def test_a_pepper_has_32_bytes(length: int) -> None:
    """Neither a shorter nor a longer secret is a pepper; the error tells both lengths, not the secret."""
    with pytest.raises(PepperError, match=f"32 bytes, not {length}"):
        Pepper(b"\xaa" * length)


def test_a_pepper_does_not_print_itself() -> None:
    """Text and ``repr`` are its id, which is derived and public; no byte of secret or key."""
    made = Pepper(SECRET)
    shown = f"{made} {made!r}"

    assert made.id in shown
    assert SECRET.hex() not in shown
    assert key_of(SECRET, b"retinue token digest").hex()[:8] not in shown
    assert made.id == key_of(SECRET, b"retinue pepper id").hex()[:16]


def test_several_peppers() -> None:
    """The first is the active one; each is found by its id; an unknown id gives none."""
    first, second = Pepper(SECRET), Pepper(bytes(32))
    held = Peppers([first, second])

    assert first is held.active
    assert (first.id, second.id) == held.ids
    assert (first, second) == (held.get(first.id), held.get(second.id))
    assert held.get("0" * 16) is None
    assert held.get("") is None
    assert first.digest(VECTOR) != second.digest(VECTOR)


def test_no_pepper_is_an_error() -> None:
    """A process without a pepper does not start."""
    with pytest.raises(PepperError, match="none"):
        Peppers([])


# --- the file ----------------------------------------------------------------------------------------


def written(path: Path, text: str, mode: int = 0o600) -> Path:
    """A secret file with this text and mode."""
    path.write_text(text)
    path.chmod(mode)
    return path


def test_a_created_file_is_private_and_is_read_back(tmp_path: Path) -> None:
    """``create`` writes 0600 whatever the umask says, one new random pepper, and never over a file."""
    path = tmp_path / "pepper"
    before = os.umask(0)
    try:
        pepper.create(path)
        pepper.create(tmp_path / "other")
    finally:
        os.umask(before)
    content = path.read_text()

    assert 0o600 == stat.S_IMODE(path.stat().st_mode)
    assert Pepper(bytes.fromhex(content)).id == pepper.load(path).active.id
    assert content != (tmp_path / "other").read_text()
    with pytest.raises(FileExistsError):
        pepper.create(path)
    assert content == path.read_text()


def test_a_link_is_not_followed_when_a_file_is_made(tmp_path: Path) -> None:
    """A secret is never written to where a link points."""
    (tmp_path / "pepper").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FileExistsError):
        pepper.create(tmp_path / "pepper")

    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize(
    "text", ["{a}\n{b}\n", "{a}\n{b}", "{a} {b}", "\n\n{a}\r\n\r\n{b}\r\n", "{A}\n{b}\n"]
)
def test_lines_in_order(tmp_path: Path, text: str) -> None:
    """One pepper a line, the active one first; blank lines, line ends and the case of digits do not matter."""
    a, b = SECRET.hex(), bytes(32).hex()
    loaded = pepper.load(written(tmp_path / "pepper", text.format(a=a, b=b, A=a.upper())))

    assert (Pepper(SECRET).id, Pepper(bytes(32)).id) == loaded.ids


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660, 0o620, 0o602, 0o610, 0o601, 0o777])
def test_a_file_that_others_reach_is_refused(tmp_path: Path, mode: int) -> None:
    """Any right of group or others refuses the file; the error names file, mode and remedy."""
    path = written(tmp_path / "pepper", SECRET.hex(), mode)

    with pytest.raises(PepperError, match=f"{mode:04o}.*chmod 600") as caught:
        pepper.load(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o700])
def test_a_private_file_is_read(tmp_path: Path, mode: int) -> None:
    """What only the owner reaches is accepted."""
    assert Pepper(SECRET).id == pepper.load(written(tmp_path / "pepper", SECRET.hex(), mode)).active.id


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n \n",
        "zz" * 32,
        SECRET.hex()[:-1],
        SECRET.hex()[:-2],
        SECRET.hex() + "00",
        SECRET.hex() + "\nnot a pepper\n",
        SECRET.hex() + "\n00\n",
    ],
)
def test_what_is_no_pepper_is_refused(tmp_path: Path, text: str) -> None:
    """A malformed line refuses the whole file, and the error does not repeat what stood in it."""
    path = written(tmp_path / "pepper", text)

    with pytest.raises(PepperError, match="64 hexadecimal characters") as caught:
        pepper.load(path)
    assert SECRET.hex()[:8] not in str(caught.value)


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    """A binary file is a malformed pepper file, not a crash."""
    path = written(tmp_path / "pepper", "")
    path.write_bytes(b"\xff\xfe" * 32)

    with pytest.raises(PepperError):
        pepper.load(path)


def test_what_cannot_be_read_is_an_error_with_its_path(tmp_path: Path) -> None:
    """Missing, or a folder: the error names the file and the system's reason."""
    for path, words in ((tmp_path / "absent", "No such file"), (tmp_path, "Is a directory")):
        with pytest.raises(PepperError, match=words) as caught:
            pepper.load(path)
        assert str(path) in str(caught.value)


def test_a_wrong_precomputed_digest_stops_the_start() -> None:
    """If the fast digest differs from the standard one, no pepper is made: the process does not serve."""
    program = (
        "import hmac\n"
        "hmac.digest = lambda *ignored: b'another'.ljust(32)\n"
        "from retinue import pepper\n"
        "try:\n"
        "    pepper.Pepper(bytes(32))\n"
        "except pepper.PepperError as error:\n"
        "    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=30
    )

    assert "refusing to serve" in done.stdout
