-- name: lists
select l.id, l.name, l.owner, l.prefixes, i.id as import_id, i.as_of, i.entries, i.sha256, i.imported_at
from suppression_lists l left join lateral (
    select id, as_of, entries, sha256, imported_at from suppression_imports where list_id = l.id order by id desc limit 1
) as i on true
where $1::text is null or l.name = $1
order by l.name

-- name: add_list
insert into suppression_lists (name, owner, prefixes) values ($1, $2, $3) on conflict (name) do nothing
returning id

-- name: listed
select s.number from suppressed_numbers s
where s.import_id = (
    select i.id from suppression_imports i join suppression_lists l on l.id = i.list_id
    where l.name = $1 order by i.id desc limit 1
)
order by s.number

-- name: replaced_imports
select i.id from suppression_imports i
where exists (select from suppression_imports newer where newer.list_id = i.list_id and newer.id > i.id)

-- name: prune
-- One walk along the primary key, a bounded stretch of it at a time.
with stretch as (
    select number, import_id from suppressed_numbers where (number, import_id) > ($2, $3) order by number, import_id limit $4
), doomed as (
    delete from suppressed_numbers s using stretch t
    where s.number = t.number and s.import_id = t.import_id and t.import_id = any($1)
    returning 1
)
select number, import_id, (select count(*) from doomed) as gone from stretch order by number desc, import_id desc limit 1
