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
create temporary table incoming_consents (
    callee bigint, seller text, purpose text, basis text, kinds text[], granted_at timestamptz, expires_at timestamptz,
    artefact_sha256 bytea, artefact_media_type text, artefact_location text, region text, zones text[], verified boolean,
    withdrawn_at timestamptz, payload text
) on commit drop

-- name: bulk_put
-- A consent that is recorded already is not doubled; that it was withdrawn is taken over, that it was not never undone.
with wanted as materialized (
    select callee, s.id as seller_id, purpose, basis, kinds, granted_at, expires_at, artefact_sha256,
           min(artefact_media_type) as artefact_media_type, min(artefact_location) as artefact_location,
           region, zones, verified, min(withdrawn_at) as withdrawn_at,
           (array_agg(payload order by withdrawn_at nulls last))[1] as payload
    from incoming_consents i join sellers s on s.code = i.seller
    group by callee, s.id, purpose, basis, kinds, granted_at, expires_at, artefact_sha256, region, zones, verified
), known as materialized (
    select w.callee, w.seller_id, w.withdrawn_at, w.payload, c.id, c.withdrawn_at as ended, w.purpose, w.basis, w.kinds,
           w.granted_at, w.expires_at, w.artefact_sha256, w.region, w.zones, w.verified
    from wanted w join consents c on
        c.callee = w.callee and c.seller_id = w.seller_id and c.purpose = w.purpose and c.basis = w.basis
        and c.kinds = w.kinds and c.granted_at = w.granted_at
        and c.expires_at is not distinct from w.expires_at
        and c.artefact_sha256 is not distinct from w.artefact_sha256
        and c.address_region is not distinct from w.region and c.address_zones = w.zones
        and c.address_verified = w.verified
), fresh as materialized (
    select nextval(pg_get_serial_sequence('consents', 'id')) as id, w.* from wanted w
    where not exists (
        select from known k
        where k.callee = w.callee and k.seller_id = w.seller_id and k.purpose = w.purpose and k.basis = w.basis
          and k.kinds = w.kinds and k.granted_at = w.granted_at
          and k.expires_at is not distinct from w.expires_at
          and k.artefact_sha256 is not distinct from w.artefact_sha256
          and k.region is not distinct from w.region and k.zones = w.zones and k.verified = w.verified
    )
), ended as (
    update consents c set withdrawn_at = k.withdrawn_at from known k
    where c.id = k.id and k.withdrawn_at is not null and c.withdrawn_at is null
    returning c.id, k.payload
), added as (
    insert into consents (id, callee, seller_id, purpose, basis, kinds, granted_at, expires_at, artefact_sha256,
                          artefact_media_type, artefact_location, address_region, address_zones, address_verified,
                          withdrawn_at, recorded_by)
    overriding system value
    select id, callee, seller_id, purpose, basis, kinds, granted_at, expires_at, artefact_sha256,
           artefact_media_type, artefact_location, region, zones, verified, withdrawn_at, $1
    from fresh
    returning 1
), entries as materialized (
    select nextval('evidence_id_seq') as entry, uuid_send(gen_random_uuid()) as salt, kind, id, payload
    from (
        select 'consent.granted' as kind, id, payload from fresh
        union all
        select 'consent.withdrawn', id, payload from ended
    ) as t
), said as (
    insert into evidence (id, at, kind, subject, commitment) overriding system value
    select entry, $2, kind, id, sha256(salt || convert_to(payload, 'UTF8')) from entries
), kept as (
    insert into evidence_payloads (entry, salt, payload) select entry, salt, payload from entries
), queued as (
    insert into unsealed select entry from entries
)
select (select count(*) from incoming_consents) as rows, (select count(*) from added) as added

-- name: bulk_lock
-- Just before the commit: a withdrawal binds every gate transaction that ends later. Nobody is called meanwhile, so an
-- importer that falls asleep here is ended.
select set_config('idle_in_transaction_session_timeout', '2000', true), pg_advisory_xact_lock(bulk_lock())
