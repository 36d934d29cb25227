-- What the service may do, and what nobody may: rules 3 and 5 of the design, held by the database itself.

create function refuse_change() returns trigger language plpgsql as $$
begin
    raise exception '% is append-only', tg_table_name using errcode = 'insufficient_privilege';
end
$$;

do $$
declare
    append_only text;
begin
    foreach append_only in array array['decisions', 'evidence', 'refusals', 'alarms', 'suppression_imports'] loop
        execute format('create trigger append_only before update or delete on %I
                        for each row execute function refuse_change()', append_only);
        execute format('create trigger no_truncate before truncate on %I
                        for each statement execute function refuse_change()', append_only);
    end loop;
end
$$;

create function bump_config() returns trigger language plpgsql as $$
begin
    update config_state set version = version + 1;
    perform pg_notify('heedline_config', '');
    return null;
end
$$;

do $$
declare
    config text;
begin
    foreach config in array array['sellers', 'trunks', 'presented_numbers', 'routes', 'suppression_lists', 'suppression_imports'] loop
        execute format('create trigger bump_config after insert or update or delete on %I
                        for each statement execute function bump_config()', config);
    end loop;
end
$$;

-- An owner that is no superuser must be able to take on the role: since PostgreSQL 16 creating it is not enough.
do $$
begin
    if not pg_has_role(current_user, 'heedline_service', 'set') then
        execute format('grant heedline_service to %I with inherit false, set true', current_user);
    end if;
end
$$;
grant usage on schema public to heedline_service;
grant select on all tables in schema public to heedline_service;
grant insert on all tables in schema public to heedline_service;
-- Ids that are known before their rows: a batch of decisions, an import while its numbers go in.
grant usage on sequence decisions_id_seq, suppression_imports_id_seq to heedline_service;
revoke insert on config_state from heedline_service;
revoke insert on alembic_version from heedline_service;
grant update (version) on config_state to heedline_service;
grant update (name, industry, suspended) on sellers to heedline_service;
grant update (country, origin) on trunks to heedline_service;
grant update (holder, use), delete on presented_numbers to heedline_service;
grant update (non_marketing, reason, declared_by, declared_at), delete on routes to heedline_service;
grant update (owner, prefixes) on suppression_lists to heedline_service;
grant delete on suppressed_numbers to heedline_service;
grant update (withdrawn_at) on consents to heedline_service;
grant update (redeemed_at, redeemed_by, dialled_at, ringing_at, answered_at, ended_at, cause, sip_status, dial_status)
    on attempts to heedline_service;
