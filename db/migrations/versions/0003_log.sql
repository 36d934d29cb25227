-- The evidence as a log that proves itself: what an entry says stands apart from the leaf, which commits to it.

-- The personal part. `callee`: whom the entry is about, where no row that `subject` names knows it.
create table evidence_payloads (
    entry bigint primary key,
    salt bytea not null check (length(salt) = 16),
    callee bigint,
    payload text not null
);
alter table evidence_payloads alter column salt set storage plain;
create index evidence_payloads_callee on evidence_payloads (callee) where callee is not null;

alter table evidence disable trigger append_only;
insert into evidence_payloads (entry, salt, payload) select id, uuid_send(gen_random_uuid()), payload from evidence;
alter table evidence add column commitment bytea;
update evidence e set commitment = sha256(p.salt || convert_to(p.payload, 'UTF8')) from evidence_payloads p where p.entry = e.id;
alter table evidence alter column commitment set not null, alter column commitment set storage plain,
    add check (length(commitment) = 32), add check (kind ~ '^[a-z0-9_.]{1,64}$'), drop column payload;
alter table evidence enable trigger append_only;
create index evidence_subject on evidence (subject) where subject is not null;
create index evidence_rare on evidence (kind, id) where subject is null;
-- What the log says of itself is looked for among millions of entries.
create index evidence_of_the_log on evidence (id)
    where kind in ('log.key_added', 'log.key_rotated', 'log.restored', 'log.verified', 'evidence.erased');

-- Entries with what they say; `payload` and `salt` are null once they are erased.
create view evidence_entries as
    select e.id, e.at, e.kind, e.subject, e.commitment, p.salt, p.callee, p.payload
    from evidence e left join evidence_payloads p on p.entry = e.id;
grant select on evidence_entries to heedline_service;

-- Entries that wait for their leaf; written with the entry, taken by the sealer. No order and no index: it is short.
create table unsealed (entry bigint not null);
alter table unsealed set (autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_cost_delay = 0);
insert into unsealed select id from evidence;

-- Writes entries: each with its leaf's part, its payload, and its place in the queue. Returns their ids, in order.
create function evidence_write(p_at timestamptz, p_kind text[], p_subject bigint[], p_callee bigint[], p_payload text[])
returns bigint[]
language plpgsql volatile
as $$
declare
    ids bigint[];
begin
    with given as materialized (
        select nextval('evidence_id_seq') as id, kind, subject, callee, payload, uuid_send(gen_random_uuid()) as salt
        from unnest(p_kind, p_subject, p_callee, p_payload) as t(kind, subject, callee, payload)
    ), said as (
        insert into evidence (id, at, kind, subject, commitment) overriding system value
        select id, p_at, kind, subject, sha256(salt || convert_to(payload, 'UTF8')) from given
    ), kept as (
        insert into evidence_payloads (entry, salt, callee, payload) select id, salt, callee, payload from given
    ), queued as (
        insert into unsealed select id from given
    )
    select array_agg(id order by id) from given into ids;
    return ids;
end
$$;

create function evidence_write(p_at timestamptz, p_kind text, p_subject bigint, p_callee bigint, p_payload text)
returns bigint
language plpgsql volatile
as $$
begin
    return (evidence_write(p_at, array[p_kind], array[p_subject], array[p_callee], array[p_payload]))[1];
end
$$;

-- The log. `name` is its origin in checkpoints; `key` the one of `log_keys` that signs now; `size` how many leaves it has.
create table log_state (
    only_row boolean primary key default true check (only_row),
    name text not null check (name ~ '^[!-*,-~]{1,200}$'),
    key integer not null,
    size bigint not null default 0
);

-- Public keys (Ed25519); the private ones are files of the nodes that seal. `name` is the log's name that a key signs
-- under; `entry` announces it: until that entry has its leaf, the key before it signs beside it.
create table log_keys (
    id integer generated always as identity primary key,
    name text not null,
    entry bigint,
    public bytea not null unique check (length(public) = 32),
    added_at timestamptz not null,
    added_by text not null
);

create table leaves (
    index bigint primary key check (index >= 0),
    entry bigint not null unique
);

-- Hashes of the tree, 256 a row at most: level 0 of leaves, level 1 of the subtrees over 256 leaves, and so on (the tiles of
-- C2SP tlog-tiles). The last of each level grows.
create table tiles (
    level smallint not null,
    index bigint not null,
    hashes bytea not null check (length(hashes) between 32 and 8192 and length(hashes) % 32 = 0),
    primary key (level, index)
);
alter table tiles alter column hashes set storage external;
-- The partial ones are written anew at every step.
alter table tiles set (toast.autovacuum_vacuum_threshold = 5000, toast.autovacuum_vacuum_scale_factor = 0.02);

-- `note` is the signed text as it was published.
create table checkpoints (
    size bigint primary key,
    root bytea not null check (length(root) = 32),
    at timestamptz not null,
    key integer not null references log_keys,
    note text not null
);

-- Signature lines of witnesses, and time stamps (RFC 3161), on published checkpoints.
create table cosignatures (
    size bigint not null references checkpoints,
    witness text not null,
    line text not null,
    at timestamptz not null,
    primary key (size, witness)
);
create index cosignatures_witness on cosignatures (witness, size);
create table timestamps (
    size bigint not null references checkpoints,
    authority text not null,
    token bytea not null,
    at timestamptz not null,
    primary key (size, authority)
);

do $$
declare
    append_only text;
begin
    foreach append_only in array array['log_keys', 'leaves', 'checkpoints', 'cosignatures', 'timestamps'] loop
        execute format('create trigger append_only before update or delete on %I
                        for each row execute function refuse_change()', append_only);
        execute format('create trigger no_truncate before truncate on %I
                        for each statement execute function refuse_change()', append_only);
    end loop;
end
$$;

grant select, insert on evidence_payloads, unsealed, log_state, log_keys, leaves, tiles, checkpoints, cosignatures, timestamps
    to heedline_service;
grant delete on unsealed to heedline_service;
grant update (key, name, size) on log_state to heedline_service;
grant update (hashes) on tiles to heedline_service;
-- Ids that are known before their rows: an entry's, and what an import adds.
grant usage on sequence evidence_id_seq, consents_id_seq, refusals_id_seq to heedline_service;

-- The SIP Call-ID of an attempt towards the carrier, by which his records name the call.
alter table attempts add column carrier_call_id text;
grant update (carrier_call_id) on attempts to heedline_service;

-- What wrote entries before.

create or replace function gate_record(
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
    perform evidence_write(p_at, array_fill('decision'::text, array[cardinality(ids)]), ids, '{}', p_payload);
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
              select from consents c where c.id = any (a.consents_seen) and c.withdrawn_at is not null)
        returning a.decision_id into redeemed;
    perform evidence_write(p_now, case when redeemed is null then 'permit.rejected' else 'permit.redeemed' end, redeemed,
                    case when redeemed is null then p_callee end, p_payload);
    return redeemed;
end
$$;

create or replace function refusal_record(
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
    perform evidence_write(p_at, 'refusal', recorded, null, p_payload);
    perform pg_notify('heedline_refusal', p_callee::text);
    return query select recorded, false, true;
end
$$;
