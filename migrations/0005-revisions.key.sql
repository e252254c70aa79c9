-- What became of keys after their first upload: their status changes once at the most. The row of the first upload is
-- never written again.

create table key_revision (
  key_data bytea primary key check (octet_length(key_data) = 16),
  -- The report that changed it; its regions count for the change.
  seq bigint not null,
  -- From when on the change may be published, as for a key.
  available bigint not null,
  -- As in export files: 1 confirmed test, 2 clinical diagnosis, 3 self report, 5 revoked.
  report_type smallint not null check (report_type between 1 and 5),
  transmission_risk smallint not null check (transmission_risk between 0 and 8),
  days_since_onset smallint not null check (days_since_onset between -14 and 14)
);

create index key_revision_available on key_revision (available);

create function store_revisions(
  key_data bytea[], seq bigint[], available bigint[], transmission_risk smallint[], report_type smallint[],
  days_since_onset smallint[]
) returns void language plpgsql as $$
begin
  insert into key_revision (key_data, seq, available, transmission_risk, report_type, days_since_onset)
    select * from unnest($1, $2, $3, $4, $5, $6);
exception when unique_violation then
  raise exception using errcode = 'TC001', message = 'a key is revised already';
end $$;
