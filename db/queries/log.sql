-- name: make_alone
select pg_advisory_xact_lock(5284167706)

-- name: lock_state
select name, key, size from log_state for update

-- name: state
select name, key, size from log_state

-- name: keys
select id, name, public, added_at, added_by, entry from log_keys order by id

-- name: announced
select k.id from log_keys k join leaves l on l.entry = k.entry

-- name: last_checkpoint
select size, root, at, key, note from checkpoints order by size desc limit 1

-- name: latest
select c.size, c.root, c.at, c.key, c.note,
       array(select s.line from cosignatures s where s.size = c.size order by s.at, s.witness) as cosignatures
from checkpoints c order by c.size desc limit 1

-- name: at_least
select c.size, c.root, c.at, c.key, c.note,
       array(select s.line from cosignatures s where s.size = c.size order by s.at, s.witness) as cosignatures
from checkpoints c where c.size >= $1 order by c.size limit 1

-- name: leaves
select coalesce(max(index) + 1, 0) from leaves

-- name: indexes
select entry, index from leaves where entry = any ($1::bigint[])

-- name: tiles
select t.level, t.index, t.hashes
from unnest($1::smallint[], $2::bigint[]) as wanted(level, index) join tiles t using (level, index)

-- name: take
-- Ids are given when entries are written, so of two of which one was committed before the other was written, that one has
-- the lower id, and is seen by whoever sees the other.
with lowest as materialized (
    select ctid from unsealed order by entry limit $1
), taken as (
    delete from unsealed where ctid = any (array(select ctid from lowest)) returning entry
)
select t.entry, e.at, e.kind, e.subject, e.commitment
from taken t left join evidence e on e.id = t.entry
order by t.entry

-- name: take_present
-- As `take`, and leaves what waits and is no entry where it is.
with lowest as materialized (
    select u.ctid from unsealed u join evidence e on e.id = u.entry order by u.entry limit $1
), taken as (
    delete from unsealed where ctid = any (array(select ctid from lowest)) returning entry
)
select t.entry, e.at, e.kind, e.subject, e.commitment
from taken t join evidence e on e.id = t.entry
order by t.entry

-- name: take_these
with taken as (
    delete from unsealed where entry = any ($1::bigint[]) returning entry
)
select t.entry, e.at, e.kind, e.subject, e.commitment
from taken t join evidence e on e.id = t.entry
order by t.entry

-- name: append
insert into leaves (index, entry)
select $1::bigint + place - 1, entry from unnest($2::bigint[]) with ordinality as given(entry, place)

-- name: put_tiles
insert into tiles (level, index, hashes) select * from unnest($1::smallint[], $2::bigint[], $3::bytea[])
on conflict (level, index) do update set hashes = excluded.hashes

-- name: publish
with published as (
    insert into checkpoints (size, root, at, key, note) values ($1, $2, $3, $4, $5)
)
update log_state set size = $1

-- name: witness
select evidence_write($1, $2::text, null::bigint, null::bigint, $3::text)

-- name: make
insert into log_state (name, key) values ($1, $2)

-- name: add_key
with added as (
    insert into log_keys (name, public, added_at, added_by, entry) values ($1, $2, $3, $4, $5)
    on conflict (public) do nothing
    returning id
)
select id from added union all select id from log_keys where public = $2

-- name: use_key
update log_state set name = $1, key = $2

-- name: room
-- For sorting a long queue.
select set_config('work_mem', '64MB', true)

-- name: queue
-- Of a long queue only so much is looked at. `oldest` is of the lowest id, so of an instant near that of the first.
select count(*) as count, (select e.at from evidence e where e.id = min(queue.entry)) as oldest
from (select entry from unsealed limit 100001) as queue
