-- name: of_callee
select r.id, r.callee, s.code as seller, r.how, r.at, r.call_id, r.agent, r.note, r.recorded_at
from refusals r left join sellers s on s.id = r.seller_id
where r.callee = $1
order by r.at, r.id

-- name: by_id
select r.id, r.callee, s.code as seller, r.how, r.at, r.call_id, r.agent, r.note, r.recorded_at
from refusals r left join sellers s on s.id = r.seller_id
where r.id = $1

-- name: all
select r.id, r.callee, s.code as seller, r.how, r.at, r.call_id, r.agent, r.note, r.recorded_at
from refusals r left join sellers s on s.id = r.seller_id
order by r.id

-- name: record
select refusal_record($1, (select id from sellers where code = $2), $3, $4, $5, $6, $7, $8)

-- name: bulk_table
create temporary table incoming_refusals (callee bigint, seller text, how text, at timestamptz, note text) on commit drop

-- name: bulk_put
with added as (
    insert into refusals (callee, seller_id, how, at, note)
    select i.callee, s.id, i.how, i.at, min(i.note)
    from incoming_refusals i left join sellers s on s.code = i.seller
    where not exists (
        select from refusals r
        where r.callee = i.callee and r.seller_id is not distinct from s.id and r.at = i.at and r.how = i.how
    )
    group by i.callee, s.id, i.how, i.at
    returning 1
)
select (select count(*) from incoming_refusals) as rows, (select count(*) from added) as added

-- name: bulk_lock
-- Just before the commit: every gate transaction under way ends first, and every later one sees what was imported. Nobody
-- is called meanwhile, so an importer that falls asleep here is ended.
select set_config('idle_in_transaction_session_timeout', '2000', true), pg_advisory_xact_lock(bulk_lock()),
       pg_notify('heedline_refusal', '*')
