"""``retinue help TOPIC``: what is the same in every command."""

from __future__ import annotations

from typing import Annotated, Literal

from cyclopts import App, Parameter

from retinue.cli.exits import MEANINGS

_ENVIRONMENT = """\
RETINUE_URL          control plane (default http://127.0.0.1:8470)
RETINUE_NODE_URL     node that `verify` asks (default http://127.0.0.1:8471)
RETINUE_TOKEN_FILE   file that holds the CLI's token; comes before RETINUE_TOKEN
RETINUE_TOKEN        the CLI's token
RETINUE_ORG          organization, by handle or id; --org comes before it
RETINUE_OUTPUT       form of the data; -o comes before it
RETINUE_TIMEOUT      seconds to wait for a server (default 30)
RETINUE_CA_FILE      certificate authorities to trust instead of the system's
RETINUE_NO_INPUT     set: never ask
RETINUE_HOME         installation on this host, for init and serve (default ./retinue-data)
NO_COLOR, FORCE_COLOR, CI   honoured as usual; with CI a token is printed only with --out -
"""
_FORMATS = """\
table   for people; the default on a terminal
tsv     one line an item, with a header; the default in a pipe
csv     the same by commas
json    a list is {"items": [...], "next": ...}, one thing is one object; times are RFC 3339 in UTC
jsonl   one JSON object a line
yaml    as json
name    names, one a line; keys as ACCOUNT/NAME
id      ids, one a line

--fields id,name,keys.usable   only these fields, in this order
"""
_AUTH = """\
The CLI calls the API with a token of yours: a personal access token, or an API key of a service account.

  export RETINUE_TOKEN_FILE=~/.retinue-token     a file of mode 0600 that holds the token
  retinue whoami                                 who that is, what it may do, until when

`retinue init --token-file F` writes a first token to F. No option takes a token: arguments can be read by
every user of a host and stay in the history of the shell. `verify` and `whoami` read one from standard input
with `-`; a new one leaves by --out FILE (mode 0600, never overwritten) or alone on standard output.
"""


app = App(name="help")


@app.default
def topic(
    name: Annotated[
        Literal["environment", "exit-codes", "formats", "auth"] | None,
        Parameter(name="TOPIC", help="What to explain."),
    ] = None,
    /,
) -> None:
    """Explain what is the same in every command."""
    texts = {"environment": _ENVIRONMENT, "formats": _FORMATS, "auth": _AUTH, "exit-codes": _exit_codes()}
    if name is None:
        print("topics: " + ", ".join(sorted(texts)))
        return
    print(texts[name], end="")


def _exit_codes() -> str:
    return "".join(f"{code.value:>3}  {meaning}\n" for code, meaning in MEANINGS.items())
