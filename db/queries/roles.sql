-- Logins and what they may do, for the setting up of a server.

-- name: login
select current_setting('server_version') as server,
       current_setting('server_version_num')::int / 10000 as major,
       session_user::text as login,
       r.rolsuper as superuser,
       exists (select from pg_roles where rolname = $1) as service_exists,
       coalesce((select pg_has_role(session_user, s.oid, 'set') from pg_roles s where s.rolname = $1), false) as service,
       exists (select from pg_class c join pg_namespace n on n.oid = c.relnamespace
               where n.nspname = 'public' and c.relname = 'evidence' and pg_has_role(session_user, c.relowner, 'usage'))
           as owner
from pg_roles r where r.rolname = session_user

-- name: create_login
select format('create role %I login nosuperuser nocreatedb nocreaterole noreplication nobypassrls', $1::text)
where not exists (select from pg_roles where rolname = $1)

-- name: memberships
select g.rolname::text as role
from pg_auth_members m join pg_roles g on g.oid = m.roleid join pg_roles u on u.oid = m.member
where u.rolname = $1 and g.rolname <> $2

-- name: is_privileged
select true from pg_roles where rolname = $1 and (rolsuper or rolcreaterole or rolcreatedb or rolbypassrls or rolreplication)

-- name: set_password
select format('alter role %I password %L', $1::text, $2::text)

-- name: grant_service
select format('grant %I to %I', $2::text, $1::text)
