-- What became of reports after they were accepted: withdrawn, reinstated, amended. Marks beside the reports, each with the event
-- that made it, so that what a release was made from can be told later; no row of a report or a key is ever written again.

alter table report
  drop column withdrawn,
  -- Which API brought it; null for padding.
  add column source text;

-- In the event, in front of the name: the field, and how long the name is (RFC 8949).
update report set source = case
    when position('\x66736f757263656a7075626c6973682d7631'::bytea in e.record) > 0 then 'publish-v1'
    when position('\x66736f75726365707075626c6973682d7631616c70686131'::bytea in e.record) > 0 then 'publish-v1alpha1'
  end
  from event e where e.seq = report.seq and e.type = 'report';

-- A withdrawal names handles; reports without one are many.
create index report_issuer_handle on report (issuer_handle) where issuer_handle is not null;

alter table diagnosis_key drop column withdrawn;

-- The keys of a report; new ones come at its end.
create index diagnosis_key_seq on diagnosis_key (seq);

create index key_revision_seq on key_revision (seq);

-- A withdrawal of a report, or its end: it is withdrawn while more withdrawals hold it than have been taken back.
create table report_mark (
  report bigint not null,
  -- The event that made the mark.
  seq bigint not null,
  -- The withdrawal that is meant: the same event, or the one whose effect ends.
  withdrawal bigint not null,
  -- From when on it is to be told, unix seconds at a time grain.
  available bigint not null,
  change smallint not null check (change in (1, -1)),
  primary key (report, seq, withdrawal)
);

create index report_mark_available on report_mark (available);

-- The same for single keys, also for one that nobody has uploaded yet.
create table key_mark (
  key_data bytea not null check (octet_length(key_data) = 16),
  seq bigint not null,
  withdrawal bigint not null,
  available bigint not null,
  change smallint not null check (change in (1, -1)),
  primary key (key_data, seq, withdrawal)
);

create index key_mark_available on key_mark (available);

-- What a report says instead of what it said; the newest counts.
create table report_amendment (
  report bigint not null,
  seq bigint not null,
  available bigint not null,
  -- As in export files; null for the report's own.
  report_type smallint check (report_type between 1 and 3),
  -- The day on which symptoms began, days since the epoch; null for the report's own.
  onset_day integer,
  primary key (report, seq)
);

create index report_amendment_available on report_amendment (available);

-- Withdrawals that also hold what comes from now on. What is null does not matter.
create table standing_withdrawal (
  seq bigint primary key,
  id bytea not null unique check (octet_length(id) = 16),
  app text,
  source text,
  regions text[],
  issuer_handles bytea[],
  -- Only what is accepted from then on and before then, unix seconds.
  accepted_from bigint,
  accepted_before bigint
);

-- Who corrected what, and why.
create table correction (
  seq bigint primary key,
  -- Whoever sends the same one again gets the first one's answer.
  id bytea not null unique check (octet_length(id) = 16),
  kind text not null check (kind in ('withdrawal', 'reinstatement', 'amendment')),
  made_by text not null,
  reason text not null,
  -- `retroactive`, `from-now-on` or `both`; null for what is no withdrawal.
  scope text check (scope in ('retroactive', 'from-now-on', 'both')),
  reports integer not null,
  keys integer not null,
  published integer not null,
  padding integer not null,
  grain bigint not null
);

drop function store_reports(bigint[], bytea[], bytea[], text[], text[], boolean[], bytea[], bigint[]);

create function store_reports(
  seq bigint[], tracking_id bytea[], fingerprint bytea[], app text[], regions text[], traveler boolean[],
  issuer_handle bytea[], grain bigint[], source text[]
) returns void language plpgsql as $$
begin
  insert into report (seq, tracking_id, fingerprint, app, regions, traveler, issuer_handle, grain, source)
    select t.seq, t.tracking_id, t.fingerprint, t.app, string_to_array(t.regions, ','), t.traveler, t.issuer_handle, t.grain, t.source
    from unnest($1, $2, $3, $4, $5, $6, $7, $8, $9)
      as t(seq, tracking_id, fingerprint, app, regions, traveler, issuer_handle, grain, source);
exception when unique_violation then
  raise exception using errcode = 'TC001', message = 'a report is stored already';
end $$;
