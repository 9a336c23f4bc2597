-- The record of every room. A room's row carries the last sequence given out; whoever appends to the room updates that
-- row in the transaction that stores the messages, so sequences are dense and become visible in their order.

CREATE TABLE rooms (
    name          text COLLATE "C" PRIMARY KEY,
    last_sequence bigint      NOT NULL DEFAULT 0,
    create_time   timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50); -- updated with every batch: room on the page keeps those updates out of the index (HOT)

CREATE TABLE messages (
    -- No foreign key to rooms: the statement that stores a message has just updated its room's row.
    room        text COLLATE "C" NOT NULL,
    sequence    bigint           NOT NULL,
    sender_id   text COLLATE "C" NOT NULL,
    message_id  text COLLATE "C" NOT NULL,
    sender_name text             NOT NULL,
    text        text             NOT NULL,
    create_time timestamptz      NOT NULL,
    PRIMARY KEY (room, sequence),
    UNIQUE (room, sender_id, message_id)
);

-- Where a first message of only a text goes.
INSERT INTO rooms (name) VALUES ('lobby');
