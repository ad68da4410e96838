"""``retinue help TOPIC``: what is the same in every command."""

from __future__ import annotations

from typing import Annotated, Literal

from cyclopts import App, Parameter

from retinue.cli.exits import MEANINGS

_ENVIRONMENT = """\
RETINUE_URL          control plane (default http://127.0.0.1:8470)
RETINUE_NODE_URL     node that `verify` asks (default http://127.0.0.1:8471)
RETINUE_TOKEN_FILE   file that holds the CLI's token; comes before RETINUE_TOKEN
RETINUE_TOKEN        the CLI's token; both come before a sign-in
RETINUE_PROFILE      server and sign-in to use; --profile comes before it
RETINUE_CONFIG_DIR   where profiles and sign-ins are kept (default ~/.config/retinue)
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
The CLI calls the API with a token of yours.

  retinue login [URL]                  a code for a browser; a session of 12 hours, as long as it is used
  retinue login --with-token < FILE    a personal access token, or a key of a service account
  retinue whoami                       who that is, what it may do, until when
  retinue logout                       revokes the session, forgets the token

It is kept in the keyring of the system (pip install 'retinue[keyring]'), else in credentials.toml, mode 0600,
in RETINUE_CONFIG_DIR or ~/.config/retinue, and is sent to no server but the one it was got from.

  export RETINUE_TOKEN_FILE=~/.retinue-token     a file with a token, mode 0600; comes before a sign-in

`retinue init --token-file F` writes a first token to F. No option takes a token: arguments can be read by
every user of a host and stay in the history of the shell. `verify` and `whoami` read one from standard input
with `-`; a new one leaves by --out FILE (mode 0600, never overwritten) or alone on standard output.
"""
_CONFIG = """\
A setting is taken from the first of these that has it:

  1. flags
  2. the environment (see: retinue help environment)
  3. .retinue.toml in this folder or one above it: profile, url, org, output. A token in it is an error.
  4. the profile in config.toml, in RETINUE_CONFIG_DIR or ~/.config/retinue
  5. /etc/xdg/retinue/config.toml, of the host

The profile: --profile, else RETINUE_PROFILE, else that of the project, else that of `retinue profile use`.

  profile = "work"

  [profiles.work]
  url = "https://retinue.acme.example"     also: node_url, org, output, ca_file, timeout, replica
"""


app = App(name="help")


@app.default
def topic(
    name: Annotated[
        Literal["environment", "exit-codes", "formats", "auth", "config"] | None,
        Parameter(name="TOPIC", help="What to explain."),
    ] = None,
    /,
) -> None:
    """Explain what is the same in every command."""
    texts = {"environment": _ENVIRONMENT, "formats": _FORMATS, "auth": _AUTH, "config": _CONFIG}
    texts["exit-codes"] = _exit_codes()
    if name is None:
        print("topics: " + ", ".join(sorted(texts)))
        return
    print(texts[name], end="")


def _exit_codes() -> str:
    return "".join(f"{code.value:>3}  {meaning}\n" for code, meaning in MEANINGS.items())
