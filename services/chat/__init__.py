"""The chat service: rooms with a durable record, and files.

What a call passes through:

    service, conversations, files_service   protobuf in, protobuf out
    users_client                            who is the sender? asked of the user service
    writer ─► log                           group commit into the record (PostgreSQL): order, history, idempotency
    rooms  ◄─ broker                        live fan-out; what the broker (NATS) loses is read from the record
    files                                   bytes as rows
"""
