-- name: of_callee
select r.id, r.callee, s.code as seller, r.how, r.at, r.call_id, r.agent, r.note, r.attempt, r.artefact, r.recorded_at,
       r.rule, r.rule_version, c.receipt
from refusals r left join sellers s on s.id = r.seller_id left join refusal_receipts c on c.refusal_id = r.id
where r.callee = $1
order by r.at, r.id

-- name: page
select r.id, r.callee, s.code as seller, r.how, r.at, r.call_id, r.agent, r.note, r.attempt, r.artefact, r.recorded_at,
       r.rule, r.rule_version, c.receipt
from refusals r left join sellers s on s.id = r.seller_id left join refusal_receipts c on c.refusal_id = r.id
where r.callee = $1 and ($2::text is null or s.code = $2) and r.id > $3
order by r.id limit $4

-- name: by_id
select r.id, r.callee, s.code as seller, r.how, r.at, r.call_id, r.agent, r.note, r.attempt, r.artefact, r.recorded_at,
       r.rule, r.rule_version, c.receipt
from refusals r left join sellers s on s.id = r.seller_id left join refusal_receipts c on c.refusal_id = r.id
where r.id = $1

-- name: erased
-- A refusal of an erased person, and the key that its hash is by.
select e.callee_hmac as hash, s.code as seller, e.at, k.fingerprint, k.node
from erased_refusals e cross join erasure_key k left join sellers s on s.id = e.seller_id
where e.refusal_id = $1

-- name: all
select r.id, r.callee, s.code as seller, r.how, r.at, r.call_id, r.agent, r.note, r.attempt, r.artefact, r.recorded_at,
       r.rule, r.rule_version, c.receipt
from refusals r left join sellers s on s.id = r.seller_id left join refusal_receipts c on c.refusal_id = r.id
order by r.id

-- name: record
select * from refusal_record($1, (select id from sellers where code = $2), $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13,
                             $14)

-- name: refused_calls
-- Calls that used their permit up, have no known end, and are bound by a refusal that their decision did not know; a call
-- that the marketing rules do not concern is bound by none. It has left its switch (`dialled`) when it was seen to, or when
-- its permit was used before $3.
select a.decision_id as attempt, a.callee, s.code as seller, a.answered_at is not null as answered,
       coalesce(a.dialled_at >= a.redeemed_at, false) or a.redeemed_at < $3 as dialled
from attempts a left join sellers s on s.id = a.seller_id
where a.callee = any ($1::bigint[]) and a.redeemed_at > $2 and a.ended_at is null
  and (
      exists (
          select from refusals r
          where r.callee = a.callee and (r.seller_id is null or r.seller_id = a.seller_id)
            and not (r.id = any (coalesce(a.refusals_seen, '{}'))))
      or exists (
          select from pending_erasures p
          where p.callee = a.callee and not (p.refusal_id = any (coalesce(a.refusals_seen, '{}')))))
  and not exists (
      select from decisions d where d.id = a.decision_id and d.reasons && array['NON_MARKETING', 'EMERGENCY'])

-- name: all_refused_calls
-- The same of all callees; of a call with so many after it the end was missed.
select a.decision_id as attempt, a.callee, s.code as seller, a.answered_at is not null as answered,
       coalesce(a.dialled_at >= a.redeemed_at, false) or a.redeemed_at < $2 as dialled
from (select * from attempts order by decision_id desc limit 200000) as a left join sellers s on s.id = a.seller_id
where a.redeemed_at > $1 and a.ended_at is null
  and (
      exists (
          select from refusals r
          where r.callee = a.callee and (r.seller_id is null or r.seller_id = a.seller_id)
            and not (r.id = any (coalesce(a.refusals_seen, '{}'))))
      or exists (
          select from pending_erasures p
          where p.callee = a.callee and not (p.refusal_id = any (coalesce(a.refusals_seen, '{}')))))
  and not exists (
      select from decisions d where d.id = a.decision_id and d.reasons && array['NON_MARKETING', 'EMERGENCY'])

