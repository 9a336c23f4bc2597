"""A normal form of Envoy configuration, for istiod's output and ours alike: small, readable, and complete.

It leaves out what LEFT_OUT names, each for its reason. Everything else is compared; what has the value that it always
has (USUAL, DEFAULTS) is not written down, and appears as soon as it differs.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any

Json = Any

# Fields that say nothing about what happens to a call.
LEFT_OUT = {
    "alt_stat_name": "a name: of statistics",
    "stat_prefix": "a name: of statistics",
    "decorator": "a name: of spans",
    "service_name": "a name: of spans; istiod takes it from the node, which the harness left nameless",
    "metadata": "what telemetry calls things; the VirtualService that a route came from",
    "filter_metadata.istio": "what telemetry calls things",
}

# What every resource of a kind has, by message and field.
USUAL: dict[str, dict[str, Json]] = {
    "HttpConnectionManager": {
        "normalize_path": True,
        "path_with_escaped_slashes_action": "KEEP_UNCHANGED",
        "proxy_100_continue": True,
        "stream_idle_timeout": "0s",
        "upgrade_configs": [{"upgrade_type": "websocket"}],
        "request_id_extension": {
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.request_id.uuid.v3.UuidRequestIdConfig",
                "use_request_id_for_trace_sampling": True,
            }
        },
    },
    "RBAC": {"shadow_rules_stat_prefix": "istio_dry_run_allow_"},
    "RouteConfiguration": {
        "ignore_port_in_host_matching": True,
        "max_direct_response_body_size_bytes": 1048576,
        "validate_clusters": False,
    },
    "VirtualHost": {"include_request_attempt_count": True},
    "Cluster": {
        "connect_timeout": "10s",
        "common_lb_config": {},
        "circuit_breakers": {
            "thresholds": [
                {
                    "max_connections": 4294967295,
                    "max_pending_requests": 4294967295,
                    "max_requests": 4294967295,
                    "max_retries": 4294967295,
                }
            ]
        },
    },
    "Listener": {"listener_filters_timeout": "0s", "continue_on_listener_filters_timeout": True},
    "FilterChain": {"transport_socket_connect_timeout": "15s", "filter_chain_match": {}},
    "LbEndpoint": {"health_status": "HEALTHY", "load_balancing_weight": 1},
    "RouteMatch": {"case_sensitive": True},
    "RouteAction": {"timeout": "0s", "max_grpc_timeout": "0s"},
}
_SDS = {
    "api_config_source": {
        "api_type": "GRPC",
        "grpc_services": [{"envoy_grpc": {"cluster_name": "sds-grpc"}}],
        "set_node_on_first_message_only": True,
        "transport_api_version": "V3",
    },
    "initial_fetch_timeout": "0s",
    "resource_api_version": "V3",
}
# The same for file roots and gateways, whose absence Envoy does not wait for without end.
_SDS_OTHER = {key: value for key, value in _SDS.items() if key != "initial_fetch_timeout"}
_ADS = {"ads": {}, "initial_fetch_timeout": "0s", "resource_api_version": "V3"}
_USUAL_RETRY = {
    "host_selection_retry_max_attempts": "5",
    "num_retries": 2,
    "retry_host_predicate": [{"PreviousHostsPredicate": {}}],
    "retry_on": "connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes",
}
_USUAL_HTTP_FILTERS = [
    {"FilterConfig": {"emit_filter_state": True, "stats_for_all_methods": False}},
    {"HTTPFault": {}},
    {"Cors": {}},
    {"Router": {}},
]
_CLIENT_PARAMS = {"tls_maximum_protocol_version": "TLSv1_3", "tls_minimum_protocol_version": "TLSv1_2"}
_SERVER_PARAMS = {
    "cipher_suites": [
        "ECDHE-ECDSA-AES256-GCM-SHA384",
        "ECDHE-RSA-AES256-GCM-SHA384",
        "ECDHE-ECDSA-AES128-GCM-SHA256",
        "ECDHE-RSA-AES128-GCM-SHA256",
        "AES256-GCM-SHA384",
        "AES128-GCM-SHA256",
    ],
    **_CLIENT_PARAMS,
}
# Texts that only have to be the same.
_LONG = 120


def normal(dump: Mapping[str, list[Json]]) -> dict[str, dict[str, Json]]:
    """One proxy's configuration, each kind by the names of its resources."""
    return {
        "listeners": {one["name"]: _listener(one) for one in dump["listeners"]},
        "routes": {one["name"]: _routes(one) for one in dump["routes"]},
        "clusters": {one["name"]: _cluster(one) for one in dump["clusters"]},
        "endpoints": {one["cluster_name"]: _endpoints(one) for one in dump["endpoints"]},
    }


