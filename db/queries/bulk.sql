-- name: patience
-- An import may take minutes, and reading the file lets the transaction lie idle meanwhile.
select set_config('statement_timeout', '0', true), set_config('idle_in_transaction_session_timeout', '0', true)

-- name: sellers_table
create temporary table incoming_sellers (code text, name text, industry text) on commit drop

-- name: sellers_put
with added as (
    insert into sellers (code, name, industry)
    select distinct on (code) code, name, industry from incoming_sellers order by code
    on conflict (code) do nothing
    returning 1
)
select (select count(*) from incoming_sellers) as rows, (select count(*) from added) as added

-- name: numbers_table
create temporary table incoming_numbers (trunk text, number text, holder text, seller text, use text) on commit drop

-- name: numbers_put
with added as (
    insert into presented_numbers (trunk_id, number, seller_id, holder, use)
    select distinct on (t.id, i.number, s.id) t.id, i.number, s.id, i.holder, i.use
    from incoming_numbers i join trunks t on t.name = i.trunk left join sellers s on s.code = i.seller
    where i.seller is null or s.id is not null
    order by t.id, i.number, s.id
    on conflict (trunk_id, number, seller_id) do nothing
    returning 1
)
select (select count(*) from incoming_numbers) as rows, (select count(*) from added) as added

-- name: listed_table
create temporary table incoming_listed (number bigint) on commit drop

-- name: listed_id
select nextval(pg_get_serial_sequence('suppression_imports', 'id'))::integer

-- name: listed_put
with added as (
    insert into suppressed_numbers (number, import_id) select distinct number, $1::integer from incoming_listed
    returning 1
)
select (select count(*) from incoming_listed) as rows, (select count(*) from added) as added

-- name: listed_import
insert into suppression_imports (id, list_id, as_of, entries, sha256) overriding system value values ($1, $2, $3, $4, $5)
