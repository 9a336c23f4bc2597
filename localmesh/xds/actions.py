"""What happens to a request that a route catches: forward, redirect, answer; and the faults and CORS of that route."""

from envoy.config.core.v3 import base_pb2
from envoy.config.route.v3 import route_components_pb2 as routes
from envoy.extensions.filters.common.fault.v3 import fault_pb2 as common_fault_pb2
from envoy.extensions.filters.http.cors.v3 import cors_pb2
from envoy.extensions.filters.http.fault.v3 import fault_pb2
from envoy.extensions.retry.host.previous_hosts.v3 import previous_hosts_pb2
from envoy.extensions.retry.priority.previous_priorities.v3 import previous_priorities_config_pb2
from envoy.type.matcher.v3 import regex_pb2
from envoy.type.v3 import percent_pb2
from google.protobuf import duration_pb2
from google.rpc import code_pb2

from localmesh.mesh.routes import (
    Cors,
    Fault,
    Forward,
    HeaderOps,
    Mirror,
    Redirect,
    Respond,
    Retry,
    Rewrite,
    WeightedTarget,
)
from localmesh.mesh.upstreams import HashOn
from localmesh.xds import names
from localmesh.xds.wire import (
    boolean,
    comma_separated,
    duration,
    hundredths,
    millionths,
    pack,
    regex,
    text,
    uint32,
)

_Action = routes.RouteAction

_REDIRECT_CODES = {
    301: routes.RedirectAction.MOVED_PERMANENTLY,
    302: routes.RedirectAction.FOUND,
    303: routes.RedirectAction.SEE_OTHER,
    307: routes.RedirectAction.TEMPORARY_REDIRECT,
    308: routes.RedirectAction.PERMANENT_REDIRECT,
}
_PREVIOUS_HOSTS = routes.RetryPolicy.RetryHostPredicate(
    name="envoy.retry_host_predicates.previous_hosts",
    typed_config=pack(previous_hosts_pb2.PreviousHostsPredicate()),
)
_PREVIOUS_PRIORITIES = routes.RetryPolicy.RetryPriority(
    name="envoy.retry_priorities.previous_priorities",
    typed_config=pack(previous_priorities_config_pb2.PreviousPrioritiesConfig(update_frequency=2)),
)
# How often another host is looked for when the balancer offers one that was tried already.
HOST_SELECTIONS = 5


def forward(action: Forward) -> routes.RouteAction:
    """To one cluster, or to several by weight. A gRPC client's own deadline never lengthens the route's."""
    limit = duration(action.timeout) or duration_pb2.Duration()
    made = _Action(
        timeout=limit,
        max_grpc_timeout=limit,
        retry_policy=_retry(action.retry),
        hash_policy=[_hash(action.hash_on)] if action.hash_on else [],
        request_mirror_policies=[_mirror(one) for one in action.mirrors],
        cluster_not_found_response_code=_Action.INTERNAL_SERVER_ERROR if action.unknown_is_500 else None,
    )
    # Weight 0 is a destination that stands alone; one that is left of several is still written with its weight.
    if len(action.targets) == 1 and not action.targets[0].weight:
        made.cluster = names.target_cluster(action.targets[0].target)
    else:
        made.weighted_clusters.CopyFrom(routes.WeightedCluster(clusters=[_weighted(one) for one in action.targets]))
    if action.rewrite is not None:
        _rewrite(made, action.rewrite)
    return made


def _weighted(one: WeightedTarget) -> routes.WeightedCluster.ClusterWeight:
    return routes.WeightedCluster.ClusterWeight(
        name=names.target_cluster(one.target),
        weight=uint32(one.weight),
        request_headers_to_add=headers_to_add(one.request_headers),
        request_headers_to_remove=one.request_headers.remove,
        response_headers_to_add=headers_to_add(one.response_headers),
        response_headers_to_remove=one.response_headers.remove,
    )


def headers_to_add(ops: HeaderOps) -> list[base_pb2.HeaderValueOption]:
    """Headers that are set (in place of what is there, by name) and then those that are added."""
    replace = base_pb2.HeaderValueOption.OVERWRITE_IF_EXISTS_OR_ADD
    return [
        base_pb2.HeaderValueOption(header=base_pb2.HeaderValue(key=key, value=value), append_action=replace)
        for key, value in sorted(ops.set)
    ] + [
        base_pb2.HeaderValueOption(header=base_pb2.HeaderValue(key=key, value=value)) for key, value in sorted(ops.add)
    ]


def _rewrite(made: routes.RouteAction, rewrite: Rewrite) -> None:
    if rewrite.path is not None:
        made.prefix_rewrite = rewrite.path
    if rewrite.regex is not None:
        made.regex_rewrite.CopyFrom(
            regex_pb2.RegexMatchAndSubstitute(pattern=regex(rewrite.regex), substitution=rewrite.regex_substitution)
        )
    if rewrite.authority is not None:
        made.host_rewrite_literal = rewrite.authority


