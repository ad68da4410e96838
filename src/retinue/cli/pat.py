"""``retinue pat``: personal access tokens, the caller's own and as far as one may see those of others."""

from __future__ import annotations

from typing import Annotated

from cyclopts import App, Parameter

from retinue.cli import confirm, durations, lookup, output, token_life
from retinue.cli.issuing import hand_key_over
from retinue.cli.key_life import Endpoints, Methods, Networks, ReadOnly, Times, restrictions
from retinue.cli.options import (
    CHANGE_DEFAULTS,
    DANGER_DEFAULTS,
    DEFAULTS,
    ChangeOptions,
    DangerOptions,
    Options,
)
from retinue.cli.session import Session
from retinue.cli.shapes import KEY, PERSONAL_TOKEN
from retinue.cli.token_life import Expires, Form, Limit, Noun, Out, Overlap
from retinue.client import credential_operations as ops
from retinue.client.models import IssuedKey

app = App(name="pat", help="Personal access tokens, by name or id.")
NOUN = Noun("pat", "personal access token", ops.MINE)
token_life.add(app, NOUN)


@app.command(name="list")
def list_(
    *,
    user: Annotated[str | None, Parameter(help="Those of this person; * for everybody's.")] = None,
    limit: Limit = None,
    options: Options = DEFAULTS,
) -> None:
    """List my personal access tokens, or those of others."""
    if user is None:
        token_life.listed(NOUN, limit, options)
        return
    session = Session(options, ops.LIST_TOKENS)
    query = {} if user == "*" else {"user": user}
    output.show_list(session.pages(ops.LIST_TOKENS, None, query, limit), KEY, options)


@app.command
def issue(
    *,
    name: Annotated[str | None, Parameter(help="Name of the token.")] = None,
    expires: Expires = None,
    network: Networks = (),
    endpoint: Endpoints = (),
    method: Methods = (),
    read_only: ReadOnly = False,
    time: Times = (),
    out: Out = None,
    format_: Form = "raw",
    options: ChangeOptions = CHANGE_DEFAULTS,
) -> None:
    """Issue a token of my own. It is told once: into --out FILE, or alone on standard output."""
    body: dict[str, object] = {
        "name": name,
        "expires": durations.checked(expires, "--expires", never=True) if expires else None,
        "restrictions": restrictions(network, endpoint, method, read_only, time),
    }
    token_life.issued(NOUN, body, out, format_, options)


@app.command(name="revoke-of")
def revoke_of(token: str, /, *, options: DangerOptions = DANGER_DEFAULTS) -> None:
    """Revoke a token of another person, by its id."""
    session = Session(options, ops.REVOKE_TOKEN)
    ident = lookup.token_id(token, "pat")
    confirm.one("revoke", token, [ident], options)
    gone = session.perform(ops.REVOKE_TOKEN, {"id": ident})
    session.say(f"revoked personal access token {lookup.key_label(gone)} ({gone.id})")
    session.show_change([gone], PERSONAL_TOKEN)
    session.next("retinue pat list --user '*'")


@app.command
def convert(
    token: str,
    /,
    *,
    to: Annotated[str, Parameter(help="Name of the new service account.")],
    purpose: Annotated[str | None, Parameter(help="What it is for.")] = None,
    environment: Annotated[str | None, Parameter(help="Such as production.")] = None,
    justification: Annotated[str | None, Parameter(help="Why it gets what it gets.")] = None,
    overlap: Overlap = None,
    out: Out = None,
    format_: Form = "raw",
    options: DangerOptions = DANGER_DEFAULTS,
) -> None:
    """Let a service account do what a token did, with the permissions that were really used."""
    session = Session(options, ops.CONVERT_TOKEN, ops.PLAN_CONVERSION)
    ident = lookup.token_id(token, "pat")
    plan = session.look(ops.PLAN_CONVERSION, {"id": ident})
    evidence = [
        f"used, and given to {to}: {', '.join(plan.permissions) or 'nothing'}",
        f"used, and not handed on: {', '.join(plan.left_out) or 'nothing'}",
    ]
    confirm.one("convert", token, evidence, options)
    body = {
        "name": to,
        "purpose": purpose,
        "environment": environment,
        "justification": justification,
        "overlap": "0s" if overlap == "now" else overlap and durations.checked(overlap, "--overlap"),
    }
    with session.handover(out, format_).ready() as handover:
        made = session.perform(ops.CONVERT_TOKEN, {"id": ident}, body)
        session.say(f"created service account {made.account.handle} ({made.account.id})")
        issued = IssuedKey(key=made.key, token=made.token, expiry=made.expiry, receipt=made.receipt)
        hand_key_over(session, issued, handover, {"account": made.account, "replaced": made.replaced})
