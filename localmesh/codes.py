"""What `localmesh check` finds, by stable codes: LM0xx are errors, the others warnings. docs/warnings.md is made of it.

A code never changes its meaning and is never given again. `istioctl` is the code under which `istioctl analyze` says
the same (1.30; "" where it is silent), and IST0133 is how it passes on what istiod's own validation warns about.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from localmesh.errors import Problem, Where


@dataclass(frozen=True, slots=True)
class Code:
    """One finding. `what` is its title; `why` says what happens, `do` how to mend it: both whole sentences."""

    code: str
    what: str
    why: str
    do: str
    istioctl: str = ""

    def at(self, where: Where, what: str, hint: str = "") -> Problem:
        """The finding at one place, in the words of that place."""
        return Problem(where, what, hint, self.code)

    @property
    def is_error(self) -> bool:
        """Whether nothing is started or changed while it stands."""
        return self.code.startswith("LM0")


# --- errors ----------------------------------------------------------------------------------------------------------

UNKNOWN_FIELD = Code(
    "LM001",
    "A field that the API does not have",
    "A cluster drops it in silence (or refuses it under strict field validation), and the policy means less than "
    "it says.",
    "Write the field that was meant: the nearest known name is given.",
)
NOT_HERE = Code(
    "LM002",
    "A field or kind that works in a cluster and not in localmesh",
    "Ignoring it would let a policy pass here that means something else there.",
    "See supported.md for the reason. Keep such documents in a folder that only the cluster is given.",
)
NO_SUCH_HOST = Code(
    "LM003",
    "A route to a host that is no service",
    "Every call on that route is answered with 503.",
    "Write the service's name, or add a ServiceEntry for a host outside of the mesh.",
    "IST0101",
)
NO_SUCH_SUBSET = Code(
    "LM004",
    "A route to a subset that no DestinationRule defines",
    "Every call on that route is answered with 503.",
    "Define the subset in the DestinationRule of the host, or correct its name.",
    "IST0101",
)
EMPTY_SUBSET = Code(
    "LM005",
    "A route to a subset that selects no pod",
    "The subset exists and has no endpoint: every call on that route is answered with 503, and nothing says why.",
    "Compare the subset's labels with those of the pods. A workload that is scaled to nothing counts as there.",
)
NO_SUCH_GATEWAY = Code(
    "LM006",
    "A VirtualService bound to a Gateway that does not exist",
    "Its routes are in no proxy.",
    "Name the Gateway as `name` (of the same namespace) or `namespace/name`.",
    "IST0101",
)

# --- routes ----------------------------------------------------------------------------------------------------------

UNREACHED_ROUTE = Code(
    "LM101",
    "A route that no call reaches",
    "Routes are tried from top to bottom, and an earlier one has no match: it takes every call.",
    "Move the route that takes everything to the end.",
    "IST0130",
)
UNREACHED_MATCH = Code(
    "LM102",
    "A match that no call reaches",
    "An earlier route asks for the same, or for a shorter prefix of it, and takes these calls.",
    "Put the narrower match first.",
    "IST0131",
)
DEPRECATED = Code(
    "LM103",
    "An older spelling",
    "It may go away, and where both are written the newer one counts.",
    "Write the newer field.",
    "IST0002",
)
IDLE_ABORT = Code(
    "LM104",
    "An abort without a status",
    "No call is aborted.",
    "Set httpStatus or grpcStatus.",
)
OLD_GATEWAY_NAME = Code(
    "LM105",
    "A gateway named as a host",
    "`name.namespace.svc.cluster.local` is the older form, and istioctl analyze does not find such a Gateway.",
    "Write namespace/name.",
    "IST0133",
)
NOT_IN_THE_MESH = Code(
    "LM106",
    "Routes for a service of the mesh that calls inside of the mesh do not take",
    "With `gateways` set and `mesh` not among them, a VirtualService acts on calls through those gateways only.",
    "Add `mesh` to gateways if callers in the mesh are meant too.",
)
NOBODY_ASKS = Code(
    "LM107",
    "A VirtualService for a host that is no service",
    "In the mesh, routes are given to known hosts only: these are in no proxy.",
    "Correct the host, or add a ServiceEntry for it.",
)
SECOND_VIRTUAL_SERVICE = Code(
    "LM108",
    "Two VirtualServices for one host in the mesh",
    "Sidecars take the oldest and leave the other out. (Gateways merge them, in an order that is easily mistaken.)",
    "Write one VirtualService per host, or delegate from one to the others.",
    "IST0109",
)
IDLE_DELEGATE = Code(
    "LM109",
    "A VirtualService without hosts that nobody delegates to",
    "It does nothing by itself.",
    "Delegate to it from a VirtualService that has hosts, or give it hosts.",
)
IMPOSSIBLE_DELEGATE = Code(
    "LM110",
    "A delegate's match that cannot hold below its root",
    "A route holds where both match, the root's and the delegate's. These exclude each other: Istio leaves it out.",
    "Let the delegate's match be a part of the root's.",
)
TRIES_BEYOND_TIMEOUT = Code(
    "LM111",
    "Tries that do not fit into the timeout",
    "The route's timeout ends the call before the last tries begin: they never happen.",
    "Let (attempts + 1) times perTryTimeout be less than timeout, or leave perTryTimeout out.",
)
RETRIED_WRITE = Code(
    "LM112",
    "A retry of a call that may have been carried out",
    "The condition also holds after the server has acted: a method that is not idempotent is carried out twice. "
    "Istio's own policy, in force where a route has no `retries` or no `retryOn`, retries unavailable and "
    "cancelled on every method.",
    "Retry only before anything was processed (connect-failure, refused-stream, reset-before-request), set "
    "attempts: 0, or give the read-only methods (Get…, List…, BatchGet…, Watch… …: judged by name) a route of "
    "their own with exact matches.",
)
NOT_AT_THE_GATEWAY = Code(
    "LM113",
    "A host that the Gateway does not serve",
    "The VirtualService is bound to a Gateway none of whose servers has this host: its routes are not there.",
    "Add the host to the Gateway's servers, in the form `namespace/host` or `*/host` if they are of another namespace.",
    "IST0132",
)

# --- destinations ----------------------------------------------------------------------------------------------------

RULE_FOR_NOBODY = Code(
    "LM201",
    "A DestinationRule for a host that is no service",
    "It is in no proxy.",
    "Correct the host, or add a ServiceEntry for it.",
)
FAILOVER_WITHOUT_HEALTH = Code(
    "LM202",
    "Locality failover without outlierDetection",
    "No endpoint is ever taken for unhealthy, so calls never move to another locality.",
    "Add outlierDetection to the same traffic policy.",
    "IST0133",
)
UNVERIFIED_SERVER = Code(
    "LM203",
    "TLS to a server without a word on whom to trust",
    "Without caCertificates or credentialName the proxy trusts the authorities of its own system: here this machine's, "
    "in a cluster those of the proxy's image.",
    "Set caCertificates or credentialName, and subjectAltNames with it.",
    "IST0128, IST0129",
)
DEAD_OUTLIER_FIELD = Code(
    "LM204",
    "consecutiveErrors, which has no effect",
    "Istio reads it no more: without the newer fields, Envoy's default of five 5xx in a row ejects.",
    "Write consecutive5xxErrors or consecutiveGatewayErrors.",
    "IST0133",
)

# --- gateways --------------------------------------------------------------------------------------------------------

CLOSED_GATEWAY = Code(
    "LM301",
    "A Gateway that no pod serves",
    "No gateway pod has the labels of its selector: nothing listens.",
    "Compare the selector with the labels of the gateway's pods.",
    "IST0101",
)
LEFT_OUT_SERVER = Code(
    "LM302",
    "Gateway servers that cannot share their port",
    "Two servers on one port of a gateway pod fit together where both are HTTP, or both are TLS with other hosts. "
    "Istio keeps the older one and leaves the other out.",
    "Give it a port of its own, or other hosts.",
    "IST0145",
)
OLD_TLS = Code(
    "LM303",
    "TLS below 1.2 without ciphers that it can use",
    "The default cipher suites are for 1.2 and above: older clients find none in common.",
    "Set cipherSuites, or leave minProtocolVersion at 1.2.",
    "IST0133",
)
CIPHER_IGNORED = Code(
    "LM304",
    "A cipher suite that is not known, or listed twice",
    "It is ignored.",
    "Use the names of BoringSSL, such as ECDHE-ECDSA-AES128-GCM-SHA256.",
    "IST0133",
)
CERTIFICATE_IGNORED = Code(
    "LM305",
    "Certificates for a server that ends no TLS",
    "PASSTHROUGH (also the default) hands the connection on as it is.",
    "Set mode: SIMPLE or MUTUAL, or leave the certificates out.",
    "IST0133",
)
REDIRECT_ON_TLS = Code(
    "LM306",
    "httpsRedirect on a server that does not speak plain HTTP",
    "There is nothing to redirect.",
    "Set it on the HTTP server of port 80.",
    "IST0133",
)

# --- security --------------------------------------------------------------------------------------------------------

DENIES_TCP = Code(
    "LM401",
    "A DENY rule that denies every connection of TCP ports",
    "On a TCP port HTTP attributes cannot be asked for. A DENY rule leaves them out, and what is left denies "
    "everything.",
    "Name the HTTP ports under to.operation.ports.",
    "IST0133",
)
SELECTS_ALL = Code(
    "LM402",
    "A selector without labels",
    "It selects every pod of the namespace.",
    "Leave the selector out if that is meant.",
    "IST0133",
)
SELECTS_NOTHING = Code(
    "LM403",
    "A policy whose selector no pod matches, or whose target no pod serves",
    "It is in force nowhere.",
    "Compare the labels with those of the pods, the target with the names of the Gateways.",
    "IST0127",
)
METHOD_IS_A_PATH = Code(
    "LM404",
    "A gRPC method written as an HTTP method",
    "`methods` are HTTP methods, and a gRPC call is a POST: the rule never matches. An ALLOW rule then allows "
    "nothing, and a DENY rule denies nothing.",
    "Write methods: [POST] and paths: [/package.Service/Method].",
)

# --- services --------------------------------------------------------------------------------------------------------

PORT_WITHOUT_PROTOCOL = Code(
    "LM501",
    "A port that names no protocol",
    "The proxy waits for the first bytes to guess it, and what it does not know it treats as TCP: no routes, no "
    "retries, no per-call balancing. Servers that speak first (databases) are delayed.",
    "Set appProtocol: grpc, or name the port grpc-….",
    "IST0118",
)
UNKNOWN_PROTOCOL = Code(
    "LM502",
    "A protocol that Istio does not know",
    "It is guessed from the first bytes, as if it were not written.",
    "Use one of grpc, grpc-web, http, http2, https, tls, tcp, mongo, mysql, redis.",
)
SERVICE_WITHOUT_PODS = Code(
    "LM503",
    "A Service whose selector matches no pod",
    "It has no endpoints: calls to it are answered with 503.",
    "Compare the selector with the labels of the pods.",
)
PARTIAL_WILDCARD = Code(
    "LM504",
    "A wildcard within a host name",
    "`*` stands for whole labels, at the beginning of a host.",
    "Write *.example.com.",
    "IST0133",
)
IDLE_SELECTOR = Code(
    "LM505",
    "A workloadSelector that is not used",
    "Only resolution STATIC looks for workloads.",
    "Set resolution: STATIC, or leave the selector out.",
    "IST0133",
)
NO_ADDRESS = Code(
    "LM506",
    "A TCP host without an address",
    "TCP carries no host name: the proxy listens at 0.0.0.0 and takes every connection to that port.",
    "Set addresses, or a protocol that carries the host (HTTP, TLS).",
    "IST0134",
)

# --- telemetry -------------------------------------------------------------------------------------------------------

SECOND_TRACING = Code(
    "LM601",
    "More than one tracing, or more than one provider in it",
    "Istio reads the first.",
    "Write one.",
    "IST0133",
)
NO_COLLECTOR = Code(
    "LM602",
    "A tracing provider whose service does not exist, or that a Sidecar hides",
    "Nothing is traced, or the spans of those workloads are lost.",
    "Deploy the collector, correct its host, or add it to the Sidecar's egress hosts.",
)

# --- sidecars --------------------------------------------------------------------------------------------------------

HTTP_POOL_ON_TCP = Code(
    "LM701",
    "HTTP limits for a port that does not speak HTTP",
    "Only the tcp part of the connection pool applies.",
    "Correct the port's protocol, or leave the http part out.",
    "IST0133",
)
HOST_LISTED_TWICE = Code(
    "LM702",
    "Egress hosts that are listed already",
    "They add nothing.",
    "Leave them out.",
    "IST0133",
)
INGRESS_TLS_IGNORED = Code(
    "LM703",
    "TLS of a Sidecar's ingress listener",
    "Istio ignores it unless its experimental flag ENABLE_TLS_ON_SIDECAR_INGRESS is set.",
    "Leave it out.",
)

# --- patches ---------------------------------------------------------------------------------------------------------

PATCHES_INTERNALS = Code(
    "LM801",
    "An EnvoyFilter",
    "It patches what Istio generates, which is no API: the next version of Istio may generate something else.",
    "Say it in another document where one can. Look at the result with localmesh config.",
    "IST0133",
)


def every() -> Iterator[Code]:
    """All codes, in their order."""
    yield from sorted((each for each in globals().values() if isinstance(each, Code)), key=lambda each: each.code)
