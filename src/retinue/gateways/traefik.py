"""Traefik: a ``forwardAuth`` middleware for each permission; the static and the dynamic part."""

from __future__ import annotations

from retinue.gateways.parameters import CALLER_VARIABLE, Parameters, Rule, comment

STATIC = "traefik.yaml"
DYNAMIC = "retinue.yaml"

_STATIC_HEAD = (
    "Traefik asks Retinue before every request: printed by `retinue gateway config traefik`, for Traefik 3.7.",
    "This is the static part: what differs from the default closes a hole.",
)
_STATIC = """
entryPoints:
  retinue:
    address: "{listen}"
    http:
      # Some programs read such names as if they had dashes.
      underscoreHeadersStrategy: reject
      # What another program may take for another place. (`..` and `//` are resolved before a rule is chosen.)
      sanitizePath: true
      encodedCharacters:
        allowEncodedSlash: false
        allowEncodedBackSlash: false
        allowEncodedNullCharacter: false
        allowEncodedSemicolon: false
        allowEncodedPercent: false
        allowEncodedQuestionMark: false
        allowEncodedHash: false
{tls}
providers:
  file:
    filename: {dynamic}
"""

_DYNAMIC_HEAD = (
    "The dynamic part. The rule of the highest priority that fits is taken; without one it is 404.",
)
_ROUTER = """\
    retinue-{number}:
      rule: '{rule}'
      priority: {priority}
      entryPoints: [retinue]
      service: retinue-application
      middlewares: [retinue-caller, retinue-need-{need}, retinue-clean]
"""
_CLOSED = """\
    retinue-ambiguous:
      rule: 'PathRegexp(`[;\\x5c]`)'
      priority: {priority}
      entryPoints: [retinue]
      service: retinue-application
      middlewares: [retinue-refused]
"""
#: Nothing but a WebSocket. RE2 cannot say "not": another length, or another letter somewhere.
_OTHER = "|".join(
    [
        ".{0,8}",
        ".{10,}",
        *(f".{{{place}}}[^{each}{each.upper()}].*" for place, each in enumerate("websocket")),
    ]
)
# What came after another change of the connection would be asked about no more.
_UPGRADE = f"""\
    retinue-upgrade:
      rule: 'HeaderRegexp(`Upgrade`, `^(?:{_OTHER})$`)'
      priority: {{priority}}
      entryPoints: [retinue]
      service: retinue-application
      middlewares: [retinue-refused]
"""
_NEED = """\
    retinue-need-{need}:
      forwardAuth:
        address: "http://{node}{asked}"
        authResponseHeaders: [Retinue-Identity]
        trustForwardHeader: false
        maxResponseBodySize: 65536
"""
_COMMON = """\
    # What the gateway says of itself to the node; never what a client says in its place.
    retinue-caller:
      headers:
        customRequestHeaders:
          Retinue-Caller: {caller}
    # What another program may take for another place: no client has this address.
    retinue-refused:
      ipAllowList:
        sourceRange: [255.255.255.255/32]
        rejectStatusCode: 400
    # No token reaches the application.
    retinue-clean:
      headers:
        customRequestHeaders:
          Authorization: ""
          Retinue-Caller: ""
{hidden}  services:
    retinue-application:
      loadBalancer:
        servers:
          - url: "{application}"
"""


def render(parameters: Parameters) -> dict[str, str]:
    """Return the static and the dynamic file."""
    rules = parameters.ordered
    needs = list(dict.fromkeys(rule.need for rule in rules))
    caller = f"'{{{{ env \"{CALLER_VARIABLE}\" }}}}'" if parameters.asks_caller else '""'
    hidden = "".join(f'          {name}: ""\n' for name in parameters.token_headers)
    pair = parameters.pair()
    text = comment(_DYNAMIC_HEAD)
    if pair is not None:
        text += f"tls: {{certificates: [{{certFile: {pair[0]}, keyFile: {pair[1]}}}]}}\n"
    text += "http:\n  routers:\n"
    text += _CLOSED.format(priority=1001 + len(rules))
    text += _UPGRADE.replace("{priority}", str(1002 + len(rules)))
    for number, rule in enumerate(rules):
        priority = 1000 + len(rules) - number
        text += _ROUTER.format(
            number=number, rule=_match(rule), priority=priority, need=needs.index(rule.need)
        )
    text += "  middlewares:\n"
    for number, need in enumerate(needs):
        asked = parameters.asked(Rule((), "/", need))
        text += _NEED.format(need=number, node=parameters.node, asked=asked)
    scheme = "h2c" if parameters.asks_http2 else "http"
    text += _COMMON.format(caller=caller, application=f"{scheme}://{parameters.application}", hidden=hidden)
    tls = "" if pair is None else "      tls: {}\n"
    static = _STATIC.format(listen=parameters.listen, dynamic=DYNAMIC, tls=tls)
    return {STATIC: comment(_STATIC_HEAD) + static, DYNAMIC: text}


def _match(rule: Rule) -> str:
    if rule.kind == "regex":
        text = f"PathRegexp(`{rule.regex}`)"
    else:
        text = f"{'Path' if rule.kind == 'exact' else 'PathPrefix'}(`{rule.path}`)"
    if rule.methods:
        text += " && (" + " || ".join(f"Method(`{method}`)" for method in rule.methods) + ")"
    return text
