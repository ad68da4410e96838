"""``init --no-input``: everything at fault is named with its rule, and nothing is made."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.init.place import PASSWORD, Place

NEEDED = ("--organization", "--admin-email", "--admin-password-file", "--token-file")


def _refusals(place: Place, *flags: str) -> list[str]:
    """Return the errors of a run that must make nothing."""
    done = place.init(*flags)
    assert (2, "", False) == (done.returncode, done.stdout, place.home.exists())
    return done.stderr.splitlines()


def test_every_missing_flag_is_named(place: Place) -> None:
    """
    Without a single flag all that are needed are named, a line each.
    """
    assert [f"error: {flag}: needed" for flag in NEEDED] == _refusals(place, "--no-input")


@pytest.mark.parametrize("missing", NEEDED)
def test_one_missing_flag_is_named(missing: str, place: Place) -> None:
    """
    One missing flag is named, alone.
    """
    flags = [flag for flag in place.flags() if not flag.startswith(f"{missing}=")]

    assert [f"error: {missing}: needed"] == _refusals(place, *flags)


@pytest.mark.parametrize(
    ("flag", "value", "rule"),
    [
        ("organization", "", "1 to 63 characters of a-z, 0-9 and dash"),
        ("organization", "Acme Ltd", "1 to 63 characters of a-z, 0-9 and dash"),
        ("organization", "-acme", "no dash at the ends"),
        ("organization", "a" * 64, "1 to 63 characters"),
        ("admin_email", "admin", "an e-mail address, such as"),
        ("admin_email", "a@b@c", "an e-mail address, such as"),
        ("admin_email", "a,b@c.example", "an e-mail address, such as"),
        ("admin_name", "Ada\u202e", "control character U+202E"),
        ("admin_name", "a" * 256, "at most 255 characters"),
        ("admin_password_file", "nowhere", "No such file"),
        ("admin_password_file", ".", "Is a directory"),
        ("token_file", "password", "exists and is not overwritten"),
        ("token_file", "nowhere/token", "there is no folder"),
    ],
)
def test_bad_answer_names_flag_and_rule(flag: str, value: str, rule: str, place: Place) -> None:
    """
    A bad answer is refused with its flag and the rule that it breaks.
    """
    lines = _refusals(place, *place.flags(**{flag: value}))

    assert 1 == len(lines)
    assert lines[0].startswith(f"error: --{flag.replace('_', '-')}: ")
    assert rule in lines[0]


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        (b"", "is empty"),
        (b"\n", "is empty"),
        (b"short\n", "at least 8 characters"),
        (b"password123\n", "too common"),
        (b"admin@acme.example\n", "too similar to the email"),
        (b"x" * 1025, "at most 1024 characters"),
        (b"y" * 9000, "one line with the password"),
        (b"first line\nsecond line\n", "one line with the password"),
        (b"violet\0anchor\n", "one line with the password"),
        (b"\xff\xfe\xfd\xfc\xfb\xfa\xf9\xf8", "not a text in UTF-8"),
    ],
)
def test_bad_password_names_flag_and_rule(content: bytes, rule: str, place: Place) -> None:
    """
    A password that breaks a rule is refused with the rule, and is itself not repeated.
    """
    path = place.folder / "other"
    path.write_bytes(content)
    lines = _refusals(place, *place.flags(admin_password_file=str(path)))

    assert lines[0].startswith("error: --admin-password-file: ")
    assert rule in lines[0]
    assert "password123" not in lines[0]


def test_all_bad_answers_are_named_together(place: Place) -> None:
    """
    Who gave several bad answers need not find out one at a time.
    """
    lines = _refusals(place, *place.flags(organization="A B", admin_email="x", token_file="/"))

    assert ["--organization", "--admin-email", "--token-file"] == [line.split(": ")[1] for line in lines]


def test_administrator_and_none_exclude_each_other(place: Place) -> None:
    """
    `--no-admin` beside a flag about the administrator is a contradiction.
    """
    lines = _refusals(place, *place.flags(), "--no-admin")

    assert lines[0].startswith("error: --no-admin: ")


def test_home_that_cannot_be_made(place: Place) -> None:
    """
    A home in the way of a file is refused in one line.
    """
    place.home.write_text("in the way")
    done = place.init(*place.flags())

    assert (1, 1) == (done.returncode, len(done.stderr.splitlines()))
    assert done.stderr.startswith(f"error: {place.home}")
    assert "Not a directory" in done.stderr


def test_database_that_does_not_answer(tmp_path: Path) -> None:
    """
    A database that cannot be reached is told in one line, and nothing is made.
    """
    place = Place(tmp_path, "postgresql://nobody:hunter2@127.0.0.1:1/nothing")
    done = place.init(*place.flags())

    assert (1, 1, False) == (done.returncode, len(done.stderr.splitlines()), place.home.exists())
    assert done.stderr.startswith("error: the database: ")
    assert "hunter2" not in done.stderr


def test_good_answers_make_an_installation(each_place: Place) -> None:
    """
    Files are readable by their owner alone, the token is in its file, and no secret is printed.
    """
    done = each_place.init(*each_place.flags())
    secret_files = [
        each_place.token,
        *(each_place.home / n for n in ("pepper", "ledger-key", "secret-key", "node-token")),
    ]

    assert (0, "") == (done.returncode, done.stdout)
    assert {0o600} == {path.stat().st_mode & 0o777 for path in secret_files}
    assert 0o700 == each_place.home.stat().st_mode & 0o777
    assert PASSWORD not in done.stderr
    assert each_place.token.read_text().strip() not in done.stderr
