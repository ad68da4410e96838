"""Envoy: the filter ``ext_authz`` with the permission of each route; a whole bootstrap file."""

from __future__ import annotations

import json

from retinue.gateways.parameters import AMBIGUOUS, CALLER_VARIABLE, Parameters, Rule, comment

FILE = "envoy.yaml"

_HEAD = (
    "Envoy asks Retinue before every request: printed by `retinue gateway config envoy`, for Envoy 1.30 and newer.",
    "The permission is set for each route; a route without it is refused, as the filter's own prefix names none.",
)
_BEFORE = """
static_resources:
  listeners:
    - name: retinue
      address: {{socket_address: {{address: "{host}", port_value: {port}}}}}
      filter_chains:
        - {tls}filters:
            - name: envoy.filters.network.http_connection_manager
              typed_config:
                "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
                stat_prefix: retinue
                # The client's address is the connection's; paths have one reading; names with underscores are refused.
                use_remote_address: true
                normalize_path: true
                merge_slashes: true
                path_with_escaped_slashes_action: REJECT_REQUEST
                common_http_protocol_options: {{headers_with_underscores_action: REJECT_REQUEST}}
                # To a WebSocket alone may a connection change.
                upgrade_configs: [{{upgrade_type: websocket}}]
                route_config:
                  request_headers_to_remove: {hidden}
                  virtual_hosts:
                    - name: retinue
                      domains: ["*"]
                      # The first that fits is taken: the most exact one stands first. Without one it is 404.
                      routes:
                        # What another program may take for another place.
                        - match: {{safe_regex: {{regex: {ambiguous}}}}}
                          direct_response: {{status: 400}}
                          typed_per_filter_config:
                            envoy.filters.http.ext_authz:
                              "@type": type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthzPerRoute
                              disabled: true
"""
_RULE = """\
                        - match: {match}
                          # A stream may last: what ends it is silence, after five minutes.
                          route: {{cluster: retinue_application, timeout: 0s}}
                          typed_per_filter_config:
                            envoy.filters.http.ext_authz:
                              "@type": type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthzPerRoute
                              check_settings:
                                http_service: {service}
"""
_AFTER = """\
                http_filters:
                  # What the gateway says to the node of itself and of its client; never what a client says in its place.
                  - name: envoy.filters.http.header_mutation
                    typed_config:
                      "@type": type.googleapis.com/envoy.extensions.filters.http.header_mutation.v3.HeaderMutation
                      mutations:
                        request_mutations:
                          - remove: retinue-caller
                          - remove: retinue-identity
                          - append:
                              header: {{key: x-forwarded-for, value: "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%"}}
                              append_action: OVERWRITE_IF_EXISTS_OR_ADD
{caller}\
                  - name: envoy.filters.http.ext_authz
                    typed_config:
                      "@type": type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthz
                      failure_mode_allow: false
                      status_on_error: {{code: ServiceUnavailable}}
                      allowed_headers: {{patterns: [{{exact: x-forwarded-for, ignore_case: true}}, {{exact: user-agent, ignore_case: true}}, {{exact: retinue-caller, ignore_case: true}}{tokens}]}}
                      http_service:
                        server_uri: {{uri: "http://{node}", cluster: retinue_node, timeout: 2s}}
                        path_prefix: /v1/forward-auth/
                  - name: envoy.filters.http.router
                    typed_config:
                      "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router
  clusters:
    - name: retinue_node
      connect_timeout: 1s
      type: STRICT_DNS
      typed_extension_protocol_options:
        envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
          "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
          # A node closes a connection that is quiet for 4.6 s.
          common_http_protocol_options: {{idle_timeout: 4s}}
          explicit_http_config: {{http_protocol_options: {{}}}}
      load_assignment: {node_cluster}
    - name: retinue_application
      connect_timeout: 2s
      type: STRICT_DNS
      load_assignment: {application_cluster}
{http2}"""
#: How the application is asked by HTTP/2.
_HTTP2 = {
    "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
        "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        "explicit_http_config": {"http2_protocol_options": {}},
    }
}
_CALLER = """\
                          - append:
                              header: {{key: retinue-caller, value: "%ENVIRONMENT({variable})%"}}
                              append_action: OVERWRITE_IF_EXISTS_OR_ADD
"""
_TOLD = ("content-type", "www-authenticate", "retinue-error", "retry-after", "cache-control")
_WARNINGS = ("retinue-token-expires", "retinue-token-retires", "retinue-token-rotate-by")


