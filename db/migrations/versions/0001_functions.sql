-- The gate's statements. Each is one round trip; all run with the caller's rights.

-- The key of a callee's lock. The high bits keep it apart from other advisory locks.
create function callee_lock(callee bigint) returns bigint
    language sql immutable parallel safe
    return callee | (1::bigint << 60);

-- Bulk writers of refusals hold this exclusively at their commit; the gate holds it shared. So a gate transaction either
-- ends before a bulk import returns, or sees it.
create function bulk_lock() returns bigint language sql immutable parallel safe return (1::bigint << 61);

-- A permit counts for so long after its end: its redemption may be waiting for the lock that a decision holds, with a clock
-- that it read before, or on a node whose clock is a little behind.
create function permit_grace() returns interval language sql immutable parallel safe return interval '5 seconds';

-- Takes the callees' locks (in order, so that two batches cannot wait for each other) and returns what is known of them.
-- A function that is volatile takes a new snapshot for each statement, so what is read was committed after the locks
-- were had. One shape of row for all kinds: c consent, r refusal, s listed, a attempt, v version of the configuration.
create function gate_load(p_callees bigint[], p_since timestamptz, p_now timestamptz)
returns table (
    callee bigint, kind "char", id bigint, seller_id integer, purpose text, basis text, kinds text[],
    at timestamptz, until timestamptz, ended timestamptz, ref bigint,
    region text, zones text[], flag boolean
)
language plpgsql volatile
set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
begin
    perform pg_advisory_xact_lock_shared(bulk_lock());
    perform pg_advisory_xact_lock(callee_lock(k)) from (select unnest(p_callees) as k order by 1) as keys;
    return query
        select c.callee, 'c'::"char", c.id, c.seller_id, c.purpose, c.basis, c.kinds,
               c.granted_at, c.expires_at, c.withdrawn_at, c.lifts,
               c.address_region, c.address_zones, c.address_verified
        from unnest(p_callees) as k join consents c on c.callee = k
        union all
        select r.callee, 'r'::"char", r.id, r.seller_id, null, null, null, r.at, null, null, null, null, null, null
        from unnest(p_callees) as k join refusals r on r.callee = k
        union all
        select s.number, 's'::"char", s.import_id, null, null, null, null, null, null, null, null, null, null, null
        from unnest(p_callees) as k join suppressed_numbers s on s.number = k
        union all
        select a.callee, 'a'::"char", a.decision_id, a.seller_id, null, null, null, a.at, null, null, null, null, null,
               a.answered_at is not null
        from unnest(p_callees) as k cross join lateral (
            select * from attempts a
            where a.callee = k and a.at >= p_since
              and (a.redeemed_at is not null or a.expires_at > p_now - permit_grace())
            order by a.at desc limit 1000
        ) as a
        union all
        select 0, 'v'::"char", s.version, null, null, null, null, null, null, null, null, null, null, null
        from config_state s;
end
$$;

-- Writes a batch: decisions, their evidence, and an attempt for each permit. Arrays run in parallel; returns the ids.
create function gate_record(
    p_at timestamptz, p_callee bigint[], p_callee_text text[], p_seller_id integer[], p_seller_code text[],
    p_purpose text[], p_presented text[], p_trunk text[], p_path text[], p_call_id text[], p_outcome text[],
    p_reasons text[], p_until timestamptz[], p_rule_version text[], p_payload text[],
    p_permit_hash bytea[], p_expires_at timestamptz, p_refusals_seen text[], p_consents_seen text[]
) returns bigint[]
language plpgsql volatile
as $$
declare
    ids bigint[];
