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
create temporary table incoming_numbers (trunk text, number text, holder text, seller text, use text, payload text) on commit drop

-- name: numbers_put
with wanted as materialized (
    select distinct on (t.id, i.number, s.id) t.id as trunk_id, i.number, s.id as seller_id, i.holder, i.use, i.payload
    from incoming_numbers i join trunks t on t.name = i.trunk left join sellers s on s.code = i.seller
    where i.seller is null or s.id is not null
    order by t.id, i.number, s.id
), added as (
    insert into presented_numbers (trunk_id, number, seller_id, holder, use)
    select trunk_id, number, seller_id, holder, use from wanted
    on conflict (trunk_id, number, seller_id) do nothing
    returning trunk_id, number, seller_id
), entries as materialized (
    select nextval('evidence_id_seq') as entry, uuid_send(gen_random_uuid()) as salt, a.trunk_id, w.payload
    from added a join wanted w
        on w.trunk_id = a.trunk_id and w.number = a.number and w.seller_id is not distinct from a.seller_id
), said as (
    insert into evidence (id, at, kind, subject, commitment) overriding system value
    select entry, $1, 'number.added', trunk_id, sha256(salt || convert_to(payload, 'UTF8')) from entries
), kept as (
    insert into evidence_payloads (entry, salt, payload) select entry, salt, payload from entries
), queued as (
    insert into unsealed select entry from entries
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
