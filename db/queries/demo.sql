-- name: newest_evidence
select coalesce(max(id), 0) from evidence

-- name: decision_since
select d.id, d.outcome, d.reasons from evidence e join decisions d on d.id = e.subject
where e.kind = 'decision' and e.id > $1 order by e.id limit 1

-- name: permit_rejected_since
select true from evidence where kind = 'permit.rejected' and id > $1 limit 1

-- name: newest_refusal
select coalesce(max(id), 0) from refusals

-- name: refusal_since
select how from refusals where callee = $1 and id > $2 and artefact is not null order by id limit 1
