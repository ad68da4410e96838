"""Caddy: ``forward_auth`` in a ``handle`` for each rule; a whole Caddyfile."""

from __future__ import annotations

from retinue.gateways.parameters import AMBIGUOUS, CALLER_VARIABLE, Parameters, Rule, comment

FILE = "Caddyfile"

_HEAD = (
    "Caddy asks Retinue before every request: printed by `retinue gateway config caddy`, for Caddy 2.8 and newer.",
    "Put the name of your site in the place of {scheme}://:{port}, and Caddy gets a certificate for it.",
)

_BEFORE = """
{scheme}://:{port} {{
	bind {host}
{tls}
	# What is said here of the request is said anew; names with underscores some programs read as if they had dashes.
	request_header -*_*
	request_header -Retinue-Identity
	request_header {caller}

	# To a WebSocket alone may a connection change: what came after another change would be asked about no more.
	@retinue_upgrade not vars_regexp {{http.request.header.Upgrade}} `^(?i:websocket)$`
	request_header @retinue_upgrade -Upgrade

	# The first that fits is taken: the most exact one stands first, behind what another program may take for another
	# place, and behind what would take our own headers away as "hop by hop".
	@retinue_ambiguous vars_regexp {{http.request.uri}} `^[^?]*(?:{ambiguous})`
	handle @retinue_ambiguous {{
		respond 400
	}}
	@retinue_hop header_regexp Connection `(?i)retinue|authorization|forwarded`
	handle @retinue_hop {{
		respond 400
	}}
"""

_RULE = """\
	@retinue_{number} {{
{conditions}	}}
	handle @retinue_{number} {{
		forward_auth {node} {{
			uri {asked}
			copy_headers Retinue-Identity
		}}
		reverse_proxy {application} {{
			header_up -Authorization
			header_up -Retinue-Caller
{hidden}		}}
	}}
"""

_AFTER = """\
	# What has no rule does not exist.
	handle {
		respond 404
	}
}
"""


def render(parameters: Parameters) -> dict[str, str]:
    """Return the one file."""
    caller = f'Retinue-Caller "{{env.{CALLER_VARIABLE}}}"' if parameters.asks_caller else "-Retinue-Caller"
    pair = parameters.pair()
    scheme, tls = ("http", "") if pair is None else ("https", f"\ttls {pair[0]} {pair[1]}\n")
    listen = {"host": parameters.listen.bare, "port": parameters.listen.port, "scheme": scheme, "tls": tls}
    application = f"h2c://{parameters.application}" if parameters.asks_http2 else str(parameters.application)
    text = comment(line.format(**listen) for line in _HEAD)
    text += _BEFORE.format(**listen, ambiguous=AMBIGUOUS.replace("$)", r"$|\?)"), caller=caller)
    for number, rule in enumerate(parameters.ordered):
        text += _RULE.format(
            number=number,
            conditions=_conditions(rule),
            node=parameters.node,
            asked=parameters.asked(rule),
            application=application,
            hidden="".join(f"\t\t\theader_up -{name}\n" for name in parameters.token_headers),
        )
    return {FILE: text + _AFTER}


def _conditions(rule: Rule) -> str:
    # Not `path`: it takes /Reports for /reports.
    text = f"\t\tpath_regexp `{rule.regex}`\n"
    return text + (f"\t\tmethod {' '.join(rule.methods)}\n" if rule.methods else "")