begin
    select array_agg(nextval('decisions_id_seq')) into ids from generate_subscripts(p_callee, 1);
    insert into decisions overriding system value
        select i, p_at, callee, callee_text, seller_id, seller_code, purpose, presented, trunk, path, call_id, outcome,
               string_to_array(reasons, ' '), until, rule_version
        from unnest(ids, p_callee, p_callee_text, p_seller_id, p_seller_code, p_purpose, p_presented, p_trunk, p_path,
                    p_call_id, p_outcome, p_reasons, p_until, p_rule_version)
            as t(i, callee, callee_text, seller_id, seller_code, purpose, presented, trunk, path,
                 call_id, outcome, reasons, until, rule_version);
    insert into evidence (at, kind, subject, payload)
        select p_at, 'decision', i, payload from unnest(ids, p_payload) as t(i, payload);
    insert into attempts (decision_id, callee, callee_text, seller_id, presented, trunk, at, permit_hash, expires_at,
                          refusals_seen, consents_seen)
        select i, callee, callee_text, seller_id, presented, trunk, p_at, permit_hash, p_expires_at,
               string_to_array(refusals, ' ')::bigint[], string_to_array(consents, ' ')::bigint[]
        from unnest(ids, p_callee, p_callee_text, p_seller_id, p_presented, p_trunk, p_permit_hash, p_refusals_seen,
                    p_consents_seen)
            as t(i, callee, callee_text, seller_id, presented, trunk, permit_hash, refusals, consents)
        where permit_hash is not null;
    return ids;
end
$$;

-- Until when, by the decisions, time has come. Those up to the one after which an administrator accepted the clock say nothing
-- of it, nor does one that mistrusted its clock. Ids follow the clocks of several nodes roughly, so the newest few are asked.
create function clock_witness() returns table (at timestamptz, accepted bigint)
language sql stable
as $$
    select max(d.at), a.accepted
    from (select coalesce(max(subject), 0) as accepted from evidence where kind = 'clock.accepted') as a
    left join lateral (
        select d.at from decisions d
        where d.id > a.accepted and not 'CLOCK_UNTRUSTED' = any(d.reasons) order by d.id desc limit 100
    ) as d on true
    group by a.accepted
$$;

-- Uses a permit up: at most one caller ever gets a row. It must be for this callee and this presented number, in time, and
-- no refusal and no withdrawal may have come since.
create function permit_redeem(
    p_permit_hash bytea, p_callee_text text, p_callee bigint, p_presented text, p_by text, p_now timestamptz, p_payload text
) returns bigint
language plpgsql volatile
as $$
declare
    redeemed bigint;
begin
    if p_callee is not null then
        perform pg_advisory_xact_lock_shared(bulk_lock());
        perform pg_advisory_xact_lock(callee_lock(p_callee));
    end if;
    update attempts a set redeemed_at = p_now, redeemed_by = p_by
        where a.permit_hash = p_permit_hash and a.redeemed_at is null and a.expires_at > p_now
          and a.callee_text = p_callee_text and a.presented = p_presented
          and not exists (
              select from refusals r
              where r.callee = p_callee and (r.seller_id is null or r.seller_id = a.seller_id)
                and not (r.id = any (coalesce(a.refusals_seen, '{}'))))
          and not exists (
              select from consents c where c.id = any (a.consents_seen) and c.withdrawn_at is not null)
        returning a.decision_id into redeemed;
    insert into evidence (at, kind, subject, payload)
        values (p_now, case when redeemed is null then 'permit.rejected' else 'permit.redeemed' end, redeemed, p_payload);
    return redeemed;
end
$$;

-- Records one refusal. When the transaction has committed, no permit for this callee and seller can be issued or redeemed.
create function refusal_record(
    p_callee bigint, p_seller_id integer, p_how text, p_at timestamptz, p_call_id text, p_agent text, p_note text,
    p_payload text
) returns bigint
language plpgsql volatile
as $$
declare
    recorded bigint;
begin
    perform pg_advisory_xact_lock_shared(bulk_lock());
    perform pg_advisory_xact_lock(callee_lock(p_callee));
    insert into refusals (callee, seller_id, how, at, call_id, agent, note)
        values (p_callee, p_seller_id, p_how, p_at, p_call_id, p_agent, p_note) returning id into recorded;
    insert into evidence (at, kind, subject, payload) values (p_at, 'refusal', recorded, p_payload);
    perform pg_notify('heedline_refusal', p_callee::text);
    return recorded;
end
$$;
