-- The gate's tables. Numbers of callees are E.164 digits as bigint (at most 15 digits, never a leading zero, so nothing is
-- lost); presented numbers may be service codes without an E.164 form (95xxx) and are text.

do $$
begin
    if not exists (select from pg_roles where rolname = 'heedline_service') then
        create role heedline_service nologin;
    end if;
exception when duplicate_object or unique_violation then
    null; -- another database of this server created it at the same moment
end
$$;

-- Configuration that the gate keeps in memory; `config_state.version` says when to read it again.

create table config_state (
    only_row boolean primary key default true check (only_row),
    version bigint not null default 1
);
insert into config_state default values;

create table sellers (
    id integer generated always as identity primary key,
    code text not null unique check (code ~ '^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$'),
    name text not null,
    industry text not null default ''
        check (industry in ('', 'finance', 'property', 'health', 'recruitment_tourism')),
    suspended boolean not null default false,
    created_at timestamptz not null default clock_timestamp()
);

create table trunks (
    id integer generated always as identity primary key,
    name text not null unique check (name ~ '^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$'),
    country text not null check (country ~ '^[A-Z]{2}$'),
    origin text not null check (origin in ('domestic', 'international', 'mixed')),
    created_at timestamptz not null default clock_timestamp()
);

create table presented_numbers (
    trunk_id integer not null references trunks,
    number text not null check (number ~ '^\+?[0-9]{2,15}$'),
    seller_id integer references sellers, -- null: registered for every seller
    holder text not null,
    use text not null default '',
    registered_at timestamptz not null default clock_timestamp(),
    unique nulls not distinct (trunk_id, number, seller_id)
);

create table routes (
    name text primary key check (name ~ '^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$'),
    non_marketing boolean not null,
    reason text not null check (reason <> ''),
    declared_by text not null check (declared_by <> ''),
    declared_at timestamptz not null default clock_timestamp()
);

create table suppression_lists (
    id integer generated always as identity primary key,
    name text not null unique check (name ~ '^[a-z0-9][a-z0-9_-]{0,63}$'),
    owner text not null,
    prefixes text[] not null check (cardinality(prefixes) > 0),
    created_at timestamptz not null default clock_timestamp()
);

-- One row an import; a list's newest import is the one in force, so a list is replaced whole and at once.
create table suppression_imports (
    id integer generated always as identity primary key,
    list_id integer not null references suppression_lists,
    as_of timestamptz not null,
    entries bigint not null,
    sha256 bytea not null check (length(sha256) = 32),
    imported_at timestamptz not null default clock_timestamp()
);
create index on suppression_imports (list_id, id desc);

create table suppressed_numbers (
    number bigint not null,
    import_id integer not null,
    primary key (number, import_id)
);

-- People.

create table consents (
    id bigint generated always as identity primary key,
    callee bigint not null check (callee between 1000 and 999999999999999),
    seller_id integer not null references sellers,
    purpose text not null check (purpose ~ '^(\*|[a-z0-9][a-z0-9_-]{0,63})$'),
    basis text not null check (basis in ('written', 'express', 'inferred', 'purchase', 'inquiry')),
    kinds text[] not null default '{live,prerecorded}' check (kinds <@ '{live,prerecorded}' and cardinality(kinds) > 0),
    granted_at timestamptz not null,
    expires_at timestamptz check (expires_at > granted_at),
    withdrawn_at timestamptz,
    lifts bigint,
    artefact_sha256 bytea check (length(artefact_sha256) = 32),
    artefact_media_type text,
    artefact_location text,
    address_region text check (address_region ~ '^[A-Z]{2}(-[A-Z0-9]{1,3})?$'),
    address_zones text[] not null default '{}',
    address_verified boolean not null default false,
    recorded_at timestamptz not null default clock_timestamp(),
    recorded_by text not null
);
create index consents_callee on consents (callee);

create table refusals (
    id bigint generated always as identity primary key,
    callee bigint not null check (callee between 1000 and 999999999999999),
    seller_id integer references sellers, -- null: to all sellers
    how text not null check (how in
        ('keyed', 'spoken', 'agent', 'web', 'api', 'message', 'complaint', 'import', 'inbound_call')),
    at timestamptz not null,
    call_id text,
    agent text,
    note text,
    recorded_at timestamptz not null default clock_timestamp()
);
create index refusals_callee on refusals (callee);

-- What the gate did. A decision and its evidence are never changed; an attempt follows its call.

create table decisions (
    id bigint generated always as identity primary key,
    at timestamptz not null,
    callee bigint, -- null: not an E.164 number
    callee_text text not null,
    seller_id integer,
    seller_code text not null,
    purpose text not null,
    presented text not null,
    trunk text not null,
    path text not null,
    call_id text not null,
    outcome text not null check (outcome in ('ALLOW', 'REFUSE', 'DEFER')),
    reasons text[] not null,
    until timestamptz check ((until is not null) = (outcome = 'DEFER')),
    rule_version text not null
);
create index decisions_callee on decisions (callee, id);

-- One row a permit: from its issue until the permit dies unredeemed, or for good once redeemed, it counts under the caps.
-- `refusals_seen`: refusals that the decision knew and found not to bind; any other that exists at redemption kills the permit.
-- `consents_seen`: consents to this seller that were in force then; a withdrawal of one kills the permit too.
create table attempts (
    decision_id bigint primary key,
    callee bigint,
    callee_text text not null,
    seller_id integer,
    presented text not null,
    trunk text not null,
    at timestamptz not null,
    permit_hash bytea not null check (length(permit_hash) = 16),
    expires_at timestamptz not null,
    refusals_seen bigint[],
    consents_seen bigint[],
    redeemed_at timestamptz,
    redeemed_by text,
    dialled_at timestamptz,
    ringing_at timestamptz,
    answered_at timestamptz,
    ended_at timestamptz,
    cause integer,
    sip_status integer,
    dial_status text
);
create unique index attempts_permit on attempts (permit_hash);
create index attempts_callee on attempts (callee, at desc);

-- The log. `subject` is the id of the row in the table that `kind` speaks of.
create table evidence (
    id bigint generated always as identity primary key,
    at timestamptz not null,
    kind text not null,
    subject bigint,
    payload text not null
);
create index evidence_loosenings on evidence (id) where kind = 'policy.loosened';
create index evidence_clock on evidence (subject) where kind = 'clock.accepted';

create table alarms (
    id bigint generated always as identity primary key,
    at timestamptz not null default clock_timestamp(),
    kind text not null,
    channel text not null,
    detail text not null
);
