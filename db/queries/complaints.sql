-- name: lock_case
select pg_advisory_xact_lock(hashtextextended(concat_ws(chr(31), $1::text, $2::text, $3::text), 3))

-- name: of_case
select c.*, s.code as seller, array(select t.decision from complaint_calls t where t.complaint = c.id order by 1) as calls
from complaints c left join sellers s on s.id = c.seller_id
where c.source = $1 and c.authority = $2 and c.case_number = $3

-- name: of_refusal
select c.*, s.code as seller, array(select t.decision from complaint_calls t where t.complaint = c.id order by 1) as calls
from complaints c left join sellers s on s.id = c.seller_id
where c.refusal_id = $1

-- name: by_id
select c.*, s.code as seller, array(select t.decision from complaint_calls t where t.complaint = c.id order by 1) as calls
from complaints c left join sellers s on s.id = c.seller_id
where c.id = $1

-- name: locked
select from complaints where id = $1 for update

-- name: page
select c.*, s.code as seller, array(select t.decision from complaint_calls t where t.complaint = c.id order by 1) as calls
from complaints c left join sellers s on s.id = c.seller_id
where c.id > $3 and (not $1::bool or c.status = 'open') and ($2::timestamptz is null or c.status = 'open' and c.due_at < $2)
order by c.id limit $4

-- name: overdue
-- An alarm is told of each again when $2 has passed since the last one.
select c.*, s.code as seller, '{}'::bigint[] as calls
from complaints c left join sellers s on s.id = c.seller_id
where c.status = 'open' and c.due_at < $1
  and not exists (
      select from alarms a where a.kind = 'complaint_overdue' and a.channel = 'complaint ' || c.id and a.at > $2)
order by c.due_at, c.id

-- name: next
select nextval('complaints_id_seq')

-- name: add
insert into complaints (id, case_number, source, authority, callee, cli, seller_id, channel, received_at, due_at, text,
                        refusal_id, recorded_at, recorded_by)
overriding system value
values ($1, $2, $3, $4, $5, $6, (select id from sellers where code = $7), $8, $9, $10, $11, $12, $13, $14)

-- name: tie_calls
with called as (
    select decision_id from attempts
    where callee = $2 and ($3::text is null or presented = $3)
      and at >= $4::timestamptz - interval '5 minutes' and at <= $5 and redeemed_at >= $4 and redeemed_at <= $5
)
insert into complaint_calls (complaint, decision, by_hand, tied_at, tied_by)
select $1, decision_id, false, $6, $7 from called order by decision_id
returning decision

-- name: tie_call
insert into complaint_calls (complaint, decision, by_hand, tied_at, tied_by) values ($1, $2, true, $3, $4)
on conflict do nothing returning true

-- name: callee_of
select callee from decisions where id = $1

-- name: answer
update complaints set status = 'answered', answer = $2, answered_at = $3, answered_by = $4 where id = $1

-- name: close
update complaints set status = 'closed', outcome = $2, closed_at = $3, closed_by = $4 where id = $1
