-- name: webhooks
select w.id, w.name, w.url, s.code as seller, w.created_at, w.created_by
from webhooks w left join sellers s on s.id = w.seller_id
where w.removed_at is null
order by w.name

-- name: secret
select w.id, w.name, w.url, s.code as seller, w.created_at, w.created_by, w.secret
from webhooks w left join sellers s on s.id = w.seller_id
where w.removed_at is null and w.name = $1

-- name: seller_known
select exists (select from sellers where code = $1)

-- name: add
insert into webhooks (name, url, secret, seller_id, created_by)
values ($1, $2, $3, (select id from sellers where code = $4), $5)
on conflict (name) where removed_at is null do nothing
returning id

-- name: remove
update webhooks set removed_at = $2 where name = $1 and removed_at is null returning id

-- name: abandon
-- What waits for a webhook is given up.
update webhook_deliveries
set dead_at = clock_timestamp(), last_status = $2, last_error = $3
where webhook_id = $1 and delivered_at is null and dead_at is null

-- name: deliveries
select d.id, w.name as webhook, d.refusal_id, d.created_at, d.tries, d.next_at, d.delivered_at, d.dead_at, d.last_status,
       d.last_error
from webhook_deliveries d join webhooks w on w.id = d.webhook_id
where w.removed_at is null and ($1::text is null or w.name = $1) and (not $2 or d.dead_at is not null)
order by d.id desc
limit $3

-- name: retry
with again as (
    update webhook_deliveries d
    set dead_at = null, tries = 0, next_at = clock_timestamp(), trying_since = clock_timestamp()
    from webhooks w
    where w.id = d.webhook_id and w.removed_at is null and d.dead_at is not null
      and ($1::text is null or w.name = $1) and ($2::bigint is null or d.id = $2)
    returning 1
)
select count(*), pg_notify('heedline_webhook', '') from again

-- name: prune
with looked as (
    select d.id, d.delivered_at, d.created_at, w.removed_at
    from webhook_deliveries d join webhooks w on w.id = d.webhook_id
    where d.id > $1
    order by d.id
    limit $2
), pruned as (
    delete from webhook_deliveries d using looked l
    where d.id = l.id
      and (l.delivered_at < statement_timestamp() - $3::interval
           or l.removed_at is not null and l.created_at < statement_timestamp() - $3::interval)
    returning 1
)
select max(id) as last, (select count(*) from pruned) as pruned from looked

-- name: claim
-- Due deliveries, few of each webhook, so that none waits behind another's. They are due again when the lease ends, unless
-- their outcome is known by then: a node that dies costs a delay, not a delivery.
with due as (
    select d.id
    from webhooks w
        left join unnest($1::integer[], $2::integer[]) as busy (id, running) on busy.id = w.id
        cross join lateral (
            select d.id, d.next_at from webhook_deliveries d
            where d.webhook_id = w.id and d.delivered_at is null and d.dead_at is null
              and d.next_at <= statement_timestamp()
            order by d.next_at, d.id
            limit greatest($3 - coalesce(busy.running, 0), 0)
            for update skip locked
        ) d
    where w.removed_at is null
    order by d.next_at, d.id
    limit $4
), claimed as (
    update webhook_deliveries d set tries = d.tries + 1, next_at = clock_timestamp() + $5::interval
    from due where d.id = due.id
    returning d.id, d.tries, d.webhook_id, d.refusal_id
)
select c.id, c.tries, c.webhook_id, w.name as webhook, w.url, w.secret, r.id as refusal_id, r.callee, s.code as seller, r.how,
       r.at, r.recorded_at, r.call_id, r.agent, r.attempt, r.artefact, r.rule
from claimed c
    join webhooks w on w.id = c.webhook_id
    join refusals r on r.id = c.refusal_id
    left join sellers s on s.id = r.seller_id
order by c.id

-- name: next_due
select min(d.next_at) - statement_timestamp()
from webhooks w
    cross join lateral (
        select d.next_at from webhook_deliveries d
        where d.webhook_id = w.id and d.delivered_at is null and d.dead_at is null
        order by d.next_at
        limit 1
    ) d
where w.removed_at is null and not w.id = any ($1::integer[])

-- name: delivered
update webhook_deliveries
set delivered_at = clock_timestamp(), dead_at = null, last_status = $2, last_error = null
where id = $1 and delivered_at is null
returning true

-- name: failed
-- `tries` tells a node that was slower than its lease from the one that took over.
update webhook_deliveries
set last_status = $3, last_error = $4, next_at = least(clock_timestamp() + $5::interval, trying_since + $6::interval),
    dead_at = case when clock_timestamp() >= trying_since + $6::interval then clock_timestamp() end
where id = $1 and tries = $2 and delivered_at is null and dead_at is null
returning dead_at is not null as dead

-- name: release
update webhook_deliveries d set next_at = clock_timestamp()
from unnest($1::bigint[], $2::integer[]) as c (id, tries)
where d.id = c.id and d.tries = c.tries and d.delivered_at is null and d.dead_at is null

-- name: backlog
select count(*) filter (where d.dead_at is null) as waiting, count(*) filter (where d.dead_at is not null) as dead
from webhook_deliveries d join webhooks w on w.id = d.webhook_id
where w.removed_at is null and d.delivered_at is null
