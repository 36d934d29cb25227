-- name: witness
select at, (select coalesce(max(id), 0) from decisions) as newest from clock_witness()

-- name: reconfigure
update config_state set version = version + 1
