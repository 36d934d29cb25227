-- Erasing a person: what is his goes; his refusals stay in force under a keyed hash of his number.
select 1;
