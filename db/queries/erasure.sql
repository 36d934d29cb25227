-- name: patience
-- An hour: a person may have very many records, and some are sought without an index.
select set_config('statement_timeout', '3600000', true), set_config('idle_in_transaction_session_timeout', '60000', true)

-- name: key
select fingerprint, node from erasure_key

-- name: ask
select erasure_ask($1, $2, $3, $4, $5, $6, $7, $8)

-- name: erase_person
select * from erase_person($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)

-- name: erase_records
select * from erase_records($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)

-- name: pending
select callee, asked_at, asked_by, reason, despite from pending_erasures order by asked_at, callee

-- name: pending_of
select callee, asked_at, asked_by, reason, despite from pending_erasures where callee = $1

-- name: unread_decisions
-- Decisions on a text that was no number to the gate, and holds this person's ($1: forms of his number).
select d.id from decisions d
where d.callee is null and exists (select from unnest($1::text[]) as t(text) where position(t.text in d.callee_text) > 0)

-- name: count_listed
select count(*) from suppressed_numbers where number = $1

-- name: regions
select distinct callee, address_region as region, address_zones as zones, address_verified as verified
from consents where callee = any ($1) and address_region is not null

-- name: of_callee
-- What is on record of a person, with the instant from which each record's time runs. Proof of a consent is kept from its
-- last use on, which the attempts tell.
select 'decisions' as "table", d.id, d.callee, d.at, s.industry, d.purpose, null as clip
from decisions d left join sellers s on s.id = d.seller_id where d.callee = $1
union all
select 'entries', p.entry, p.callee, e.at, '', '', null
from evidence_payloads p join evidence e on e.id = p.entry where p.callee = $1 and e.kind like 'permit.%'
union all
select 'consents', c.id, c.callee,
       greatest(c.granted_at, c.withdrawn_at, c.expires_at,
                (select max(a.at) from attempts a where a.callee = c.callee and a.seller_id = c.seller_id)),
       s.industry, nullif(c.purpose, '*'), null
from consents c join sellers s on s.id = c.seller_id where c.callee = $1
union all
select 'refusals', r.id, r.callee, r.at, coalesce(s.industry, ''), null,
       case when r.artefact ->> 'kind' = 'speech' then artefact_file(r.artefact) end
from refusals r left join sellers s on s.id = r.seller_id where r.callee = $1
union all
select 'reviews', v.id, v.callee, v.at, coalesce(s.industry, ''), null, artefact_file(v.artefact)
from speech_reviews v left join sellers s on s.id = v.seller_id where v.callee = $1
union all
select 'complaints', c.id, c.callee, greatest(c.received_at, c.closed_at), coalesce(s.industry, ''), null, null
from complaints c left join sellers s on s.id = c.seller_id where c.callee = $1
order by 1, 2

-- name: aged_decisions
-- Each of these looks at a stretch of a table from $1 on, and gives what is older than $2 and not erased; and the last row of
-- the stretch in any case, to go on from.
with stretch as (
    select d.id, d.callee, d.callee_text, d.at, d.seller_id, d.purpose from decisions d where d.id > $1 order by d.id limit $3
)
select 'decisions' as "table", d.id, d.callee, d.at, s.industry, d.purpose, null as clip,
       d.at < $2 and (d.callee is not null or d.callee_text <> '') as aged
from stretch d left join sellers s on s.id = d.seller_id
where d.at < $2 and (d.callee is not null or d.callee_text <> '') or d.id = (select max(id) from stretch)
order by d.id

-- name: aged_entries
with stretch as (
    select p.entry as id, p.callee from evidence_payloads p where p.entry > $1 order by p.entry limit $3
)
select 'entries' as "table", t.id, t.callee, e.at, '' as industry, '' as purpose, null as clip,
       e.at < $2 and t.callee is not null as aged
from stretch t join evidence e on e.id = t.id
where e.at < $2 and t.callee is not null or t.id = (select max(id) from stretch)
order by t.id

-- name: aged_consents
with stretch as (
    select c.*, greatest(c.granted_at, c.withdrawn_at, c.expires_at) as ended from consents c where c.id > $1 order by c.id limit $3
)
select 'consents' as "table", t.id, t.callee, greatest(t.ended, u.at) as at, s.industry, nullif(t.purpose, '*') as purpose,
       null as clip, (t.withdrawn_at < $2 or t.expires_at < $2) and greatest(t.ended, u.at) < $2 as aged
