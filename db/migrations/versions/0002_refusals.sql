-- What proves a refusal, by which rule it binds, and the receipt by which the one who tells of it may tell it again.

-- `attempt`: the decision whose call it was said in. `artefact`: an object whose `kind` says what it is (key, speech, form,
-- request). `rule` and `rule_version`: the policy rules under which it was recorded.
alter table refusals
    add column attempt bigint,
    add column artefact jsonb check (jsonb_typeof(artefact) = 'object'),
    add column rule text,
    add column rule_version text;

-- A receipt names one refusal for ever: told twice (a replayed spool, a repeated request), it is recorded once. `digest` is of
-- what was told, so that another refusal under the same receipt is noticed.
create table refusal_receipts (
    receipt text primary key check (length(receipt) between 1 and 200),
    digest bytea not null check (length(digest) = 32),
    refusal_id bigint not null,
    recorded_at timestamptz not null default clock_timestamp()
);
create unique index refusal_receipts_refusal on refusal_receipts (refusal_id);

-- Spoken words that may be a refusal: a person decides. `refusal_id` is the refusal that the decision recorded.
create table speech_reviews (
    id bigint generated always as identity primary key,
    callee bigint not null check (callee between 1000 and 999999999999999),
    seller_id integer references sellers,
    at timestamptz not null,
    call_id text,
    attempt bigint,
    artefact jsonb not null check (jsonb_typeof(artefact) = 'object'),
    recorded_at timestamptz not null default clock_timestamp(),
    decision text check (decision in ('refusal', 'dismissed')),
    decided_at timestamptz,
    decided_by text,
    refusal_id bigint,
    check ((decision is null) = (decided_at is null) and (decision is null) = (decided_by is null)),
    check ((refusal_id is not null) = (decision is not distinct from 'refusal'))
);
create index speech_reviews_open on speech_reviews (id) where decision is null;

create trigger append_only before update or delete on refusal_receipts for each row execute function refuse_change();
create trigger no_truncate before truncate on refusal_receipts for each statement execute function refuse_change();

drop function refusal_record(bigint, integer, text, timestamptz, text, text, text, text);

-- Records one refusal. When the transaction has committed, no permit for this callee and seller can be issued or redeemed.
-- `known`: its receipt was given before, and this is the refusal that was recorded then; `fits`: it was the same one.
create function refusal_record(
    p_callee bigint, p_seller_id integer, p_how text, p_at timestamptz, p_call_id text, p_agent text, p_note text,
    p_attempt bigint, p_artefact text, p_rule text, p_rule_version text, p_receipt text, p_digest bytea, p_payload text
) returns table (id bigint, known boolean, fits boolean)
language plpgsql volatile
as $$
declare
    earlier record;
    recorded bigint;
begin
    perform pg_advisory_xact_lock_shared(bulk_lock());
    perform pg_advisory_xact_lock(callee_lock(p_callee));
    if p_receipt is not null then
        -- one receipt, told at the same moment of two callees
        perform pg_advisory_xact_lock(hashtextextended(p_receipt, 2));
        select r.refusal_id, r.digest into earlier from refusal_receipts r where r.receipt = p_receipt;
        if found then
            return query select earlier.refusal_id, true, earlier.digest = p_digest;
            return;
        end if;
    end if;
    insert into refusals (callee, seller_id, how, at, call_id, agent, note, attempt, artefact, rule, rule_version)
        values (p_callee, p_seller_id, p_how, p_at, p_call_id, p_agent, p_note, p_attempt, p_artefact::jsonb, p_rule,
                p_rule_version)
        returning refusals.id into recorded;
    if p_receipt is not null then
        insert into refusal_receipts (receipt, digest, refusal_id) values (p_receipt, p_digest, recorded);
    end if;
    insert into evidence (at, kind, subject, payload) values (p_at, 'refusal', recorded, p_payload);
    perform pg_notify('heedline_refusal', p_callee::text);
    return query select recorded, false, true;
end
$$;

grant select, insert on refusal_receipts, speech_reviews to heedline_service;
grant update (decision, decided_at, decided_by, refusal_id) on speech_reviews to heedline_service;
