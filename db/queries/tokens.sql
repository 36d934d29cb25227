-- name: seller_known
select exists (select from sellers where code = $1)

-- name: add
with added as (
    insert into api_tokens (name, hash, scopes, seller_id, created_by, expires_at)
    values ($1, $2, $3, (select id from sellers where code = $4), $5, $6)
    on conflict (name) do nothing
    returning *
)
select t.id, t.name, t.scopes, s.code as seller, t.created_at, t.created_by, t.expires_at, t.revoked_at
from added t left join sellers s on s.id = t.seller_id

-- name: revoke
with revoked as (
    update api_tokens set revoked_at = $2 where name = $1 and revoked_at is null returning *
)
select t.id, t.name, t.scopes, s.code as seller, t.created_at, t.created_by, t.expires_at, t.revoked_at
from revoked t left join sellers s on s.id = t.seller_id

-- name: all
select t.id, t.name, t.scopes, s.code as seller, t.created_at, t.created_by, t.expires_at, t.revoked_at
from api_tokens t left join sellers s on s.id = t.seller_id
order by t.name

-- name: by_hash
select t.id, t.name, t.scopes, s.code as seller, t.created_at, t.created_by, t.expires_at, t.revoked_at
from api_tokens t left join sellers s on s.id = t.seller_id
where t.hash = $1
