-- Erasing a person: what is his goes; his refusals stay in force under a keyed hash of his number.

-- HMAC-SHA-256 of the callee's E.164 digits, by a key that is a file of the nodes. `refusal_id` and `at` are the refusal's own.
create table erased_refusals (
    callee_hmac bytea not null check (length(callee_hmac) = 32),
    seller_id integer references sellers, -- null: to all sellers
    refusal_id bigint primary key,
    at timestamptz not null
);
create index erased_refusals_callee on erased_refusals (callee_hmac);

-- Which key: its SHA-256 fingerprint, and the node that made it. Before the first erasure there is no row, and nobody hashes.
create table erasure_key (
    only_row boolean primary key default true check (only_row),
    fingerprint bytea not null check (length(fingerprint) = 32),
    node text not null,
    made_at timestamptz not null
);

-- People whose erasure was asked for and is not done: records of theirs must be kept yet, or it is under way. `refusal_id`:
-- the one in `erased_refusals` that binds from the asking on. `despite`: by what authority no term is waited for.
create table pending_erasures (
    callee bigint primary key,
    refusal_id bigint not null,
    asked_at timestamptz not null,
    asked_by text not null,
    reason text not null,
    despite text
);

-- Files that every node removes from its own folders: unless a record names them again, or (`though_named`) although one does,
-- whose own time is longer than the recording's.
create table erased_files (
    sha256 bytea not null check (length(sha256) = 32),
    though_named boolean not null,
    at timestamptz not null,
    primary key (sha256, though_named)
);

-- The file that an artefact of a refusal or of spoken words names, if any.
create function artefact_file(artefact jsonb) returns text
    language sql immutable parallel safe
    return case artefact ->> 'kind'
        when 'speech' then nullif(artefact ->> 'clip', '')
        when 'form' then artefact ->> 'sha256'
        when 'request' then artefact -> 'form' ->> 'sha256'
    end;

create index consents_artefact on consents (artefact_sha256) where artefact_sha256 is not null;
create index refusals_file on refusals (artefact_file(artefact)) where artefact_file(artefact) is not null;
create index speech_reviews_file on speech_reviews (artefact_file(artefact)) where artefact_file(artefact) is not null;
create index speech_reviews_callee on speech_reviews (callee);

-- What is append-only may be changed by the functions below alone: they run as the tables' owner, and say for the length of
-- their transaction that they erase. The log itself (entries, leaves, checkpoints, keys) is not among what they may change.
create or replace function refuse_change() returns trigger language plpgsql as $$
begin
    if tg_op in ('UPDATE', 'DELETE')
        and tg_table_name in ('decisions', 'refusals', 'refusal_receipts', 'alarms', 'evidence_payloads', 'complaints')
        and current_setting('heedline.erasing', true) = pg_current_xact_id()::text
        and current_user = (select pg_get_userbyid(c.relowner) from pg_class c where c.oid = tg_relid)
    then
        return case tg_op when 'DELETE' then old else new end;
    end if;
    raise exception '% is append-only', tg_table_name using errcode = 'insufficient_privilege';
end
$$;

do $$
declare
    append_only text;
