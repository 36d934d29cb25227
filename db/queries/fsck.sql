-- name: patience
-- A long log takes minutes, and one connection lies idle meanwhile, for it holds the snapshot.
select set_config('statement_timeout', '0', true), set_config('idle_in_transaction_session_timeout', '0', true),
       set_config('plan_cache_mode', 'force_custom_plan', true), set_config('work_mem', '64MB', true)

-- name: snapshot
select pg_export_snapshot()

-- name: state
select s.name, s.key, s.size as said, (select count(*) from leaves) as leaves,
       (select coalesce(max(index), -1) + 1 from leaves) as size, (select count(*) from unsealed) as waiting,
       (select count(*) from checkpoints) as checkpoints
from (select true) as one left join log_state s on true

-- name: keys
select id, name, public from log_keys order by id

-- name: key_entries
select e.id, l.index, e.kind, p.payload
from evidence e left join leaves l on l.entry = e.id left join evidence_payloads p on p.entry = e.id
where e.kind in ('log.key_added', 'log.key_rotated', 'log.restored') order by l.index nulls last, e.id

-- name: erasures
select e.id, e.commitment, p.salt, p.payload from evidence e join evidence_payloads p on p.entry = e.id
where e.kind = 'evidence.erased' order by e.id

-- name: bounds
select min(entry), max(entry) from leaves where index >= $1 and index < $2

-- name: leaves
-- A date that no program of ours can have written would not cross the driver. $3 and $4 bound the entries, so that the other
-- two tables are read by stretches too.
select l.index, l.entry, e.id, case when e.at >= '0002-01-01' and e.at < '9999-01-01' then e.at end, e.kind, e.subject,
       e.commitment, p.salt, p.payload
from leaves l
    left join evidence e on e.id = l.entry and e.id between $3 and $4
    left join evidence_payloads p on p.entry = l.entry and p.entry between $3 and $4
where l.index >= $1 and l.index < $2
order by l.index

-- name: tiles
select index, hashes from tiles where level = $1 and index >= $2 and index < $3

-- name: upper_tiles
select level, index, hashes from tiles where level > 1 order by level, index

-- name: tiles_beyond
-- A level has a tile for each 256 hashes, and no hash for what is not whole below it.
select level, index from tiles
where index * (256::numeric ^ (level + 1)) + 256::numeric ^ level > $1 order by level, index limit 100

-- name: checkpoints
select size, root, key, note from checkpoints where size > $1 and size <= $2 order by size

-- name: checkpoints_beyond
select size from checkpoints where size > $1 order by size

-- name: newest_checkpoint
select max(size) from checkpoints where size <= $1

-- name: published
select size from checkpoints where size = any ($1)

-- name: cosignatures
select c.size, c.witness, c.line, k.note from cosignatures c left join checkpoints k on k.size = c.size order by c.size

-- name: unsealed
-- Entries from the id $1 on that have neither a leaf nor a place in the queue.
select e.id, e.kind, e.at::text as at from evidence e
where e.id >= $1 and not exists (select from leaves l where l.entry = e.id)
  and not exists (select from unsealed u where u.entry = e.id)
order by e.id

-- name: waiting
-- In the shape of `leaves`.
select l.index, u.entry, e.id, case when e.at >= '0002-01-01' and e.at < '9999-01-01' then e.at end, e.kind, e.subject,
       e.commitment, p.salt, p.payload, u.times
from (select entry, count(*) as times from unsealed group by entry) as u
    left join evidence e on e.id = u.entry left join evidence_payloads p on p.entry = u.entry
    left join leaves l on l.entry = u.entry
order by u.entry

-- name: sealed_twice
select entry, min(index) as index from leaves group by entry having count(*) > 1

-- name: payloads_alone
select p.entry from evidence_payloads p
where p.entry >= $1 and not exists (select from evidence e where e.id = p.entry) order by p.entry

-- name: record_decision
select d.id, d.at, d.callee, d.callee_text, s.code as seller, d.seller_code, d.purpose, d.presented, d.trunk, d.path, d.call_id,
       d.outcome, d.reasons, d.until, d.rule_version,
       exists (select from attempts a where a.decision_id = d.id) as permitted
from decisions d left join sellers s on s.id = d.seller_id where d.id = any ($1)

-- name: record_redemption
select a.decision_id as id, a.permit_hash, a.callee_text, a.presented, a.redeemed_by, a.redeemed_at,
       (select min(l.index) from evidence d join leaves l on l.entry = d.id
        where d.subject = a.decision_id and d.kind = 'decision') as first_index
from attempts a where a.decision_id = any ($1)

-- name: record_end
select a.decision_id as id, a.dialled_at, a.ringing_at, a.answered_at, a.ended_at, a.cause, a.sip_status, a.dial_status,
       a.carrier_call_id,
       (select max(e.id) from evidence e
        where e.subject = a.decision_id and e.kind in ('attempt.ended', 'attempt.amended')) as newest,
       (select min(l.index) from evidence d join leaves l on l.entry = d.id
        where d.subject = a.decision_id and d.kind = 'decision') as first_index
from attempts a where a.decision_id = any ($1)

-- name: record_refusal
select r.id, r.callee, s.code as seller, r.how, r.at, r.call_id, r.agent, r.note, r.attempt, r.artefact::text as artefact,
       r.rule, r.rule_version, c.receipt
