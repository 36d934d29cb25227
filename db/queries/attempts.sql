-- name: record
-- Each column is written once. `over`: the attempt had ended before; `changed`: something was added.
with given as (
    select * from unnest($1::bigint[], $2::timestamptz[], $3::timestamptz[], $4::timestamptz[], $5::timestamptz[],
                         $6::integer[], $7::integer[], $8::text[], $9::text[])
        as g(attempt, dialled_at, ringing_at, answered_at, ended_at, cause, sip_status, dial_status, carrier_call_id)
), known as (
    -- locked in order, so that two writers cannot wait for each other
    select a.* from attempts a where a.decision_id = any ($1) order by a.decision_id for update
), changed as (
    update attempts a
    set dialled_at = coalesce(a.dialled_at, g.dialled_at),
        ringing_at = coalesce(a.ringing_at, g.ringing_at),
        answered_at = coalesce(a.answered_at, g.answered_at),
        ended_at = coalesce(a.ended_at, g.ended_at),
        cause = coalesce(a.cause, g.cause),
        sip_status = coalesce(a.sip_status, g.sip_status),
        dial_status = coalesce(a.dial_status, g.dial_status),
        carrier_call_id = coalesce(a.carrier_call_id, g.carrier_call_id)
    from given g join known k on k.decision_id = g.attempt
    where a.decision_id = k.decision_id
      and (k.dialled_at is null and g.dialled_at is not null
        or k.ringing_at is null and g.ringing_at is not null
        or k.answered_at is null and g.answered_at is not null
        or k.ended_at is null and g.ended_at is not null
        or k.cause is null and g.cause is not null
        or k.sip_status is null and g.sip_status is not null
        or k.dial_status is null and g.dial_status is not null
        or k.carrier_call_id is null and g.carrier_call_id is not null)
    returning a.*
)
select k.decision_id as attempt, k.ended_at is not null as over, c.decision_id is not null as changed,
       c.dialled_at, c.ringing_at, c.answered_at, c.ended_at, c.cause, c.sip_status, c.dial_status,
       c.carrier_call_id
from known k left join changed c using (decision_id)

-- name: evidence
select evidence_write($1, $2::text[], $3::bigint[], '{}', $4::text[])

-- name: open
-- The newest attempts alone are looked at: ids grow with time, and a scan of all would take minutes on a large table.
select decision_id as attempt, callee_text as callee
from (select * from attempts order by decision_id desc limit 200000) as newest
where dialled_at < $1 and ended_at is null
order by decision_id

-- name: alarm
with raised as (
    insert into alarms (at, kind, channel, detail) values ($1, $2, $3, $4) returning id
)
select evidence_write($1, $5::text, id, null, $6::text) from raised
