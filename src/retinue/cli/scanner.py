"""``retinue scanner``: find tokens before others do: rules for scanners, and a scanner that needs none."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, Parameter

from retinue.cli.exits import CommandError, Exit
from retinue.token import DEFAULT_BRAND, Kind, is_brand, parse

app = App(name="scanner", help="Find tokens in files: rules for scanners, and a scanner of its own.")

Form = Literal["gitleaks", "detect-secrets", "semgrep", "secretlint", "kingfisher", "trufflehog", "github"]
Brands = Annotated[
    tuple[str, ...],
    Parameter(name="--brand", help="What tokens begin with; also retired ones (default: rtn).", negative=""),
]
#: A larger file holds no source; of it only this much is looked at.
_MOST_BYTES = 64 << 20
_SKIPPED = frozenset({".git", ".hg", "node_modules", ".venv", "__pycache__"})
_AFTER, _BEFORE = "(?![0-9A-Za-z])", "(?<![0-9A-Za-z])"


def grammar(brands: tuple[str, ...]) -> str:
    """Return the pattern of a token without its boundaries: it needs neither look-around nor groups."""
    kinds = "|".join(sorted(kind.value for kind in Kind))
    return f"(?:{'|'.join(brands)})(?:{kinds})_[0-9A-Za-z]{{12}}_[0-9A-Za-z]{{49}}"


def _keywords(brands: tuple[str, ...]) -> list[str]:
    return [f"{brand}{kind.value}_" for brand in brands for kind in Kind]


def _gitleaks(brands: tuple[str, ...]) -> str:
    # RE2 has no look-around: what stands beside a token is matched, and the group is the token.
    pattern = f"(?:^|[^0-9A-Za-z])({grammar(brands)})(?:[^0-9A-Za-z]|$)"
    return (
        'title = "Retinue"\n\n[[rules]]\nid = "retinue-token"\ndescription = "A token of Retinue"\n'
        f"regex = '''{pattern}'''\nsecretGroup = 1\nkeywords = {json.dumps(_keywords(brands))}\n"
    )


def _detect_secrets(brands: tuple[str, ...]) -> str:
    pattern = f"{_BEFORE}{grammar(brands)}{_AFTER}"
    return (
        '"""A plugin of detect-secrets: detect-secrets scan -p retinue_token.py"""\n\nimport re\n\n'
        "from detect_secrets.plugins.base import RegexBasedDetector\n\n\n"
        'class RetinueTokenDetector(RegexBasedDetector):\n    secret_type = "Retinue token"\n'
        f'    denylist = [re.compile(r"{pattern}")]\n'
    )


def _semgrep(brands: tuple[str, ...]) -> str:
    return (
        "rules:\n  - id: retinue-token\n    languages: [generic]\n    severity: ERROR\n"
        "    message: A token of Retinue\n"
        f"    pattern-regex: '{_BEFORE}{grammar(brands)}{_AFTER}'\n"
    )


def _secretlint(brands: tuple[str, ...]) -> str:
    pattern = {"name": "Retinue token", "pattern": f"/{_BEFORE}{grammar(brands)}{_AFTER}/"}
    rule = {"id": "@secretlint/secretlint-rule-pattern", "options": {"patterns": [pattern]}}
    return json.dumps({"rules": [rule]}, indent=2) + "\n"


def _kingfisher(brands: tuple[str, ...]) -> str:
    # A named group would be measured for its entropy.
    return (
        "rules:\n  - name: Retinue token\n    id: retinue.1\n    confidence: high\n    min_entropy: 3.0\n"
        f"    pattern: '(?:^|[^0-9A-Za-z])({grammar(brands)})(?:[^0-9A-Za-z]|$)'\n"
    )


def _trufflehog(brands: tuple[str, ...]) -> str:
    return (
        f"detectors:\n  - name: RetinueToken\n    keywords: {json.dumps(_keywords(brands))}\n"
        f"    regex:\n      token: '(?:^|[^0-9A-Za-z])({grammar(brands)})(?:[^0-9A-Za-z]|$)'\n"
    )


def _github(brands: tuple[str, ...]) -> str:
    return (
        f"Secret format: {grammar(brands)}\nBefore secret: \\A|[^0-9A-Za-z]\nAfter secret: \\z|[^0-9A-Za-z]\n"
    )


_FORMS: dict[str, Callable[[tuple[str, ...]], str]] = {
    "gitleaks": _gitleaks,
    "detect-secrets": _detect_secrets,
    "semgrep": _semgrep,
    "secretlint": _secretlint,
    "kingfisher": _kingfisher,
    "trufflehog": _trufflehog,
    "github": _github,
}


@app.command
def export(
    *, form: Annotated[Form, Parameter(name="--format", help="For which scanner.")], brand: Brands = ()
) -> None:
    """Print a rule that finds the tokens of this installation, for another scanner."""
    print(_FORMS[form](_checked(brand)), end="")


@app.command
def scan(
    path: Annotated[str, Parameter(help="A file or folder; links are not followed.")] = ".",
    /,
    *,
    brand: Brands = (),
) -> int:
    """Look for tokens in files, and confirm each by its checksum. Exit code 7 if there are any."""
    brands = _checked(brand)
    if not Path(path).exists():
        raise CommandError(f"{path}: no such file", "name another one", Exit.USAGE)
    pattern = re.compile(f"{_BEFORE}{grammar(brands)}{_AFTER}".encode(), re.ASCII)
    found = 0
    for file in _files(Path(path)):
        for number, display in _tokens(file, pattern, brands):
            found += 1
            print(f"{file}:{number}: {display}")
    return Exit.NEGATIVE if found else Exit.DONE


def _checked(brands: tuple[str, ...]) -> tuple[str, ...]:
    for each in brands:
        if not is_brand(each):
            raise CommandError(
                f"--brand {each}: not a brand", "2 to 10 of a-z and 0-9, a letter first", Exit.USAGE
            )
    return brands or (DEFAULT_BRAND,)


def _files(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path
        return
    for folder, folders, files in os.walk(path):
        folders[:] = sorted(set(folders) - _SKIPPED)
        yield from (
            file for name in sorted(files) if (file := Path(folder, name)).is_file() and not file.is_symlink()
        )


def _tokens(file: Path, pattern: re.Pattern[bytes], brands: tuple[str, ...]) -> Iterator[tuple[int, str]]:
    """Yield line and display form of each token; what only looks like one has another checksum."""
    try:
        with file.open("rb") as opened:
            held = opened.read(_MOST_BYTES)
    except OSError as error:
        raise CommandError(f"{file}: {error.strerror}", "name what can be read", Exit.USAGE) from None
    for match in pattern.finditer(held):
        token = parse(match[0].decode(), brands)
        if token is not None:
            yield held.count(b"\n", 0, match.start()) + 1, str(token)
