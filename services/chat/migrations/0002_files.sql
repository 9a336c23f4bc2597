-- Files as rows of bytes. A file and its chunks are stored by one transaction: a file that can be seen is whole.

CREATE TABLE files (
    id           uuid PRIMARY KEY,
    name         text        NOT NULL,
    content_type text        NOT NULL,
    size         bigint      NOT NULL,
    sha256       text        NOT NULL,
    owner_id     text        NOT NULL,
    create_time  timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE file_chunks (
    file_id uuid   NOT NULL,
    start   bigint NOT NULL, -- the offset of the chunk's first byte
    data    bytea  NOT NULL,
    PRIMARY KEY (file_id, start)
);

-- Files are mostly compressed already: trying again would only cost time.
ALTER TABLE file_chunks ALTER COLUMN data SET STORAGE EXTERNAL;
