-- Complaints: from a person, a carrier or an authority; each acts as a refusal and has a due date.

-- `authority` names the carrier or the authority that sent it; `cli` is the presented number that is complained of. `seller_id`
-- null: of whichever seller. `callee` is null, and what was written is empty, once the person is erased.
create table complaints (
    id bigint generated always as identity primary key,
    case_number text not null check (length(case_number) between 1 and 64),
    source text not null check (source in ('person', 'carrier', '12321', 'authority')),
    authority text not null default '' check (length(authority) <= 200 and (authority <> '' or source <> 'authority')),
    callee bigint check (callee between 1000 and 999999999999999),
    cli text check (cli ~ '^\+?[0-9]{2,15}$'),
    seller_id integer references sellers,
    channel text not null check (channel in ('telephone', 'web', 'app', 'letter', 'email', 'api')),
    received_at timestamptz not null,
    due_at timestamptz not null,
    text text not null,
    refusal_id bigint not null unique,
    status text not null default 'open' check (status in ('open', 'answered', 'closed')),
    answer text,
    answered_at timestamptz,
    answered_by text,
    outcome text,
    closed_at timestamptz,
    closed_by text,
    recorded_at timestamptz not null default clock_timestamp(),
    recorded_by text not null,
    check ((answered_at is null) = (answered_by is null)),
    check ((closed_at is not null) = (status = 'closed') and (closed_at is null) = (closed_by is null)),
    check (status <> 'answered' or answered_at is not null),
    unique (source, authority, case_number)
);
create index complaints_callee on complaints (callee);
create index complaints_due on complaints (due_at) where status = 'open';

-- The calls that it is about, by their decisions: found by the callee, the number and the time, or named by a person.
create table complaint_calls (
    complaint bigint not null references complaints,
    decision bigint not null,
    by_hand boolean not null,
    tied_at timestamptz not null,
    tied_by text not null,
    primary key (complaint, decision)
);
create index complaint_calls_decision on complaint_calls (decision);

-- What was received stays as it was; what is done about it is added.
create trigger append_only
    before delete or update of id, case_number, source, authority, callee, cli, seller_id, channel, received_at, due_at, text,
        refusal_id, recorded_at, recorded_by
    on complaints for each row execute function refuse_change();
create trigger no_truncate before truncate on complaints for each statement execute function refuse_change();
create trigger append_only before update or delete on complaint_calls for each row execute function refuse_change();
create trigger no_truncate before truncate on complaint_calls for each statement execute function refuse_change();

grant select, insert on complaints, complaint_calls to heedline_service;
grant update (status, answer, answered_at, answered_by, outcome, closed_at, closed_by) on complaints to heedline_service;
grant usage on sequence complaints_id_seq to heedline_service; -- a case number of our own holds the id

-- What was done in a stretch of time: rows lie in the order of time, so a few bytes for many of them find it.
create index decisions_at on decisions using brin (at) with (pages_per_range = 32, autosummarize = on);
create index attempts_at on attempts using brin (at) with (pages_per_range = 32, autosummarize = on);
create index evidence_at on evidence using brin (at) with (pages_per_range = 32, autosummarize = on);
create index evidence_rejected on evidence (at) where kind = 'permit.rejected';

-- Calls, and what was to be one, with what each rested on and what the log says of it. `at`: when it left, else when it was
-- decided; a window is asked for by `decided_at` too, which is indexed, with some minutes more on either side.
create view traced_calls as
    select case when a.redeemed_at is not null then 'called' when a.decision_id is not null then 'unused' else 'withheld' end as fate,
           coalesce(a.redeemed_at, d.at) as at, d.id as decision, d.callee as callee_digits, d.callee_text as callee, d.presented,
           d.seller_code as seller, d.purpose, d.trunk, d.path, d.call_id, d.outcome, d.reasons, d.rule_version as rules,
           d.at as decided_at, a.dialled_at, a.ringing_at, a.answered_at, a.ended_at, a.cause, a.sip_status, a.dial_status,
           (select jsonb_agg(jsonb_build_object(
                'id', c.id, 'purpose', c.purpose, 'basis', c.basis, 'granted_at', c.granted_at, 'withdrawn_at', c.withdrawn_at,
                'sha256', encode(c.artefact_sha256, 'hex')) order by c.id)
            from consents c where c.id = any (a.consents_seen)) as consents,
           (select jsonb_agg(jsonb_build_object('id', r.id, 'at', r.at, 'how', r.how, 'seller', s.code) order by r.at, r.id)
            from refusals r left join sellers s on s.id = r.seller_id
            where r.callee = d.callee and (r.seller_id is null or r.seller_id = d.seller_id)) as refusals,
           (select array_agg(t.complaint order by t.complaint) from complaint_calls t where t.decision = d.id) as complaints,
           (select jsonb_agg(jsonb_build_object('kind', e.kind, 'entry', e.id, 'index', l.index) order by e.id)
            from evidence e left join leaves l on l.entry = e.id
            where e.subject = d.id and e.kind in ('decision', 'permit.redeemed', 'attempt.ended', 'attempt.amended')) as entries
    from decisions d left join attempts a on a.decision_id = d.id;
grant select on traced_calls to heedline_service;