-- name: refused_parties
-- Of these callees and sellers those between whom a refusal stands that was recorded after $3.
select distinct p.callee, p.seller
from unnest($1::bigint[], $2::text[]) as p (callee, seller) left join sellers s on s.code = p.seller
join refusals r on r.callee = p.callee and (r.seller_id is null or r.seller_id = s.id)
where r.recorded_at > $3
  and not exists (
      select from consents c where c.callee = r.callee and c.seller_id = s.id and c.lifts = r.id and c.withdrawn_at is null)
union
select p.callee, p.seller
from unnest($1::bigint[], $2::text[]) as p (callee, seller) left join sellers s on s.code = p.seller
join pending_erasures e on e.callee = p.callee
where e.asked_at > $3
  and not exists (
      select from consents c
      where c.callee = e.callee and c.seller_id = s.id and c.lifts = e.refusal_id and c.withdrawn_at is null)

-- name: call_party
select a.decision_id as attempt, a.callee, s.code as seller, a.presented, a.at
from attempts a left join sellers s on s.id = a.seller_id
where a.decision_id = $1 and a.callee is not null

-- name: sellers_showing
select distinct s.code from presented_numbers p left join sellers s on s.id = p.seller_id where p.number = $1

-- name: add_review
insert into speech_reviews (callee, seller_id, at, call_id, attempt, artefact)
values ($1, (select id from sellers where code = $2), $3, $4, $5, $6::text::jsonb)
returning id

-- name: review
select v.*, s.code as seller from speech_reviews v left join sellers s on s.id = v.seller_id
where v.id = $1 for update of v

-- name: open_reviews
select v.*, s.code as seller from speech_reviews v left join sellers s on s.id = v.seller_id
where v.decision is null order by v.id limit $1

-- name: decided_reviews
select v.*, s.code as seller from speech_reviews v left join sellers s on s.id = v.seller_id
where v.decision is not null order by v.decided_at desc, v.id desc limit $1

-- name: decide_review
update speech_reviews set decision = $2, decided_at = $3, decided_by = $4, refusal_id = $5 where id = $1

-- name: bulk_table
create temporary table incoming_refusals (
    callee bigint, seller text, how text, at timestamptz, note text, payload text
) on commit drop

-- name: bulk_put
with wanted as materialized (
    select i.callee, s.id as seller_id, i.how, i.at, min(i.note) as note, (array_agg(i.payload order by i.note))[1] as payload
    from incoming_refusals i left join sellers s on s.code = i.seller
    where not exists (
        select from refusals r
        where r.callee = i.callee and r.seller_id is not distinct from s.id and r.at = i.at and r.how = i.how
    )
    group by i.callee, s.id, i.how, i.at
), fresh as materialized (
    select nextval(pg_get_serial_sequence('refusals', 'id')) as id, nextval('evidence_id_seq') as entry,
           uuid_send(gen_random_uuid()) as salt, w.*
    from wanted w
), added as (
    insert into refusals (id, callee, seller_id, how, at, note) overriding system value
    select id, callee, seller_id, how, at, note from fresh
    returning 1
), said as (
    insert into evidence (id, at, kind, subject, commitment) overriding system value
    select entry, $1, 'refusal', id, sha256(salt || convert_to(payload, 'UTF8')) from fresh
), kept as (
    insert into evidence_payloads (entry, salt, payload) select entry, salt, payload from fresh
), queued as (
    insert into unsealed select entry from fresh
)
select (select count(*) from incoming_refusals) as rows, (select count(*) from added) as added

-- name: bulk_lock
-- Just before the commit: every gate transaction under way ends first, and every later one sees what was imported. Nobody
-- is called meanwhile, so an importer that falls asleep here is ended.
select set_config('idle_in_transaction_session_timeout', '2000', true), pg_advisory_xact_lock(bulk_lock()),
       pg_notify('heedline_refusal', '*')
