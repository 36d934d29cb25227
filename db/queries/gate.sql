-- name: load
select * from gate_load($1, $2, $3, $4)

-- name: record
select gate_record($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)

-- name: redeem
select permit_redeem($1, $2, $3, $4, $5, $6, $7)

-- name: config_version
select version from config_state

-- name: sellers
select id, code, suspended, industry from sellers

-- name: trunks
select name, country, origin from trunks

-- name: presented_numbers
select t.name as trunk, p.number, s.code as seller
from presented_numbers p join trunks t on t.id = p.trunk_id left join sellers s on s.id = p.seller_id

-- name: lists
select l.name, l.prefixes, i.id as import_id, i.as_of
from suppression_lists l cross join lateral (
    select id, as_of from suppression_imports where list_id = l.id order by id desc limit 1
) as i

-- name: routes
select name, non_marketing from routes

-- name: erasure_key
select fingerprint, node from erasure_key

-- name: clock_accepted
select coalesce(max(subject), 0) from evidence where kind = 'clock.accepted'

-- name: latest_decision
select at, accepted from clock_witness()
