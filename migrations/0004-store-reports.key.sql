-- Storing what submissions bring. A report or a key that is there already ends the transaction without being named: the
-- server's own sentence would write it into the server's log.

create function store_reports(
  seq bigint[], tracking_id bytea[], fingerprint bytea[], app text[], regions text[], traveler boolean[],
  issuer_handle bytea[], grain bigint[]
) returns void language plpgsql as $$
begin
  insert into report (seq, tracking_id, fingerprint, app, regions, traveler, issuer_handle, grain)
    select t.seq, t.tracking_id, t.fingerprint, t.app, string_to_array(t.regions, ','), t.traveler, t.issuer_handle, t.grain
    from unnest($1, $2, $3, $4, $5, $6, $7, $8)
      as t(seq, tracking_id, fingerprint, app, regions, traveler, issuer_handle, grain);
exception when unique_violation then
  raise exception using errcode = 'TC001', message = 'a report is stored already';
end $$;

create function store_keys(
  key_data bytea[], seq bigint[], available bigint[], rolling_start integer[], rolling_period smallint[],
  transmission_risk smallint[], report_type smallint[], days_since_onset smallint[]
) returns void language plpgsql as $$
begin
  insert into diagnosis_key
    (key_data, seq, available, rolling_start, rolling_period, transmission_risk, report_type, days_since_onset)
    select * from unnest($1, $2, $3, $4, $5, $6, $7, $8);
exception when unique_violation then
  raise exception using errcode = 'TC001', message = 'a key is stored already';
end $$;
