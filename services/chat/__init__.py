"""The chat service: rooms with a durable record, and files. What a call passes through, from the wire inwards:

    service                     which method is done by whom, and how its messages become bytes
    conversations, streams      Chat and WatchRoom: delivering a room to one client
    history, page_tokens        SendMessage and ListMessages
    transfers                   UploadFiles and DownloadFile
    users_client, drafts        who is the sender (asked of the user service), and what he or she posts
    writer ─► log               group commit into the record (PostgreSQL): order, history, idempotency
    rooms, readers ◄─ broker    live fan-out; what the broker (NATS) loses is read from the record
    files                       bytes as rows

`messages` and `events` are the values that travel between them; `server` wires all of it.
"""