def render(parameters: Parameters) -> dict[str, str]:
    """Return the one file."""
    ambiguous = json.dumps(f".*(?:{AMBIGUOUS}).*")
    hidden = ("authorization", "retinue-caller", *parameters.token_headers)
    text = comment(_HEAD)
    text += _BEFORE.format(
        host=parameters.listen.bare,
        port=parameters.listen.port,
        tls=_tls(parameters),
        ambiguous=ambiguous,
        hidden=", ".join(hidden).join("[]"),
    )
    for rule in parameters.ordered:
        service = json.dumps(_service(parameters, rule))
        text += _RULE.format(match=json.dumps(_match(rule)), service=service)
    text += _AFTER.format(
        node=parameters.node,
        tokens="".join(f", {{exact: {name}, ignore_case: true}}" for name in parameters.token_headers),
        caller=_CALLER.format(variable=CALLER_VARIABLE) if parameters.asks_caller else "",
        node_cluster=json.dumps(_cluster("retinue_node", parameters.node.bare, parameters.node.port)),
        application_cluster=json.dumps(
            _cluster("retinue_application", parameters.application.bare, parameters.application.port)
        ),
        http2=f"      typed_extension_protocol_options: {json.dumps(_HTTP2)}\n"
        if parameters.asks_http2
        else "",
    )
    return {FILE: text}


def _service(parameters: Parameters, rule: Rule) -> dict[str, object]:
    """What the filter asks for one rule, and which fields of the answer go on, and where to."""
    return {
        "server_uri": {"uri": f"http://{parameters.node}", "cluster": "retinue_node", "timeout": "2s"},
        "path_prefix": parameters.asked(rule),
        "authorization_response": {
            "allowed_upstream_headers": _fields("retinue-identity"),
            "allowed_client_headers": _fields(*_TOLD),
            "allowed_client_headers_on_success": _fields(*_WARNINGS),
        },
    }


def _tls(parameters: Parameters) -> str:
    pair = parameters.pair()
    if pair is None:
        return ""
    files = {"certificate_chain": {"filename": pair[0]}, "private_key": {"filename": pair[1]}}
    context = {
        "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
        "common_tls_context": {"alpn_protocols": ["h2", "http/1.1"], "tls_certificates": [files]},
    }
    socket = {"name": "envoy.transport_sockets.tls", "typed_config": context}
    return f"transport_socket: {json.dumps(socket)}\n          "


def _fields(*names: str) -> dict[str, object]:
    return {"patterns": [{"exact": name, "ignore_case": True} for name in names]}


def _match(rule: Rule) -> dict[str, object]:
    match: dict[str, object]
    if rule.kind == "regex":
        whole = rule.regex.removeprefix("^")
        match = {"safe_regex": {"regex": whole.removesuffix("$") if whole.endswith("$") else whole + ".*"}}
    else:
        match = {"path" if rule.kind == "exact" else "prefix": rule.path}
    if rule.methods:
        methods = "|".join(rule.methods)
        match["headers"] = [{"name": ":method", "string_match": {"safe_regex": {"regex": methods}}}]
    return match


def _cluster(name: str, host: str, port: int) -> dict[str, object]:
    address = {"socket_address": {"address": host, "port_value": port}}
    return {"cluster_name": name, "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address}}]}]}
