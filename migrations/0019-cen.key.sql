-- Reports of other kinds than diagnosis keys, and of them those of contact event numbers.

-- How many identifiers a report of another kind brought; null for one of diagnosis keys.
alter table report add column identifiers integer check (identifiers > 0);

-- As store_reports, for the reports of other kinds.
create function store_other_reports(
  seq bigint[], tracking_id bytea[], fingerprint bytea[], app text[], regions text[], traveler boolean[],
  issuer_handle bytea[], grain bigint[], source text[], identifiers integer[]
) returns void language plpgsql as $$
begin
  insert into report (seq, tracking_id, fingerprint, app, regions, traveler, issuer_handle, grain, source, identifiers)
    select t.seq, t.tracking_id, t.fingerprint, t.app, string_to_array(t.regions, ','), t.traveler, t.issuer_handle, t.grain, t.source, t.identifiers
    from unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
      as t(seq, tracking_id, fingerprint, app, regions, traveler, issuer_handle, grain, source, identifiers);
exception when unique_violation then
  raise exception using errcode = 'TC001', message = 'a report is stored already';
end $$;

-- Reports of contact event numbers. The numbers lie packed in the log, apart from their event; here is what a release asks for.
create table cen_report (
  -- The report that brought them, with which the row leaves.
  seq bigint primary key references report on delete cascade deferrable initially deferred,
  -- From when on they may be published: its acceptance, unix seconds at a time grain.
  available bigint not null,
  -- How many numbers it has.
  count integer not null check (count between 1 and 20000),
  -- A geohash of low resolution; null for none.
  cell text check (cell ~ '^[0-9b-hjkmnp-z]{1,4}$'),
  -- Why it was let in; streams tell them apart.
  trust text not null check (trust in ('verified', 'located', 'trusted', 'shared'))
);

create index cen_report_available on cen_report (available);
