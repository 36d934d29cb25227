-- name: call
select id, callee from decisions where id = $1

-- name: calls
-- No index: a switch's call id is asked for by hand, and an index would cost every decision.
select id, callee from decisions where call_id = $1 order by id limit 1000

-- name: decisions
select d.id, d.at, d.callee, d.callee_text, d.seller_code as seller, d.purpose, d.presented, d.trunk, d.path, d.call_id,
       d.outcome, d.reasons, d.until, d.rule_version, a.redeemed_at, a.redeemed_by, a.dialled_at, a.ringing_at,
       a.answered_at, a.ended_at, a.cause, a.sip_status, a.dial_status, a.carrier_call_id
from decisions d left join attempts a on a.decision_id = d.id
where d.callee = $1::bigint and $2::bigint[] is null
   or d.id = any ($2::bigint[]) and d.callee is not distinct from $1::bigint
order by d.at, d.id

-- name: complaint
select c.callee, array(select t.decision from complaint_calls t where t.complaint = c.id order by t.decision) as calls
from complaints c where c.id = $1

-- name: complaints
select c.id, c.case_number, c.source, c.authority, c.cli, s.code as seller, c.channel, c.received_at, c.due_at, c.text,
       c.refusal_id, c.status, c.answer, c.answered_at, c.answered_by, c.outcome, c.closed_at, c.closed_by, c.recorded_at,
       c.recorded_by, array(select t.decision from complaint_calls t where t.complaint = c.id order by t.decision) as calls
from complaints c left join sellers s on s.id = c.seller_id
where c.callee = $1::bigint or c.id = $2::bigint
order by c.received_at, c.id

-- name: listings
select l.name as list, l.owner, i.id as import_id, i.as_of, i.imported_at
from suppressed_numbers s join suppression_imports i on i.id = s.import_id join suppression_lists l on l.id = i.list_id
where s.number = $1
  and i.id = (select max(n.id) from suppression_imports n where n.list_id = l.id)
order by l.name

-- name: reviews
select v.*, s.code as seller from speech_reviews v left join sellers s on s.id = v.seller_id
where v.callee = $1 order by v.at, v.id

-- name: sellers
select id, code, name, industry, suspended, created_at from sellers where code = any ($1) order by code

-- name: trunks
select id, name, country, origin, created_at from trunks where name = any ($1) order by name

-- name: numbers
select t.name as trunk, p.number, s.code as seller, p.holder, p.use, p.registered_at
from presented_numbers p join trunks t on t.id = p.trunk_id left join sellers s on s.id = p.seller_id
where t.name = any ($1) and p.number = any ($2)
order by t.name, p.number, s.code nulls first

-- name: entries
-- $1 decisions, $2 consents, $3 refusals, $4 near misses, $5 complaints, $6 the callee, $7 sellers, $8 trunks, $9 presented
-- numbers as JSON texts, $10 names of lists as JSON texts, $11 names of routes as JSON texts.
select e.id, e.at, e.kind, e.subject, e.commitment, p.salt, p.payload
from evidence e left join evidence_payloads p on p.entry = e.id
where e.id in (
    select id from evidence where subject = any ($1::bigint[])
        and kind in ('decision', 'permit.redeemed', 'attempt.ended', 'attempt.amended')
    union all
    select id from evidence where subject = any ($2::bigint[]) and kind in ('consent.granted', 'consent.withdrawn')
    union all
    select id from evidence where subject = any ($3::bigint[]) and kind in ('refusal', 'refusal.hashed')
    union all
    select id from evidence where subject = any ($4::bigint[]) and kind = 'review.decided'
    union all
    select id from evidence where subject = any ($5::bigint[]) and kind like 'complaint.%'
    union all
    select entry from evidence_payloads where callee = $6::bigint
    union all
    select id from evidence where subject = any ($7::bigint[])
        and kind in ('seller.added', 'seller.suspended', 'seller.resumed')
    union all
    select id from evidence where subject = any ($8::bigint[]) and kind = 'trunk.added'
    union all
    select e.id from evidence e join evidence_payloads p on p.entry = e.id
        where e.subject = any ($8::bigint[]) and e.kind in ('number.added', 'number.removed')
          and exists (select from unnest($9::text[]) as n where strpos(p.payload, '"number":' || n || ',') > 0)
    union all
    select e.id from evidence e join evidence_payloads p on p.entry = e.id
        where e.subject in (
                select l.id from suppression_lists l where to_json(l.name)::text = any ($10::text[])
                union all
                select i.id from suppression_imports i join suppression_lists l on l.id = i.list_id
                where to_json(l.name)::text = any ($10::text[]))
          and e.kind in ('list.added', 'list.imported')
          and exists (select from unnest($10::text[]) as n where strpos(p.payload, '"list":' || n || ',') > 0)
    union all
    select e.id from evidence e join evidence_payloads p on p.entry = e.id
        where e.subject is null and e.kind in ('route.declared', 'route.removed')
          and exists (select from unnest($11::text[]) as n where strpos(p.payload, '"route":' || n) > 0)
    union all
    select id from evidence where subject is null and kind in ('log.key_added', 'log.key_rotated', 'log.restored',
        'policy.loosened', 'number.imported')
)
order by e.id

-- name: erasures
-- Those that erased one of these entries ($1).
select e.id, e.at, e.kind, e.subject, e.commitment, p.salt, p.payload
from evidence e join evidence_payloads p on p.entry = e.id
where e.subject is null and e.kind = 'evidence.erased'
  and exists (
      select from json_array_elements(p.payload::json -> 'entries') as range
      join unnest($1::bigint[]) as id on id between (range ->> 0)::bigint and (range ->> 1)::bigint)
order by e.id

-- name: by_id
select id, at, kind, subject, commitment, salt, payload from evidence_entries where id = any ($1) order by id

-- name: log_entries
select e.id, e.at, e.kind, e.subject, e.commitment, p.salt, p.payload
from evidence e left join evidence_payloads p on p.entry = e.id
where e.subject is null and e.kind in ('log.key_added', 'log.key_rotated', 'log.restored')
order by e.id

-- name: stretch
select l.index, e.id, e.at, e.kind, e.subject, e.commitment, p.salt, p.payload
from leaves l join evidence e on e.id = l.entry
left join evidence_payloads p on p.entry = e.id and e.kind = any ($3)
where l.index >= $1 and l.index < $2
order by l.index

-- name: witness
select evidence_write($1, $2::text, null, $3, $4::text)

-- name: cosignatures
select line from cosignatures where size = $1 order by at, witness

-- name: timestamps
select authority, token from timestamps where size = $1 order by at, authority

-- name: vouched
-- Of the checkpoints from this size on the one that most vouch for, and the oldest of those.
select size
from (select size from cosignatures where size >= $1 union all select size from timestamps where size >= $1) as said
group by size order by count(*) desc, size limit 1

-- name: decision_payloads
select p.payload
from evidence e join evidence_payloads p on p.entry = e.id
where e.subject = any ($1::bigint[]) and e.kind = 'decision'