def _listener(one: Json) -> Json:
    address = one["address"]["socket_address"]
    made = _plain("Listener", one, "name", "address", "filter_chains", "default_filter_chain")
    chains = [_chain(chain) for chain in one["filter_chains"]]
    if "default_filter_chain" in one:
        chains.append({"default": True, **_chain(one["default_filter_chain"])})
    return {"at": f"{address['address']}:{address['port_value']}", **made, "chains": chains}


def _chain(chain: Json) -> Json:
    made = _plain("FilterChain", chain, "name", "filters")
    return {**made, "filters": [_value(one) for one in chain["filters"]]}


def _routes(one: Json) -> Json:
    made = _plain("RouteConfiguration", one, "name", "virtual_hosts")
    return {**made, **{host["name"]: _virtual_host(host) for host in one["virtual_hosts"]}}


def _virtual_host(host: Json) -> Json:
    made = _plain("VirtualHost", host, "name", "domains", "routes")
    return {"domains": sorted(host["domains"]), **made, "routes": [_route(one) for one in host.get("routes", [])]}


def _route(one: Json) -> Json:
    made = _plain("Route", one, "match", "route")
    made["match"] = _plain("RouteMatch", one["match"])
    if "route" in one:
        action = _plain("RouteAction", one["route"])
        if action.get("retry_policy") == _USUAL_RETRY:
            action["retry_policy"] = "usual"
        made["route"] = action
    return made


def _cluster(one: Json) -> Json:
    made = _plain("Cluster", one, "name", "load_assignment")
    eds = made.pop("eds_cluster_config", None)
    if eds is not None and one["eds_cluster_config"] != {"eds_config": _ADS, "service_name": one["name"]}:
        made["eds_cluster_config"] = eds
    options = made.pop("typed_extension_protocol_options", {})
    for inner in options.values():
        made |= inner
    if "load_assignment" in one:
        made["load_assignment"] = _endpoints(one["load_assignment"])
    return made


def _endpoints(one: Json) -> Json:
    made = _plain("ClusterLoadAssignment", one, "cluster_name", "endpoints")
    return {**made, "localities": [_locality(place) for place in one.get("endpoints", [])]}


def _locality(place: Json) -> Json:
    made = _plain("LocalityLbEndpoints", place, "lb_endpoints")
    return {**made, "lb_endpoints": [_endpoint(one) for one in place.get("lb_endpoints", [])]}


def _endpoint(one: Json) -> Json:
    address = one["endpoint"]["address"]
    made = _plain("LbEndpoint", one, "endpoint", "metadata")
    where = address.get("pipe", {}).get("path") or "{address}:{port_value}".format(**address["socket_address"])
    mtls = one.get("metadata", {}).get("filter_metadata", {}).get("envoy.transport_socket_match", {})
    return {"at": where, **made, **mtls} if made or mtls != {"tlsMode": "istio"} else f"{where} mtls"


def _plain(kind: str, one: Json, *elsewhere: str) -> dict[str, Json]:
    """The message's fields in normal form, without the usual ones and those that the caller writes."""
    usual = USUAL.get(kind, {})
    return {
        key: _value(value, key)
        for key, value in one.items()
        if key not in elsewhere and key not in LEFT_OUT and (key not in usual or usual[key] != value)
    }