def _retry(retry: Retry | None) -> routes.RetryPolicy | None:
    if retry is None or retry.attempts == 0:
        return None
    backoff = None
    if retry.backoff is not None:
        backoff = routes.RetryPolicy.RetryBackOff(base_interval=duration(retry.backoff))
    return routes.RetryPolicy(
        retry_on=comma_separated(retry.on),
        num_retries=uint32(retry.attempts),
        per_try_timeout=duration(retry.per_try_timeout),
        retriable_status_codes=retry.status_codes,
        retry_back_off=backoff,
        retry_host_predicate=[_PREVIOUS_HOSTS] if retry.ignore_previous_hosts else [],
        retry_priority=_PREVIOUS_PRIORITIES if retry.remote_localities else None,
        host_selection_retry_max_attempts=HOST_SELECTIONS,
    )


def _hash(on: HashOn) -> routes.RouteAction.HashPolicy:
    policy = _Action.HashPolicy
    if on.header is not None:
        return policy(header=policy.Header(header_name=on.header))
    if on.cookie is not None:
        return policy(cookie=policy.Cookie(name=on.cookie, path=on.cookie_path, ttl=duration(on.cookie_ttl)))
    if on.query_parameter is not None:
        return policy(query_parameter=policy.QueryParameter(name=on.query_parameter))
    return policy(connection_properties=policy.ConnectionProperties(source_ip=True))


def _mirror(mirror: Mirror) -> routes.RouteAction.RequestMirrorPolicy:
    share = hundredths(int(mirror.percent)) if mirror.percent_is_whole else millionths(mirror.percent)
    return _Action.RequestMirrorPolicy(
        cluster=names.target_cluster(mirror.target),
        runtime_fraction=base_pb2.RuntimeFractionalPercent(default_value=share),
        trace_sampled=boolean(False),
        disable_shadow_host_suffix_append=True,
    )


def redirect(action: Redirect, port: int) -> routes.RedirectAction:
    """An answer that sends the client elsewhere; `port` is the one that the request came to."""
    made = routes.RedirectAction(
        host_redirect=action.authority or "",
        response_code=_REDIRECT_CODES[action.code],
    )
    if action.scheme:
        made.scheme_redirect = action.scheme
    if action.path_prefix is not None:
        made.prefix_rewrite = action.path_prefix
    else:
        made.path_redirect = action.path or ""
    if action.port:
        made.port_redirect = action.port
    return made


def respond(action: Respond) -> routes.DirectResponseAction:
    """An answer from here."""
    body = None
    if isinstance(action.body, bytes):
        body = base_pb2.DataSource(inline_bytes=action.body)
    elif action.body is not None:
        body = base_pb2.DataSource(inline_string=action.body)
    return routes.DirectResponseAction(status=action.status, body=body)


def fault(one: Fault) -> fault_pb2.HTTPFault:
    """Delays and aborts. A delay without a percentage never fires; Istio writes zero for it."""
    return fault_pb2.HTTPFault(delay=_delay(one), abort=_abort(one))


def _delay(one: Fault) -> common_fault_pb2.FaultDelay | None:
    if one.delay is None:
        return None
    share = percent_pb2.FractionalPercent()
    if one.delay_percent is not None:
        share = millionths(one.delay_percent)
        if one.delay_percent_is_whole:
            share = hundredths(int(one.delay_percent))
    return common_fault_pb2.FaultDelay(fixed_delay=duration(one.delay), percentage=share)


def _abort(one: Fault) -> fault_pb2.FaultAbort | None:
    share = None if one.abort_percent is None else millionths(one.abort_percent)
    if one.abort_http is not None:
        return fault_pb2.FaultAbort(http_status=one.abort_http, percentage=share)
    if one.abort_grpc is not None:
        return fault_pb2.FaultAbort(grpc_status=code_pb2.Code.Value(one.abort_grpc), percentage=share)
    return None


def cors(one: Cors) -> cors_pb2.CorsPolicy:
    """Who may call from a browser page. Preflights that match nobody go on to the app unless told otherwise."""
    everyone = base_pb2.RuntimeFractionalPercent(default_value=hundredths(100))
    return cors_pb2.CorsPolicy(
        allow_origin_string_match=[text(origin) for origin in one.allow_origins],
        allow_methods=comma_separated(one.allow_methods),
        allow_headers=comma_separated(one.allow_headers),
        expose_headers=comma_separated(one.expose_headers),
        max_age="" if one.max_age is None else str(int(one.max_age)),
        allow_credentials=boolean(one.allow_credentials),
        forward_not_matching_preflights=boolean(one.unmatched_preflights != "IGNORE"),
        filter_enabled=everyone,
    )
