"""HAProxy: a Lua action that asks the node; the configuration and the script."""

from __future__ import annotations

from retinue.gateways.parameters import (
    AMBIGUOUS,
    CALLER_VARIABLE,
    Parameters,
    ParametersError,
    Rule,
    comment,
)

FILE = "haproxy.cfg"
SCRIPT = "retinue.lua"

_HEAD = (
    "HAProxy asks Retinue before every request: printed by `retinue gateway config haproxy`, for HAProxy 2.6 and newer.",
)
_BEFORE = """
global
    lua-load {script}

defaults
    mode http
    timeout connect 2s
    timeout client 30s
    timeout server 30s
    timeout tunnel 1h
    timeout http-request 5s

frontend retinue
    bind {listen}{tls}
    # What another program may take for another place; and names that some programs read as if they had dashes.
    http-request deny deny_status 400 if {{ path -m reg "{ambiguous}" }}
    http-request del-header _ -m sub
    # To a WebSocket alone may a connection change: what came after another change would be asked about no more.
    http-request del-header Upgrade unless {{ req.fhdr(Upgrade) -m str -i websocket }} {{ req.fhdr_cnt(Upgrade) eq 1 }}
    # The first that fits is taken: the most exact one stands first.
"""
_RULE = """\
    http-request set-var(txn.retinue_need) str({need}) if !{{ var(txn.retinue_need) -m found }} {{ {match} }}{methods}
"""
_AFTER = """\
    # What has no rule does not exist.
    http-request deny deny_status 404 unless {{ var(txn.retinue_need) -m found }}
    # A node that is gone is not waited for.
    http-request return status 503 content-type application/problem+json string '{{"status":503,"code":"replica_stale"}}' if {{ nbsrv(retinue_node) eq 0 }}
    http-request lua.retinue
    default_backend application

backend retinue_node
    option httpchk
    http-check send meth GET uri /readyz ver HTTP/1.1 hdr Host {node}
    server node {node} check inter 1s fall 2 rise 1

backend application
    server application {application}{http2}
"""

_SCRIPT_HEAD = (
    "Asks the node about a request, and refuses it in the node's own words: printed by `retinue gateway config haproxy`.",
)
_SCRIPT = """
local NODE = "http://{node}"
local CALLER = {caller}
local TOLD = {{"www-authenticate", "retinue-error", "retry-after"}}
local REFUSED = {{[400] = true, [401] = true, [403] = true, [404] = true, [429] = true}}

-- All lines of a field: of two Authorization lines the node must see both.
local function lines(headers, name)
  local found = {{}}
  local values = headers[name]
  if values then
    local index = 0
    while values[index] do
      found[#found + 1] = values[index]
      index = index + 1
    end
  end
  return found
end

local function refuse(txn, answer)
  local error = answer and answer.headers["retinue-error"] and answer.headers["retinue-error"][0] or ""
  local known = answer and REFUSED[answer.status]
  local body = '{{"status":503,"code":"replica_stale"}}'
  if error ~= "" then body = '{{"status":503,"code":"' .. error .. '"}}' end
  local reply = txn:reply{{status = known and answer.status or 503, body = known and answer.body or body}}
  reply:add_header("Content-Type", "application/problem+json")
  reply:add_header("Cache-Control", "no-store")
  for _, name in ipairs(TOLD) do
    local value = answer and answer.headers[name] and answer.headers[name][0]
    if value and value ~= "" and (known or name ~= "www-authenticate") then reply:add_header(name, value) end
  end
  txn:done(reply)
end

core.register_action("retinue", {{"http-req"}}, function(txn)
  local headers = txn.http:req_get_headers()
  local asked = {{
    ["authorization"] = lines(headers, "authorization"),
    ["user-agent"] = lines(headers, "user-agent"),
    ["x-forwarded-for"] = {{txn.f:src()}},
    ["x-forwarded-method"] = {{txn.f:method()}},
    ["x-forwarded-uri"] = {{txn.f:pathq()}},
  }}
{tokens}  if CALLER then asked["retinue-caller"] = {{CALLER}} end
  local need = txn:get_var("txn.retinue_need")
  local answer = core.httpclient():get{{url = NODE .. "/v1/forward-auth/" .. need, headers = asked, timeout = 2000}}
  txn.http:req_del_header("Authorization")
  txn.http:req_del_header("Retinue-Identity")
  txn.http:req_del_header("Retinue-Caller")
{hidden}  local identity = answer and answer.status == 200 and answer.headers["retinue-identity"]
  if identity and identity[0] ~= "" then
    txn.http:req_set_header("Retinue-Identity", identity[0])
    txn.http:req_set_header("X-Forwarded-For", txn.f:src())
    return
  end
  refuse(txn, answer)
end, 0)
"""


def render(parameters: Parameters) -> dict[str, str]:
    """Return the configuration and the script. Raises ``ParametersError`` for a key in a file of its own."""
    if parameters.key is not None:
        raise ParametersError("haproxy: certificate and key stand in one file; give that as the certificate")
    # Inside double quotes, where a backslash, a dollar and a hash mean something.
    ambiguous = AMBIGUOUS.replace("\\", "\\\\").replace("$", "\\$").replace("#", "\\#")
    tls = "" if parameters.certificate is None else f" ssl crt {parameters.certificate} alpn h2,http/1.1"
    text = comment(_HEAD)
    text += _BEFORE.format(script=SCRIPT, listen=parameters.listen, tls=tls, ambiguous=ambiguous)
    for rule in parameters.ordered:
        methods = f" {{ method {' '.join(rule.methods)} }}" if rule.methods else ""
        text += _RULE.format(need=parameters.needed(rule), match=_match(rule), methods=methods)
    caller = f'assert(os.getenv("{CALLER_VARIABLE}"), "{CALLER_VARIABLE} is not set")'
    names = parameters.token_headers
    script = _SCRIPT.format(
        node=parameters.node,
        caller=caller if parameters.asks_caller else "nil",
        tokens="".join(f'  asked["{name}"] = lines(headers, "{name}")\n' for name in names),
        hidden="".join(f'  txn.http:req_del_header("{name}")\n' for name in names),
    )
    return {
        FILE: text
        + _AFTER.format(
            node=parameters.node,
            application=parameters.application,
            http2=" proto h2" if parameters.asks_http2 else "",
        ),
        SCRIPT: comment(_SCRIPT_HEAD, "--") + script,
    }


def _match(rule: Rule) -> str:
    if rule.kind == "regex":
        return f"path -m reg '{rule.regex}'"
    return f"path -m {'str' if rule.kind == 'exact' else 'beg'} {rule.path}"
