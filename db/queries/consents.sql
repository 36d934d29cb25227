-- name: of_callee
select c.id, c.callee, s.code as seller, c.purpose, c.basis, c.kinds, c.granted_at, c.expires_at, c.withdrawn_at, c.lifts,
       c.artefact_sha256, c.artefact_media_type, c.artefact_location, c.address_region, c.address_zones,
       c.address_verified, c.recorded_at, c.recorded_by
from consents c join sellers s on s.id = c.seller_id
where c.callee = $1
order by c.granted_at, c.id

-- name: all
select c.id, c.callee, s.code as seller, c.purpose, c.basis, c.kinds, c.granted_at, c.expires_at, c.withdrawn_at, c.lifts,
       c.artefact_sha256, c.artefact_media_type, c.artefact_location, c.address_region, c.address_zones,
       c.address_verified, c.recorded_at, c.recorded_by
from consents c join sellers s on s.id = c.seller_id
order by c.id

-- name: add
insert into consents (callee, seller_id, purpose, basis, kinds, granted_at, expires_at, lifts, artefact_sha256,
                      artefact_media_type, artefact_location, address_region, address_zones, address_verified, recorded_by)
select $1, s.id, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15 from sellers s where s.code = $2
returning id

-- name: lock
-- As a recorder of refusals does: whoever is deciding about this callee comes before or after, never beside.
select pg_advisory_xact_lock_shared(bulk_lock()), pg_advisory_xact_lock(callee_lock($1))

-- name: withdraw
update consents c set withdrawn_at = greatest($4, c.granted_at) from sellers s
where s.id = c.seller_id and s.code = $2 and c.callee = $1 and c.withdrawn_at is null
  and ($3::text is null or c.purpose = $3 or c.purpose = '*')
returning c.id

-- name: bulk_table
create temporary table incoming (
    callee bigint, seller text, purpose text, basis text, kinds text[], granted_at timestamptz, expires_at timestamptz,
    artefact_sha256 bytea, artefact_media_type text, artefact_location text, region text, zones text[], verified boolean
) on commit drop

-- name: bulk_put
with added as (
    insert into consents (callee, seller_id, purpose, basis, kinds, granted_at, expires_at, artefact_sha256,
                          artefact_media_type, artefact_location, address_region, address_zones, address_verified, recorded_by)
    select i.callee, s.id, i.purpose, i.basis, i.kinds, i.granted_at, i.expires_at, i.artefact_sha256,
           i.artefact_media_type, i.artefact_location, i.region, i.zones, i.verified, $1
    from (select distinct * from incoming) as i join sellers s on s.code = i.seller
    where not exists (
        select from consents c
        where c.callee = i.callee and c.seller_id = s.id and c.purpose = i.purpose and c.basis = i.basis
          and c.kinds = i.kinds and c.granted_at = i.granted_at
          and c.expires_at is not distinct from i.expires_at
          and c.artefact_sha256 is not distinct from i.artefact_sha256
          and c.address_region is not distinct from i.region and c.address_zones = i.zones
          and c.address_verified = i.verified
    )
    returning 1
)
select (select count(*) from incoming) as rows, (select count(*) from added) as added
