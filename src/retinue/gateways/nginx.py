"""nginx: ``auth_request`` before each location; what goes into ``http {}``, as a file of ``conf.d``."""

from __future__ import annotations

from itertools import groupby

from retinue.gateways.parameters import AMBIGUOUS, Parameters, ParametersError, Rule, comment

FILE = "retinue.conf"
#: The file with the gateway's own token, where a node asks for it; nginx reads no environment.
CALLER_FILE = "retinue_caller.conf"

_HEAD = (
    "nginx asks Retinue before every request: printed by `retinue gateway config nginx`.",
    "It belongs into http {}: save it in /etc/nginx/conf.d/, then `nginx -t` and reload.",
    "",
    "The permission stands in the path that nginx asks (/_retinue/report:read). Do not put it into a variable: the",
    "sub-request would evaluate a `set` at server level once more, and ask for the wrong permission.",
)

_BEFORE = r"""
# A node closes a connection that is quiet for 4.6 s.
upstream retinue_node        {{ server {node}; keepalive 32; keepalive_timeout 4s; }}
upstream retinue_application {{ server {application}; keepalive 32; }}

# Where people read about a problem: the control plane, as they reach it.
map "" $retinue_pages {{ default {pages}; }}

# Without any answer of the node there is no reason from it either.
map $retinue_error $retinue_failure {{ "" replica_stale; default $retinue_error; }}

# A WebSocket is asked about like any request, before it is one. To no other protocol does anybody change here: what
# came after the change would be asked about no more.
map "$server_protocol $http_upgrade" $retinue_upgrade {{ "~*^HTTP/1\.1 websocket$" websocket; default ""; }}
map $retinue_upgrade $retinue_connection {{ "" ""; default upgrade; }}

server {{
    listen {listen}{tls};
    server_tokens off;
    underscores_in_headers off;
    recursive_error_pages on;

    # What another program may take for another place.
    if ($request_uri ~ "^[^?]*(?:{ambiguous})") {{ return 400; }}

    # The question to the node: no body, and nothing about the request that its client could choose. The prefix
    # is longer than that of any rule, so that no rule catches the question.
    location ^~ /_retinue/ {{
        internal;
        proxy_pass http://retinue_node/v1/forward-auth/;
        proxy_http_version 1.1;
        proxy_pass_request_body off;
        proxy_connect_timeout 1s;
        proxy_read_timeout 2s;
        proxy_set_header Connection         "";
        proxy_set_header Content-Length     "";
        {caller}
        proxy_set_header X-Forwarded-For    $remote_addr;
        proxy_set_header X-Forwarded-Method $request_method;
        proxy_set_header X-Forwarded-Uri    $request_uri;
    }}

"""

_TLS = """ ssl http2;
    ssl_certificate     {certificate};
    ssl_certificate_key {key};
    ssl_protocols       TLSv1.2 TLSv1.3"""

_AFTER = r"""
{rest}
    # nginx drops the node's body, and for 403 the challenge too: both are given back here.
    location @retinue_401 {{
        internal;
        default_type application/problem+json;
        add_header Retinue-Error    $retinue_error always;
        add_header WWW-Authenticate $retinue_challenge always;
        add_header Cache-Control    no-store always;
        return 401 '{{"type":"$retinue_pages/$retinue_error","status":401,"code":"$retinue_error"}}';
    }}
    location @retinue_403 {{
        internal;
        default_type application/problem+json;
        add_header Retinue-Error    $retinue_error always;
        add_header WWW-Authenticate $retinue_challenge always;
        add_header Cache-Control    no-store always;
        return 403 '{{"type":"$retinue_pages/$retinue_error","status":403,"code":"$retinue_error"}}';
    }}
    location @retinue_no_decision {{
        internal;
        default_type application/problem+json;
        add_header Retinue-Error $retinue_failure always;
        add_header Retry-After   $retinue_retry always;
        add_header Cache-Control no-store always;
        if ($retinue_status = 429) {{ return 429 '{{"type":"$retinue_pages/$retinue_error","status":429,"code":"$retinue_error"}}'; }}
        return 503 '{{"type":"$retinue_pages/$retinue_failure","status":503,"code":"$retinue_failure"}}';
    }}
}}
"""

