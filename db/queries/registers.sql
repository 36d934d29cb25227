-- name: witness
select evidence_write($1, $2::text, $3::bigint, $4::bigint, $5::text)

-- name: seller
select id, code, name, industry, suspended, created_at from sellers where code = $1

-- name: sellers
select id, code, name, industry, suspended, created_at from sellers order by code

-- name: add_seller
insert into sellers (code, name, industry) values ($1, $2, $3) on conflict (code) do nothing
returning id, code, name, industry, suspended, created_at

-- name: suspend_seller
update sellers set suspended = $2 where code = $1 returning id, code, name, industry, suspended, created_at

-- name: trunk
select id, name, country, origin, created_at from trunks where name = $1

-- name: trunks
select id, name, country, origin, created_at from trunks order by name

-- name: add_trunk
insert into trunks (name, country, origin) values ($1, $2, $3) on conflict (name) do nothing
returning id, name, country, origin, created_at

-- name: numbers
select t.name as trunk, p.number, s.code as seller, p.holder, p.use, p.registered_at
from presented_numbers p join trunks t on t.id = p.trunk_id left join sellers s on s.id = p.seller_id
where $1::text is null or t.name = $1
order by t.name, p.number, s.code nulls first

-- name: add_number
insert into presented_numbers (trunk_id, number, seller_id, holder, use)
select t.id, $2, (select id from sellers where code = $3), $4, $5 from trunks t
where t.name = $1 and ($3::text is null or exists (select from sellers where code = $3))
on conflict (trunk_id, number, seller_id) do nothing
returning true

-- name: remove_number
with removed as (
    delete from presented_numbers p using trunks t
    where t.id = p.trunk_id and t.name = $1 and p.number = $2
      and ($4 or p.seller_id is not distinct from (select id from sellers where code = $3))
    returning 1
)
select count(*) from removed

-- name: routes
select name, reason, declared_by, declared_at from routes where non_marketing order by name

-- name: declare_route
insert into routes (name, non_marketing, reason, declared_by, declared_at) values ($1, true, $2, $3, $4)
on conflict (name) do nothing returning true

-- name: remove_route
delete from routes where name = $1 returning true

-- name: loosening_lock
select pg_advisory_xact_lock(hashtextextended('policy.loosened', 0))

-- name: loosening_known
select exists (
    select from evidence e join evidence_payloads p on p.entry = e.id
    where e.kind = 'policy.loosened' and p.payload::jsonb ->> 'fingerprint' = $1)
