"""What every service needs and no service owns.

settings    environment -> frozen records, all problems at once
errors      what can go wrong, in our words (no gRPC)
status      errors <-> gRPC status and google.rpc details: the only table
identity    who the current call speaks for
deadline    how long the current call still has
drain       when streams must end, and how they say where to go on
health      grpc.health.v1, kept true by asking the stores
serve       server bootstrap, drain on SIGTERM
stopping    the server's end, also where a peer has hung
channels    client channels with the client side of the interceptors
telemetry   traces and the /metrics listener
logs        JSON lines, written off the event loop
interceptors/   what surrounds each call, both sides; their order and its reasons are told there
"""