# One proxy_set_header in a location drops all that it would inherit: so each has them all.
_PROTECTED = """\
        auth_request /_retinue/{need};
        auth_request_set $retinue_identity  $upstream_http_retinue_identity;
        auth_request_set $retinue_error     $upstream_http_retinue_error;
        auth_request_set $retinue_challenge $upstream_http_www_authenticate;
        auth_request_set $retinue_retry     $upstream_http_retry_after;
        auth_request_set $retinue_status    $upstream_status;
        auth_request_set $retinue_expires   $upstream_http_retinue_token_expires;
        auth_request_set $retinue_retires   $upstream_http_retinue_token_retires;
        auth_request_set $retinue_rotate    $upstream_http_retinue_token_rotate_by;
        error_page 401 = @retinue_401;
        error_page 403 = @retinue_403;
        error_page 500 = @retinue_no_decision;
        add_header Retinue-Token-Expires   $retinue_expires always;
        add_header Retinue-Token-Retires   $retinue_retires always;
        add_header Retinue-Token-Rotate-By $retinue_rotate always;
        proxy_pass http://retinue_application;
        proxy_http_version 1.1;
        proxy_set_header Host              $host;
        proxy_set_header Connection        $retinue_connection;
        proxy_set_header Upgrade           $retinue_upgrade;
        proxy_set_header X-Forwarded-For   $remote_addr;
        proxy_set_header X-Forwarded-Proto $scheme;
        proxy_set_header Retinue-Identity  $retinue_identity;
        proxy_set_header Retinue-Caller    "";
        proxy_set_header Authorization     "";
{hidden}"""


def render(parameters: Parameters) -> dict[str, str]:
    """Return the one file. Raises ``ParametersError`` for what nginx cannot do."""
    if parameters.asks_http2:
        raise ParametersError(
            "nginx: its grpc_pass sends none of our header fields, so HTTP/2 goes to no application"
        )
    pair = parameters.pair()
    caller = (
        f"include {CALLER_FILE};" if parameters.asks_caller else 'proxy_set_header Retinue-Caller     "";'
    )
    values = {
        "node": parameters.node,
        "application": parameters.application,
        "listen": parameters.listen,
        "tls": "" if pair is None else _TLS.format(certificate=pair[0], key=pair[1]),
        "pages": parameters.pages,
        "ambiguous": AMBIGUOUS.replace("$)", r"$|\?)"),
        "caller": caller,
        "rest": "    # What has no rule does not exist.\n    location / { return 404; }\n",
    }
    # nginx tries regular expressions in their order, but a prefix before or after all of them.
    in_order = any(rule.kind == "regex" for rule in parameters.rules)
    # nginx refuses to start with two locations for one place.
    if not in_order and any(rule.pattern == "/*" for rule in parameters.rules):
        values["rest"] = ""
    text = comment(_HEAD) + _BEFORE.format(**values)
    for number, (_, rules) in enumerate(groupby(parameters.ordered, key=lambda rule: rule.pattern)):
        text += _location(parameters, list(rules), number, in_order)
    return {FILE: text + _AFTER.format(**values)}


def _location(parameters: Parameters, rules: list[Rule], number: int, in_order: bool) -> str:
    """Return the location of one path, and one for each of its rules if they are for some methods only."""
    first = rules[0]
    start = f"    location {_match(first, in_order)} {{\n"
    if not first.methods:
        return start + _protected(parameters, first) + "    }\n"
    pages = dispatch = named = ""
    for place, rule in enumerate(rules):
        name = f"@retinue_rule_{number}_{place}"
        # Codes that nobody else uses: they only choose the location, which keeps method, path and body.
        pages += f"        error_page {460 + place} = {name};\n"
        if rule.methods:
            methods = "|".join(rule.methods)
            dispatch += f"        if ($request_method ~ ^(?:{methods})$) {{ return {460 + place}; }}\n"
        else:
            dispatch += f"        return {460 + place};\n"
        body = _protected(parameters, rule)
        named += f"    location {name} {{\n        internal;\n{body}    }}\n"
    if all(rule.methods for rule in rules):
        dispatch += "        return 404;\n"
    return f"{start}{pages}{dispatch}    }}\n{named}"


def _protected(parameters: Parameters, rule: Rule) -> str:
    hidden = "".join(f'        proxy_set_header {name} "";\n' for name in parameters.token_headers)
    return _PROTECTED.format(need=parameters.needed(rule), hidden=hidden)


def _match(rule: Rule, in_order: bool) -> str:
    if in_order:
        return f'~ "{rule.regex}"'
    return f"= {rule.path}" if rule.kind == "exact" else f"^~ {rule.path}"
