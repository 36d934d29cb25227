-- name: calls_to
-- $1 the number as it was dialled, $2 its E.164 digits (null: it has none), $3 to $4 the window, $5 how many.
select fate, at, decision, callee, presented, seller, purpose, trunk, path, call_id, outcome, reasons, rules, decided_at,
       dialled_at, ringing_at, answered_at, ended_at, cause, sip_status, dial_status, consents, refusals, complaints, entries
from traced_calls
where (callee_digits = $2::bigint or $2::bigint is null and callee = $1)
  and decided_at >= $3::timestamptz - interval '5 minutes' and decided_at <= $4::timestamptz + interval '5 minutes'
  and at >= $3 and at <= $4
union all
(select 'rejected', e.at, null, p.payload::jsonb ->> 'callee', p.payload::jsonb ->> 'presented', '', '',
        coalesce(p.payload::jsonb ->> 'trunk', ''), 'egress', '', '', '{}', '', null, null, null, null, null, null, null, null,
        null, null, null, jsonb_build_array(jsonb_build_object('kind', e.kind, 'entry', e.id, 'index', l.index))
 from evidence e join evidence_payloads p on p.entry = e.id left join leaves l on l.entry = e.id
 where e.kind = 'permit.rejected' and e.at >= $3 and e.at <= $4
   and (p.callee = $2 or $2 is null and p.payload::jsonb ->> 'callee' = $1))
order by 2, 3 nulls last
limit $5

-- name: calls_from
-- $1 the presented number, $2 to $3 the window, $4 how many.
select fate, at, decision, callee, presented, seller, purpose, trunk, path, call_id, outcome, reasons, rules, decided_at,
       dialled_at, ringing_at, answered_at, ended_at, cause, sip_status, dial_status, consents, refusals, complaints, entries
from traced_calls
where presented = $1
  and decided_at >= $2::timestamptz - interval '5 minutes' and decided_at <= $3::timestamptz + interval '5 minutes'
  and at >= $2 and at <= $3
union all
(select 'rejected', e.at, null, p.payload::jsonb ->> 'callee', p.payload::jsonb ->> 'presented', '', '',
        coalesce(p.payload::jsonb ->> 'trunk', ''), 'egress', '', '', '{}', '', null, null, null, null, null, null, null, null,
        null, null, null, jsonb_build_array(jsonb_build_object('kind', e.kind, 'entry', e.id, 'index', l.index))
 from evidence e join evidence_payloads p on p.entry = e.id left join leaves l on l.entry = e.id
 where e.kind = 'permit.rejected' and e.at >= $2 and e.at <= $3 and p.payload::jsonb ->> 'presented' = $1)
order by 2, 3 nulls last
limit $4

-- name: of_complaint
select fate, at, decision, callee, presented, seller, purpose, trunk, path, call_id, outcome, reasons, rules, decided_at,
       dialled_at, ringing_at, answered_at, ended_at, cause, sip_status, dial_status, consents, refusals, complaints, entries
from traced_calls
where decision in (select decision from complaint_calls where complaint = $1)
order by at, decision

-- name: seen
-- The newest checkpoint; of the calls that left in the window how many there are, of how many nothing is said any more, and how
-- many wait for their leaf.
select c.size, encode(c.root, 'hex') as root, c.at, m.calls, m.erased,
       (select count(*) from unsealed u join evidence e on e.id = u.entry
        where e.kind = 'permit.redeemed' and e.at >= $1 and e.at <= $2) as unsealed
from (select count(*) as calls, count(*) filter (where a.callee is null and a.callee_text = '') as erased
      from attempts a
      where a.at >= $1::timestamptz - interval '5 minutes' and a.at <= $2::timestamptz + interval '5 minutes'
        and a.redeemed_at >= $1 and a.redeemed_at <= $2) as m
left join (select size, root, at from checkpoints order by size desc limit 1) as c on true

-- name: waiting
select count(*) from unsealed u join evidence e on e.id = u.entry where e.kind = 'permit.redeemed' and e.at >= $1 and e.at <= $2

-- name: is_presented
select exists (select from presented_numbers where number = $1)

-- name: stretch
-- The leaves that say they are of $1 to $2 (null: up to the end) and all between them, and one more on either side, so that what is
-- beside the time is there too.
with log as (
    select size from log_state
), inside as (
    select min(l.index) as low, case when $2::timestamptz is null then (select size from log) else max(l.index) + 1 end as high
    from evidence e join leaves l on l.entry = e.id
    where e.at >= $1 and ($2::timestamptz is null or e.at <= $2)
), before as (
    select l.index from evidence e join leaves l on l.entry = e.id where e.at < $1 order by e.id desc limit 1
)
select greatest(coalesce(i.low, (select index from before) + 1, 0) - 1, 0) as first,
       least(coalesce(i.high, (select index from before) + 1, 0) + 1, log.size) as beyond
from inside i, log
