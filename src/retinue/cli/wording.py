"""The words of the organization (``terminology``), where a person reads: on a terminal.

Commands, flags and fields keep their names; so does what a program reads from standard error.
"""

from __future__ import annotations

import sys

from retinue.cli.session import Session
from retinue.client import operations as ops
from retinue.client.errors import ClientError
from retinue.client.organization import Term

Words = dict[str, Term]


def words(session: Session) -> Words:
    """Return the words of the organization; none for a program, or where they cannot be had."""
    options = session.options
    if options.quiet or options.print_curl or not sys.stderr.isatty():
        return {}
    try:
        return session.look(ops.GET_PRESENTATION).terminology.words
    except ClientError:  # they are an ornament: what is done does not depend on them
        return {}


def noun(known: Words, name: str, usual: str) -> str:
    """Return what one thing is called."""
    return known[name].one if name in known else usual


def act(known: Words, name: str, usual: str) -> str:
    """Return what an act is called."""
    return known[name].one if name in known else usual


def done(known: Words, name: str, usual: str) -> str:
    """Return what is said of something when an act on it is done."""
    return known[name].many if name in known else usual
