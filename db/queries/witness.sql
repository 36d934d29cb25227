-- name: cosigned
select size, at from cosignatures where witness = $1 order by size desc limit 1

-- name: newest_cosigned
select size from cosignatures order by size desc limit 1

-- name: add_cosignature
insert into cosignatures (size, witness, line, at) values ($1, $2, $3, $4) on conflict (size, witness) do nothing

-- name: stamped
select size, at from timestamps where authority = $1 order by size desc limit 1

-- name: add_timestamp
insert into timestamps (size, authority, token, at) values ($1, $2, $3, $4) on conflict (size, authority) do nothing

-- name: since
select at from checkpoints where size > $1 order by size limit 1

-- name: entries
select e.id as entry, e.at, e.kind, e.subject, e.commitment
from leaves l join evidence e on e.id = l.entry
where l.index >= $1 and l.index < $2
order by l.index
