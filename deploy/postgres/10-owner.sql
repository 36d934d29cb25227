-- Run once by the image's entry point, as the superuser, when the data folder is empty: the login that owns the database
-- and migrates it. It is no superuser; it may create roles, since the migration makes the service's.

\set password `cat "$HEEDLINE_OWNER_PASSWORD_FILE"`
-- An empty password would pass without an error; this is one.
select 1 / length(:'password') as owner_password_is_there;

create role heedline_owner login createrole password :'password';
select format('alter database %I owner to heedline_owner', current_database()) \gexec
