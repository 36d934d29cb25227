-- name: version
select version from config_state

-- name: load
-- The rows of `gate_load` for many callees, in one snapshot and without locks. Refusals to other sellers, and entries of
-- imports that are not in force, cannot matter. $4: the seller's id, null when it is unknown; $5: imports in force; $6: the
-- callees' hashes, null where nobody was erased.
select c.callee, 'c'::"char" as kind, c.id, c.seller_id, c.purpose, c.basis, c.kinds,
       c.granted_at as at, c.expires_at as until, c.withdrawn_at as ended, c.lifts as ref,
       c.address_region as region, c.address_zones as zones, c.address_verified as flag
from unnest($1::bigint[]) as k join consents c on c.callee = k
union all
select r.callee, 'r'::"char", r.id, r.seller_id, null, null, null, r.at, null, null, null, null, null, null
from unnest($1::bigint[]) as k join refusals r on r.callee = k
where r.seller_id is null or r.seller_id = $4
union all
select k.callee, 'r'::"char", r.refusal_id, r.seller_id, null, null, null, r.at, null, null, null, null, null, null
from unnest($1::bigint[], $6::bytea[]) as k(callee, hash) join erased_refusals r on r.callee_hmac = k.hash
where r.seller_id is null or r.seller_id = $4
union all
select s.number, 's'::"char", s.import_id, null, null, null, null, null, null, null, null, null, null, null
from unnest($1::bigint[]) as k join suppressed_numbers s on s.number = k
where s.import_id = any($5::integer[])
union all
select a.callee, 'a'::"char", a.decision_id, a.seller_id, null, null, null, a.at, null, null, null, null, null,
       a.answered_at is not null
from unnest($1::bigint[]) as k cross join lateral (
    select * from attempts a
    where a.callee = k and a.at >= $2 and (a.redeemed_at is not null or a.expires_at > $3::timestamptz - permit_grace())
    order by a.at desc limit 1000
) as a