from stretch t join sellers s on s.id = t.seller_id
cross join lateral (select max(a.at) as at from attempts a where a.callee = t.callee and a.seller_id = t.seller_id) as u
where (t.withdrawn_at < $2 or t.expires_at < $2) and t.ended < $2 or t.id = (select max(id) from stretch)
order by t.id

-- name: aged_refusals
with stretch as (
    select r.id, r.callee, r.at, r.seller_id, r.artefact from refusals r where r.id > $1 order by r.id limit $3
)
select 'refusals' as "table", t.id, t.callee, t.at, coalesce(s.industry, '') as industry, null as purpose,
       case when t.artefact ->> 'kind' = 'speech' then artefact_file(t.artefact) end as clip, t.at < $2 as aged
from stretch t left join sellers s on s.id = t.seller_id
where t.at < $2 or t.id = (select max(id) from stretch)
order by t.id

-- name: aged_reviews
with stretch as (
    select v.id, v.callee, v.at, v.seller_id, v.artefact, v.decision from speech_reviews v where v.id > $1 order by v.id limit $3
)
select 'reviews' as "table", t.id, t.callee, t.at, coalesce(s.industry, '') as industry, null as purpose, artefact_file(t.artefact) as clip,
       t.at < $2 and t.decision is not null as aged
from stretch t left join sellers s on s.id = t.seller_id
where t.at < $2 and t.decision is not null or t.id = (select max(id) from stretch)
order by t.id

-- name: aged_complaints
with stretch as (
    select c.* from complaints c where c.id > $1 order by c.id limit $3
)
select 'complaints' as "table", t.id, t.callee, t.closed_at as at, coalesce(s.industry, '') as industry, null as purpose, null as clip,
       t.closed_at < $2 and (t.callee is not null or t.text <> '') as aged
from stretch t left join sellers s on s.id = t.seller_id
where t.closed_at < $2 and (t.callee is not null or t.text <> '') or t.id = (select max(id) from stretch)
order by t.id

-- name: recordings
-- Clips of refusals, older than $2, that are not erased; from $1 on.
with stretch as (
    select r.id, r.callee, r.at, r.seller_id, r.artefact from refusals r
    where r.id > $1 and artefact_file(r.artefact) is not null order by r.id limit $3
)
select 'recordings' as "table", t.id, t.callee, t.at, coalesce(s.industry, '') as industry, null as purpose, artefact_file(t.artefact) as clip,
       t.at < $2 and t.artefact ->> 'kind' = 'speech' and f.sha256 is null as aged
from stretch t left join sellers s on s.id = t.seller_id
left join erased_files f on f.sha256 = decode(artefact_file(t.artefact), 'hex') and f.though_named
order by t.id

-- name: erased_files
select encode(f.sha256, 'hex') as sha256 from erased_files f where f.though_named or not file_is_named(f.sha256)

-- name: countries
select distinct country from trunks order by country

-- name: tables_size
select sum(pg_total_relation_size(t::regclass)) from unnest($1::text[]) as t

-- name: may_vacuum
select r.rolsuper as superuser,
       (select bool_and(pg_has_role(session_user, c.relowner, 'usage')) from pg_class c where c.oid = any ($1::text[]::regclass[])) as owner
from pg_roles r where r.rolname = session_user

-- name: rewriting
select set_config('lock_timeout', '5s', false), set_config('statement_timeout', '0', false)

-- name: vacuum
select format('vacuum (full, analyze) %s', t::regclass) from unnest($1::text[]) with ordinality as u(t, n) order by n

-- name: vacuum_statistics
vacuum (full) pg_catalog.pg_statistic

-- name: keep_no_log
alter system set wal_recycle = off

-- name: keep_log
alter system reset wal_recycle

-- name: reload
select pg_reload_conf()

-- name: switch_log
select pg_switch_wal()

-- name: checkpoint
checkpoint

-- name: is_erased
-- Who has consented anew is known again.
select exists (select from erased_refusals where callee_hmac = $1)
   and not exists (select from consents where callee = $2)
