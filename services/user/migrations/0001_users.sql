-- Ids are UUIDs of version 7, so that the primary key is also the order of creation.
create table users (
    id         uuid        primary key default uuidv7(),
    name       text        not null,
    email      text        not null,
    -- What is compared: the name and the e-mail without regard to case. "C" so that a prefix is a range of the index.
    name_key   text        not null collate "C",
    email_key  text        not null collate "C",
    created_at timestamptz not null default statement_timestamp(),
    updated_at timestamptz not null default statement_timestamp(),
    -- Rises with every change: the etag.
    version    bigint      not null default 1,
    constraint users_email_key unique (email_key)
);

create index users_name_key on users (name_key);

-- What a request_id has made, and of what: a repeat is known on every replica. It goes with its user, and the id may then
-- make another one.
create table create_requests (
    request_id uuid primary key,
    user_id    uuid not null references users (id) on delete cascade,
    name       text not null,
    email      text not null
);

create index create_requests_user_id on create_requests (user_id);
