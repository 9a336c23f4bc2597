"""How plain values are written in protobuf: durations, wrapped numbers, and messages packed into `Any`.

`None` stays `None`: the protobuf constructors take it as "not set", which is what our model means by it.
"""

from collections.abc import Iterable
from functools import cache

from envoy.config.core.v3 import address_pb2, config_source_pb2
from envoy.type.matcher.v3 import regex_pb2, string_pb2
from envoy.type.v3 import percent_pb2
from google.protobuf import any_pb2, duration_pb2, wrappers_pb2
from google.protobuf.message import Message

from localmesh.mesh.identity import Seconds
from localmesh.mesh.routes import Text, TextMatch

NANOSECONDS = 1_000_000_000


def pack(message: Message) -> any_pb2.Any:
    """The message as an `Any`, the same bytes for the same content."""
    packed = any_pb2.Any()
    packed.Pack(message, deterministic=True)
    return packed


def duration(seconds: Seconds | None) -> duration_pb2.Duration | None:
    """Seconds as a Duration, exact to the nanosecond."""
    if seconds is None:
        return None
    whole = int(seconds)
    return duration_pb2.Duration(seconds=whole, nanos=round((seconds - whole) * NANOSECONDS))


def uint32(number: int | None) -> wrappers_pb2.UInt32Value | None:
    """A number that knows whether it is set."""
    return None if number is None else wrappers_pb2.UInt32Value(value=number)


def uint64(number: int | None) -> wrappers_pb2.UInt64Value | None:
    """A large number that knows whether it is set."""
    return None if number is None else wrappers_pb2.UInt64Value(value=number)


def boolean(value: bool | None) -> wrappers_pb2.BoolValue | None:
    """A truth value that knows whether it is set."""
    return None if value is None else wrappers_pb2.BoolValue(value=value)


def millionths(percent: float) -> percent_pb2.FractionalPercent:
    """A percentage as Istio writes `percentage`: in millionths."""
    return percent_pb2.FractionalPercent(
        numerator=int(percent * 10_000), denominator=percent_pb2.FractionalPercent.MILLION
    )


def hundredths(percent: int) -> percent_pb2.FractionalPercent:
    """A whole percentage."""
    return percent_pb2.FractionalPercent(numerator=percent)


def regex(pattern: str) -> regex_pb2.RegexMatcher:
    """An RE2 pattern that must match the whole text."""
    return regex_pb2.RegexMatcher(regex=pattern)


def text(match: TextMatch, ignore_case: bool = False) -> string_pb2.StringMatcher:
    """A comparison of texts. PRESENT is not one of them: each place has its own word for it."""
    if match.how is Text.REGEX:
        return string_pb2.StringMatcher(safe_regex=regex(match.value), ignore_case=ignore_case)
    if match.how is Text.PREFIX:
        return string_pb2.StringMatcher(prefix=match.value, ignore_case=ignore_case)
    return string_pb2.StringMatcher(exact=match.value, ignore_case=ignore_case)


@cache
def ads() -> config_source_pb2.ConfigSource:
    """This resource comes over the one stream of the control plane; its listener waits for it without limit."""
    return config_source_pb2.ConfigSource(
        ads=config_source_pb2.AggregatedConfigSource(),
        initial_fetch_timeout=duration_pb2.Duration(),
        resource_api_version=config_source_pb2.V3,
    )


def socket_address(address: str, port: int) -> address_pb2.Address:
    """An IP address or host name and a port."""
    return address_pb2.Address(socket_address=address_pb2.SocketAddress(address=address, port_value=port))


def pipe(path: str) -> address_pb2.Address:
    """A Unix socket."""
    return address_pb2.Address(pipe=address_pb2.Pipe(path=path))


def cidr(block: str) -> address_pb2.CidrRange:
    """`10.0.0.0/8`, or one address."""
    address, _, length = block.partition("/")
    full = 128 if ":" in address else 32
    return address_pb2.CidrRange(address_prefix=address, prefix_len=uint32(int(length) if length else full))


def comma_separated(values: Iterable[str]) -> str:
    """A list as HTTP headers write it."""
    return ",".join(values)
