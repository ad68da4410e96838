"""Keys that another system kept as slow hashes, on a real node: their tokens go on working."""

from __future__ import annotations

import csv
import io
from functools import partial
from pathlib import Path

from tests.api.slow_cases import ALGORITHMS, PREFIX, PUBLIC, hashed, token
from tests.support.installation import Installation, http, start_retinue
from tests.support.processes import wait_for


def decision(installation: Installation, text: str, address: str | None = None) -> tuple[bool, str | None]:
    """Ask the node about a token."""
    question = {"token": text, "need": ["report:read"], **({"address": address} if address else {})}
    answer = http("POST", f"{installation.node_url}/v1/verify", body=question).json()
    return answer["allowed"], answer["reason"]


def is_allowed(installation: Installation, text: str) -> bool:
    """Tell whether the node allows a token."""
    return decision(installation, text)[0]


def imported(installation: Installation, folder: Path, algorithm: str) -> str:
    """Import one key with the command line; return its token."""
    text = token()
    sheet = io.StringIO()
    rows = csv.writer(sheet)
    rows.writerow(["account", "name", "digest", "public"])
    rows.writerow(["etl", f"old {algorithm}", hashed(algorithm, text), text[:PUBLIC]])
    file = folder / f"{algorithm}.csv"
    file.write_text(sheet.getvalue())
    stated = (
        "--scheme",
        f"old {algorithm}",
        "--algorithm",
        algorithm,
        "--prefix",
        PREFIX,
        "--public",
        str(PUBLIC),
    )
    installation.cli("key", "import", str(file), *stated)
    return text


def test_a_slow_hash_is_tried_once_and_replaced(database_url: str, tmp_path: Path) -> None:
    """
    The first call is told "not now", the next is allowed; a wrong token is unknown, and costs the hash of
    another nothing. Nothing of a token is in any log, and a revoke holds as always.
    """
    environment = {} if database_url.startswith("sqlite") else {"RETINUE_DATABASE_URL": database_url}
    with start_retinue(tmp_path / "home", "--workers", "1", **environment) as installation:
        stated = ("--owner", "admin@acme.example", "--purpose", "a test", "--permission", "report:read")
        installation.cli("account", "create", "etl", *stated)
        for algorithm in ALGORITHMS:
            text = imported(installation, tmp_path, algorithm)
            wrong = text[:-1] + "~"
            first = decision(installation, text)
            assert (False, "replica_stale") == first
            wait_for("the token is proven", partial(is_allowed, installation, text))
            assert (False, "token_unknown") == decision(installation, wrong)
            installation.cli("key", "revoke", f"etl/old {algorithm}", "--yes")
            assert (False, "credential_revoked") == decision(installation, text)

            assert text[PUBLIC:] not in installation.log.read_text()

        assert (False, "token_unknown") == decision(installation, f"{PREFIX}{'0' * 8}.{'x' * 32}")


def test_who_guesses_has_few_tries(database_url: str, tmp_path: Path) -> None:
    """
    Of one public part: a network is told "unknown" after a few, and what was found wrong stays wrong. The
    holder, elsewhere, gets in.
    """
    environment = {} if database_url.startswith("sqlite") else {"RETINUE_DATABASE_URL": database_url}
    with start_retinue(tmp_path / "home", "--workers", "1", **environment) as installation:
        stated = ("--owner", "admin@acme.example", "--purpose", "a test", "--permission", "report:read")
        installation.cli("account", "create", "etl", *stated)
        text = imported(installation, tmp_path, "argon2")
        guesses = [f"{text[:PUBLIC]}.{number:032d}" for number in range(20)]
        found = [decision(installation, each, "192.0.2.7")[1] for each in guesses]

        assert 6 >= found.count("replica_stale")
        assert "token_unknown" == found[-1]
        wait_for("it is known", lambda: decision(installation, guesses[0], "192.0.2.7")[1] == "token_unknown")
        wait_for("the holder", lambda: decision(installation, text, "198.51.100.7")[0])
