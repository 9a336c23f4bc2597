"""What the lock installs side by side works together."""


def test_the_exporters_modules_win_over_the_older_ones_of_xds_protos_and_envoys_load_with_them() -> None:
    from envoy.config.trace.v3 import opentelemetry_pb2
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
    from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope

    assert opentelemetry_pb2.OpenTelemetryConfig(service_name="user").service_name == "user"
    assert OTLPSpanExporter.__name__ == "OTLPSpanExporter"
    assert InstrumentationScope(name="x").name == "x"
