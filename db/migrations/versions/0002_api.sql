-- Who may use the HTTP API, and who is told of refusals.

-- Of a token only its SHA-256 is kept. `seller_id` null: for every seller.
create table api_tokens (
    id integer generated always as identity primary key,
    name text not null unique check (name ~ '^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$'),
    hash bytea not null unique check (length(hash) = 32),
    scopes text[] not null check (scopes <@ '{refusals:read,refusals:write}' and cardinality(scopes) > 0),
    seller_id integer references sellers,
    created_at timestamptz not null default clock_timestamp(),
    created_by text not null,
    expires_at timestamptz,
    revoked_at timestamptz
);

-- `secret` signs what is sent, so it is kept in clear. A webhook that was removed is never used again; its deliveries stay.
create table webhooks (
    id integer generated always as identity primary key,
    name text not null check (name ~ '^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$'),
    url text not null check (length(url) between 8 and 2000),
    secret text not null check (length(secret) between 16 and 200),
    seller_id integer references sellers, -- null: refusals to any seller
    created_at timestamptz not null default clock_timestamp(),
    created_by text not null,
    removed_at timestamptz
);
create unique index webhooks_name on webhooks (name) where removed_at is null;

-- One row a webhook and refusal, written in the transaction that records the refusal. Dead: given up, until a person asks again.
-- `trying_since`: when its time began, at first when it was written, then when a person asked again.
create table webhook_deliveries (
    id bigint generated always as identity primary key,
    webhook_id integer not null references webhooks,
    refusal_id bigint not null,
    created_at timestamptz not null default clock_timestamp(),
    trying_since timestamptz not null default clock_timestamp(),
    tries integer not null default 0,
    next_at timestamptz not null default clock_timestamp(),
    delivered_at timestamptz,
    dead_at timestamptz,
    last_status integer,
    last_error text,
    unique (webhook_id, refusal_id),
    check (delivered_at is null or dead_at is null)
);
create index webhook_deliveries_due on webhook_deliveries (webhook_id, next_at) where delivered_at is null and dead_at is null;
create index webhook_deliveries_dead on webhook_deliveries (webhook_id, id) where dead_at is not null;

create function refusals_told() returns trigger language plpgsql as $$
begin
    insert into webhook_deliveries (webhook_id, refusal_id)
        select w.id, r.id
        from added r join webhooks w on w.removed_at is null and (w.seller_id is null or r.seller_id is null or w.seller_id = r.seller_id)
        order by r.id;
    if found then
        perform pg_notify('heedline_webhook', '');
    end if;
    return null;
end
$$;
create trigger told after insert on refusals referencing new table as added
    for each statement execute function refusals_told();

grant select, insert on api_tokens, webhooks, webhook_deliveries to heedline_service;
grant update (revoked_at) on api_tokens to heedline_service;
grant update (removed_at) on webhooks to heedline_service;
grant update (trying_since, tries, next_at, delivered_at, dead_at, last_status, last_error), delete on webhook_deliveries to heedline_service;