from refusals r left join sellers s on s.id = r.seller_id left join refusal_receipts c on c.refusal_id = r.id
where r.id = any ($1)

-- name: record_consent
select c.id, c.callee, s.code as seller, c.purpose, c.basis, c.kinds, c.granted_at, c.expires_at, c.withdrawn_at, c.lifts,
       c.artefact_sha256, c.artefact_media_type, c.artefact_location, c.address_region as region, c.address_zones as zones,
       c.address_verified as verified
from consents c left join sellers s on s.id = c.seller_id where c.id = any ($1)

-- name: record_withdrawal
select c.id, c.callee, s.code as seller, c.granted_at, c.withdrawn_at,
       (select min(l.index) from evidence g join leaves l on l.entry = g.id
        where g.subject = c.id and g.kind = 'consent.granted') as first_index
from consents c left join sellers s on s.id = c.seller_id where c.id = any ($1)

-- name: record_alarm
select id, at, kind, channel, detail from alarms where id = any ($1)

-- name: record_import
select i.id, l.name as list, i.as_of, i.entries, i.sha256
from suppression_imports i left join suppression_lists l on l.id = i.list_id where i.id = any ($1)

-- name: record_review
select id, decision, refusal_id, decided_by from speech_reviews where id = any ($1)

-- name: record_hashed
select r.refusal_id as id, s.code as seller, r.at as refused_at
from erased_refusals r left join sellers s on s.id = r.seller_id where r.refusal_id = any ($1)

-- name: record_complaint
select c.id, c.callee, c.case_number, c.source, c.authority, c.cli, s.code as seller, c.channel, c.received_at, c.due_at, c.text,
       c.refusal_id as refusal, c.answer, c.outcome,
       (select max(e.id) from evidence e where e.subject = c.id and e.kind = 'complaint.answered') as newest
from complaints c left join sellers s on s.id = c.seller_id where c.id = any ($1)

-- name: alone
-- Rows without the entry that must be there.
select 'decisions' as table, d.id as row, 'decision' as kind from decisions d
where not exists (select from evidence e where e.subject = d.id and e.kind = 'decision')
union all
select 'attempts', a.decision_id, 'decision' from attempts a
where not exists (select from decisions d where d.id = a.decision_id)
union all
select 'attempts', a.decision_id, 'permit.redeemed' from attempts a
where a.redeemed_at is not null
  and not exists (select from evidence e where e.subject = a.decision_id and e.kind = 'permit.redeemed')
union all
select 'attempts', a.decision_id, 'attempt.ended' from attempts a
where a.ended_at is not null
  and not exists (select from evidence e where e.subject = a.decision_id and e.kind = 'attempt.ended')
union all
select 'alarms', a.id, 'alarm.' || a.kind from alarms a
where not exists (select from evidence e where e.subject = a.id and e.kind = 'alarm.' || a.kind)
union all
select 'suppression_imports', i.id, 'list.imported' from suppression_imports i
where not exists (select from evidence e where e.subject = i.id and e.kind = 'list.imported')
union all
select 'speech_reviews', r.id, 'review.decided' from speech_reviews r
where r.decision is not null and not exists (select from evidence e where e.subject = r.id and e.kind = 'review.decided')
union all
select 'erased_refusals', h.refusal_id, 'refusal.hashed' from erased_refusals h
where not exists (select from evidence e where e.subject = h.refusal_id and e.kind = 'refusal.hashed')
union all
select 'complaints', c.id, 'complaint.received' from complaints c
where not exists (select from evidence e where e.subject = c.id and e.kind = 'complaint.received')
union all
-- a withdrawal that was imported with its consent is in the entry of both
select 'consents', c.id, 'consent.withdrawn' from consents c
where c.withdrawn_at is not null
  and not exists (select from evidence e where e.subject = c.id and e.kind = 'consent.withdrawn')
  and exists (
      select from evidence e join evidence_payloads p on p.entry = e.id
      where e.subject = c.id and e.kind = 'consent.granted' and position('"withdrawn_at":"' in p.payload) = 0)

-- name: refusals_alone
select r.id from refusals r where not exists (select from evidence e where e.subject = r.id and e.kind = 'refusal')

-- name: consents_alone
select c.id from consents c where not exists (select from evidence e where e.subject = c.id and e.kind = 'consent.granted')

-- name: bulk_imports
-- Imports from before each imported row had an entry of its own; those since name their batch.
select p.payload from evidence e join evidence_payloads p on p.entry = e.id
where e.kind = $1 and position('"batch":"' in p.payload) = 0

-- name: files
-- What rows name by hash: clips, and what was taken in as a file.
select artefact_file(artefact) as name, artefact ->> 'kind' = 'speech' as clip from refusals
where artefact ->> 'kind' = 'speech' or artefact ->> 'location' like 'artefacts/%'
union
select artefact_file(artefact), true from speech_reviews where artefact_file(artefact) is not null
union
select encode(artefact_sha256, 'hex'), false from consents
where artefact_location = 'artefacts/' || encode(artefact_sha256, 'hex')

-- name: last_verification
select e.at, p.payload from evidence e join evidence_payloads p on p.entry = e.id
where e.kind = 'log.verified' order by e.id desc limit 1