begin
    foreach append_only in array array['evidence_payloads', 'erased_refusals', 'erasure_key', 'erased_files'] loop
        execute format('create trigger append_only before update or delete on %I
                        for each row execute function refuse_change()', append_only);
        execute format('create trigger no_truncate before truncate on %I
                        for each statement execute function refuse_change()', append_only);
    end loop;
end
$$;

-- The first erasure tells every gate that numbers must be hashed from now on.
create trigger bump_config after insert on erasure_key for each statement execute function bump_config();

grant select on erased_refusals, erasure_key, pending_erasures, erased_files to heedline_service;

-- RFC 3339 in UTC, as entries have it.
create function instant_text(at timestamptz) returns text
    language sql stable
    return to_char(at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US') || '+00:00';

-- Notes the key on its first use; any other is refused.
create function erasure_key_must_fit(p_fingerprint bytea, p_node text, p_at timestamptz) returns void
language plpgsql volatile
as $$
begin
    insert into erasure_key (fingerprint, node, made_at) values (p_fingerprint, p_node, p_at) on conflict do nothing;
    if not exists (select from erasure_key where fingerprint = p_fingerprint) then
        raise exception 'another key hashes the numbers of erased people' using errcode = 'invalid_password';
    end if;
end
$$;

-- Keeps refusals in force by HMAC, and says so for each.
create function refusals_hash(
    p_hmac bytea[], p_seller_id integer[], p_refusal_id bigint[], p_refused_at timestamptz[], p_at timestamptz, p_by text
) returns void
language plpgsql volatile
as $$
begin
    if cardinality(p_refusal_id) = 0 then
        return;
    end if;
    insert into erased_refusals (callee_hmac, seller_id, refusal_id, at)
        select * from unnest(p_hmac, p_seller_id, p_refusal_id, p_refused_at);
    perform evidence_write(
        p_at, array_agg('refusal.hashed'::text), array_agg(t.id order by t.id), '{}',
        array_agg(format('{"at":%s,"by":%s,"kind":"refusal.hashed","refusal":%s,"refused_at":%s,"seller":%s}',
                         to_json(instant_text(p_at)), to_json(p_by), t.id, to_json(instant_text(t.refused_at)),
                         coalesce(to_json(s.code)::text, 'null')) order by t.id))
        from unnest(p_seller_id, p_refusal_id, p_refused_at) as t(seller_id, id, refused_at) left join sellers s on s.id = t.seller_id;
end
$$;

-- Erases the personal part of the records that are named, and writes the entry that says so. Their callees' locks are held.
-- `p_callees` with `p_hmacs`: the hash of each callee whose refusals are among them. Returns no row when nothing was there.
create function erase_rows(
    p_callees bigint[], p_hmacs bytea[], p_decisions bigint[], p_consents bigint[], p_refusals bigint[], p_reviews bigint[],
    p_complaints bigint[], p_alarms bigint[], p_entries bigint[], p_files bytea[], p_at timestamptz, p_by text, p_basis text,
    p_despite text, p_reason text, p_rules text[], p_days integer[]
) returns table (entry bigint, entries bigint, files bytea[])
language plpgsql volatile
as $$
#variable_conflict use_column
declare
    hashed record;
    gone bigint[];
    named bytea[];
    left_over bytea[];
    changed bigint := 0;
    touched bigint;
    ranges text;
begin
    perform set_config('heedline.erasing', pg_current_xact_id()::text, true);
    select array_agg(k.hmac order by r.id) as hmac, array_agg(r.seller_id order by r.id) as seller_id,
           array_agg(r.id order by r.id) as id, array_agg(r.at order by r.id) as at
        into hashed
        from refusals r left join unnest(p_callees, p_hmacs) as k(callee, hmac) on k.callee = r.callee
        where r.id = any (p_refusals);
    if hashed.id is not null then
        perform refusals_hash(hashed.hmac, hashed.seller_id, hashed.id, hashed.at, p_at, p_by);
        -- Redemption does not see hashes. An old refusal may have been recorded a moment ago, after a permit was issued.
        update attempts a set expires_at = p_at - permit_grace() from refusals r
            where r.id = any (p_refusals) and a.callee = r.callee and a.redeemed_at is null
              and a.expires_at > p_at - permit_grace();
    end if;

    -- A consent that was withdrawn bars: as a refusal it does so still, unless he has agreed anew.
    select array_agg(c.hmac) as hmac, array_agg(c.seller_id) as seller_id, array_agg(c.id) as id, array_agg(c.at) as at
        into hashed
        from (
            select k.hmac, c.seller_id, nextval('refusals_id_seq') as id, c.withdrawn_at as at
            from consents c join unnest(p_callees, p_hmacs) as k(callee, hmac) on k.callee = c.callee
            where c.id = any (p_consents) and c.withdrawn_at is not null and p_basis = 'retention'
              and not exists (
                  select from consents n
                  where n.callee = c.callee and n.seller_id = c.seller_id and n.granted_at > c.withdrawn_at)
        ) as c;
    if hashed.id is not null then
        perform refusals_hash(hashed.hmac, hashed.seller_id, hashed.id, hashed.at, p_at, p_by);
    end if;

    select array_agg(distinct f.sha256) into named from (
        select c.artefact_sha256 from consents c where c.id = any (p_consents)
        union all
        select decode(artefact_file(r.artefact), 'hex') from refusals r where r.id = any (p_refusals)
        union all
        select decode(artefact_file(v.artefact), 'hex') from speech_reviews v where v.id = any (p_reviews)
    ) as f(sha256) where f.sha256 is not null;

    with doomed as (
        select e.id from evidence e
        where e.subject = any (p_decisions) and (e.kind = 'decision' or e.kind like 'permit.%' or e.kind like 'attempt.%')
        union
        select e.id from evidence e where e.subject = any (p_consents) and e.kind like 'consent.%'
        union
        select e.id from evidence e where e.subject = any (p_refusals) and e.kind = 'refusal'
        union
        select e.id from evidence e where e.subject = any (p_reviews) and e.kind like 'review.%'
        union
        select e.id from evidence e where e.subject = any (p_complaints) and e.kind like 'complaint.%'
        union
        select e.id from evidence e where e.subject = any (p_alarms) and e.kind like 'alarm.%'
        union
        select unnest(p_entries)
    ), deleted as (
        delete from evidence_payloads p using doomed d where p.entry = d.id returning p.entry
    )
    select array_agg(d.entry order by d.entry) into gone from deleted d;

    update decisions set callee = null, callee_text = '', call_id = ''
        where id = any (p_decisions) and (callee is not null or callee_text <> '' or call_id <> '');
    get diagnostics touched = row_count;
    changed := changed + touched;
    update attempts set callee = null, callee_text = '', carrier_call_id = null,
                        expires_at = case when redeemed_at is null then least(expires_at, p_at) else expires_at end
        where decision_id = any (p_decisions) and (callee is not null or callee_text <> '');
    delete from webhook_deliveries w using webhooks h where w.webhook_id = h.id and w.refusal_id = any (p_refusals);
    delete from refusal_receipts where refusal_id = any (p_refusals);
    delete from speech_reviews where id = any (p_reviews);
    get diagnostics touched = row_count;
    changed := changed + touched;
    delete from refusals where id = any (p_refusals);
    get diagnostics touched = row_count;
    changed := changed + touched;
    delete from consents where id = any (p_consents);
    get diagnostics touched = row_count;
    changed := changed + touched;
    update complaints set callee = null, text = '', answer = case when answer is null then null else '' end,
                          outcome = case when outcome is null then null else '' end
        where id = any (p_complaints) and (callee is not null or text <> '' or answer <> '' or outcome <> '');
    get diagnostics touched = row_count;
    changed := changed + touched;
    update alarms set channel = '', detail = '' where id = any (p_alarms) and (channel <> '' or detail <> '');
    get diagnostics touched = row_count;
    changed := changed + touched;
    perform set_config('heedline.erasing', '', true);

    select array_agg(n.sha256) into left_over from unnest(named) as n(sha256) where not file_is_named(n.sha256);
    insert into erased_files (sha256, though_named, at)
        select unnest(left_over), false, p_at union all select unnest(p_files), true, p_at
        on conflict do nothing;
    left_over := coalesce(left_over, '{}') || p_files;

    if gone is null and changed = 0 and cardinality(left_over) = 0 then
        return;
    end if;
    select '[' || coalesce(string_agg(format('[%s,%s]', first, last), ',' order by first), '') || ']' into ranges from (
        select min(id) as first, max(id) as last
        from (select id, id - row_number() over (order by id) as run from unnest(gone) as id) as g group by run
    ) as r;
    return query select evidence_write(
        p_at, 'evidence.erased', null, null,
        format('{"at":%s,"basis":%s,"by":%s,"despite":%s,"entries":%s,"files":%s,"kind":"evidence.erased","reason":%s,"rules":%s}',
               to_json(instant_text(p_at)), to_json(p_basis), to_json(p_by), coalesce(to_json(p_despite)::text, 'null'), ranges,
               (select '[' || coalesce(string_agg(to_json(encode(sha256, 'hex'))::text, ',' order by sha256), '') || ']'
                from unnest(left_over) as sha256),
               to_json(p_reason),
               (select '[' || coalesce(string_agg(format('[%s,%s]', to_json(rule), days), ',' order by rule, days), '') || ']'
                from unnest(p_rules, p_days) as t(rule, days)))),
        coalesce(cardinality(gone), 0)::bigint, left_over;
end
$$;

-- Whether a record still names a file.
create function file_is_named(p_sha256 bytea) returns boolean
    language sql stable
    return exists (select from consents where artefact_sha256 = p_sha256)
        or exists (select from refusals where artefact_file(artefact) = encode(p_sha256, 'hex'))
        or exists (select from speech_reviews where artefact_file(artefact) = encode(p_sha256, 'hex'));

-- The functions that the service may call. Each takes the locks that a decision about these callees takes.

-- A person asks to be erased: from the return of this on every gate refuses calls to him, and permits for him are dead.
create function erasure_ask(
    p_callee bigint, p_hmac bytea, p_fingerprint bytea, p_node text, p_at timestamptz, p_by text, p_reason text, p_despite text
) returns bigint
language plpgsql volatile security definer set search_path = public, pg_temp
as $$
declare
    refusal bigint;
begin
    perform pg_advisory_xact_lock_shared(bulk_lock());
    perform pg_advisory_xact_lock(callee_lock(p_callee));
    perform erasure_key_must_fit(p_fingerprint, p_node, p_at);
    select max(refusal_id) into refusal from erased_refusals where callee_hmac = p_hmac and seller_id is null;
    if refusal is null or exists (select from consents c where c.callee = p_callee and c.lifts = refusal) then
        refusal := nextval('refusals_id_seq');
        perform refusals_hash(array[p_hmac], array[null::integer], array[refusal], array[p_at], p_at, p_by);
    end if;
    insert into pending_erasures (callee, refusal_id, asked_at, asked_by, reason, despite)
        values (p_callee, refusal, p_at, p_by, p_reason, p_despite)
        on conflict (callee) do update set refusal_id = excluded.refusal_id, reason = excluded.reason,
            asked_by = excluded.asked_by, despite = coalesce(excluded.despite, pending_erasures.despite);
    perform pg_notify('heedline_refusal', p_callee::text);
    return refusal;
end
$$;

-- Erases all that is known of a person who asked. `p_texts`: forms of his number, which are sought in alarms; `p_decisions`:
-- decisions whose text was no number and is his nevertheless.
create function erase_person(
    p_callee bigint, p_hmac bytea, p_fingerprint bytea, p_node text, p_texts text[], p_decisions bigint[], p_at timestamptz,
    p_by text, p_rules text[], p_days integer[]
) returns table (entry bigint, entries bigint, files bytea[])
language plpgsql volatile security definer set search_path = public, pg_temp
as $$
#variable_conflict use_column
declare
    asked record;
begin
    perform pg_advisory_xact_lock_shared(bulk_lock());
    perform pg_advisory_xact_lock(callee_lock(p_callee));
    perform erasure_key_must_fit(p_fingerprint, p_node, p_at);
    delete from pending_erasures where callee = p_callee returning * into asked;
    if asked.callee is null then
        raise exception 'nobody asked for this erasure' using errcode = 'no_data_found';
    end if;
    -- Consents that lifted refusals go too; only a later one lifts what stays.
    delete from suppressed_numbers where number = p_callee;
    return query select * from erase_rows(
        array[p_callee], array[p_hmac],
        array(select id from decisions where callee = p_callee union select decision_id from attempts where callee = p_callee
              union select unnest(p_decisions)),
        array(select id from consents where callee = p_callee),
        array(select id from refusals where callee = p_callee),
        array(select id from speech_reviews where callee = p_callee),
        array(select id from complaints where callee = p_callee),
        array(select a.id from alarms a where exists (
            select from unnest(p_texts) as t(text) where position(t.text in a.detail) > 0 or position(t.text in a.channel) > 0)),
        array(select p.entry from evidence_payloads p where p.callee = p_callee), '{}',
        p_at, p_by, 'request', asked.despite, asked.reason, p_rules, p_days);
end
$$;

-- Erases records whose time is over: a bounded number at once, of any callees. `p_hmacs`: of `p_callees`, whose refusals and
-- consents are among them. `p_files`: recordings whose time is over though their records stay.
create function erase_records(
    p_callees bigint[], p_hmacs bytea[], p_fingerprint bytea, p_node text, p_decisions bigint[], p_consents bigint[],
    p_refusals bigint[], p_reviews bigint[], p_complaints bigint[], p_entries bigint[], p_files bytea[], p_at timestamptz,
    p_by text, p_basis text, p_reason text, p_rules text[], p_days integer[]
) returns table (entry bigint, entries bigint, files bytea[])
language plpgsql volatile security definer set search_path = public, pg_temp
as $$
#variable_conflict use_column
begin
    perform pg_advisory_xact_lock_shared(bulk_lock());
    perform pg_advisory_xact_lock(callee_lock(k)) from (
        select r.callee as k from refusals r where r.id = any (p_refusals)
        union select c.callee from consents c where c.id = any (p_consents)
        order by 1
    ) as keys;
    if cardinality(p_refusals) + cardinality(p_consents) > 0 then
        perform erasure_key_must_fit(p_fingerprint, p_node, p_at);
    end if;
    return query select * from erase_rows(
        p_callees, p_hmacs, p_decisions, p_consents, p_refusals, p_reviews, p_complaints, '{}', p_entries, p_files, p_at, p_by,
        p_basis, null, p_reason, p_rules, p_days);
end
$$;

revoke all on function erasure_key_must_fit, refusals_hash, erase_rows, erasure_ask, erase_person, erase_records from public;
grant execute on function erasure_ask, erase_person, erase_records to heedline_service;

-- The gate sees them: `p_hmacs` are of `p_callees`, or null where nobody was erased.

drop function gate_load(bigint[], timestamptz, timestamptz);

create function gate_load(p_callees bigint[], p_since timestamptz, p_now timestamptz, p_hmacs bytea[] default null)
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
        select k.callee, 'r'::"char", r.refusal_id, r.seller_id, null, null, null, r.at, null, null, null, null, null, null
        from unnest(p_callees, p_hmacs) as k(callee, hmac) join erased_refusals r on r.callee_hmac = k.hmac
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

-- A permit that was issued before its callee asked to be erased is dead; once he is erased it is nobody's.
create or replace function permit_redeem(
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
              select from pending_erasures p
              where p.callee = p_callee and not (p.refusal_id = any (coalesce(a.refusals_seen, '{}'))))
          and not exists (
              select from consents c where c.id = any (a.consents_seen) and c.withdrawn_at is not null)
        returning a.decision_id into redeemed;
    perform evidence_write(p_now, case when redeemed is null then 'permit.rejected' else 'permit.redeemed' end, redeemed,
                    case when redeemed is null then p_callee end, p_payload);
    return redeemed;
end
$$;