def _value(value: Json, key: str = "") -> Json:
    if isinstance(value, list):
        items = [_value(one) for one in value]
        return sorted(items, key=json.dumps) if key in {"query_parameters", "custom_tags"} else items
    if isinstance(value, str):
        return _text(value, key)
    if not isinstance(value, dict):
        return value
    if value in (_SDS, _SDS_OTHER):
        return "sds"
    if value == _ADS:
        return "ads"
    if set(value) == {"name", "sds_config"}:
        return f"sds {value['name']}" if _value(value["sds_config"]) == "sds" else _plain("", value)
    if "typed_config" in value:
        inner = _value(value["typed_config"])
        rest = _plain("", value, "typed_config", "name")
        return {**rest, **inner}
    if "@type" in value:
        kind = value["@type"].rpartition(".")[2]
        body = {name: one for name, one in value.items() if name != "@type"}
        return {kind: _SPECIAL[kind](body) if kind in _SPECIAL else _plain(kind, body)}
    return _plain("", value)


def _text(value: str, key: str) -> str:
    if key == "retry_on":
        # An empty word in the list says nothing.
        return ",".join(word for word in value.split(",") if word)
    if key == "inline_string" and value.lstrip().startswith("{"):
        value = json.dumps(json.loads(value), sort_keys=True)
    if len(value) > _LONG:
        return f"#{hashlib.sha256(value.encode()).hexdigest()[:12]}"
    return value


def _manager(body: Json) -> Json:
    made = _plain("HttpConnectionManager", body, "route_config", "tracing")
    filters = made.get("http_filters", [])
    if filters[-len(_USUAL_HTTP_FILTERS) :] == _USUAL_HTTP_FILTERS:
        made["http_filters"] = [*filters[: -len(_USUAL_HTTP_FILTERS)], "usual"]
    if "tracing" in body:
        made["tracing"] = _tracing(body["tracing"])
    if "rds" in made:
        made["rds"] = made["rds"]["route_config_name"] if made["rds"].get("config_source") == "ads" else made["rds"]
    if "route_config" in body:
        made["route_config"] = {"name": body["route_config"]["name"], **_routes(body["route_config"])}
    return made


def _tracing(body: Json) -> Json:
    """Sampling and tags; each tag by its name and what it is taken from."""
    made = _plain("", body, "custom_tags")
    tags = {}
    for tag in body.get("custom_tags", []):
        source = {key: value for key, value in tag.items() if key != "tag"}
        tags[tag["tag"]] = json.dumps(source, sort_keys=True)
    percents = {key: value["value"] for key, value in made.items() if isinstance(value, dict) and "value" in value}
    made |= {"sampling": percents.pop("random_sampling", 0), **percents}
    if percents == {"client_sampling": 100, "overall_sampling": 100}:
        del made["client_sampling"], made["overall_sampling"]
    made.pop("random_sampling", None)
    return {**made, "tags": _text(json.dumps(tags, sort_keys=True), "")}


def _file_log(body: Json) -> Json:
    made = _plain("", body)
    form = made.get("log_format")
    if isinstance(form, dict) and set(form) == {"text_format_source"}:
        made["log_format"] = form["text_format_source"].get("inline_string")
    return " ".join(made[key] for key in sorted(made)) if all(isinstance(one, str) for one in made.values()) else made


def _tls(usual_params: Json) -> Callable[[Json], Json]:
    """A TLS context in few words: the certificate, whom it believes, and the rest."""

    def shortened(body: Json) -> Json:
        made = _plain("", body)
        common = made.pop("common_tls_context")
        if common.get("tls_params") == usual_params:
            common["tls_params"] = "usual"
        checks = common.pop("combined_validation_context", None)
        if checks is not None:
            common["believes"] = checks.pop("validation_context_sds_secret_config")
            believed = checks.pop("default_validation_context", {})
            common |= {"names": believed.pop("match_subject_alt_names", []), **believed, **checks}
        return {**made, **common}

    return shortened


_SPECIAL: dict[str, Callable[[Json], Json]] = {
    "HttpConnectionManager": _manager,
    "FileAccessLog": _file_log,
    "UpstreamTlsContext": _tls(_CLIENT_PARAMS),
    "DownstreamTlsContext": _tls(_SERVER_PARAMS),
}
