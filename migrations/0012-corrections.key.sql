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

-- Padding is taken along by small withdrawals.
create index report_padding on report (seq) where source is null;

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
  apps text[],
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

-- Whether a release counted a change of a key: it was in the log when the key was first published, or its window has come.
create function is_counted(seq bigint, available bigint, known bigint, due bigint) returns boolean language sql immutable parallel safe
  return seq < known or available < due;

-- Whether withdrawals hold a report.
create function report_is_held(held bigint, known bigint, due bigint) returns boolean language sql stable parallel safe
  return coalesce((select sum(m.change) > 0 from report_mark m
    where m.report = held and is_counted(m.seq, m.available, known, due)), false);

-- What is to be said of a key by the changes that count: type 5 when it is revoked or withdrawn, which no amendment ends. A withdrawal of the report that
-- only revised it takes the revision back. `revising` is the report that revised it.
create function key_state(key bytea, known bigint, due bigint)
returns table (report_type smallint, transmission_risk smallint, days_since_onset smallint, revising bigint)
language sql stable parallel safe rows 1 as $$
  select case when is_held or days not between -14 and 14 or said.report_type = 5 then 5::smallint
    else coalesce(a.report_type, said.report_type) end,
    said.transmission_risk,
    case when days between -14 and 14 then days::smallint else said.days_since_onset end, r.seq
  from diagnosis_key k
    left join key_revision r on r.key_data = k.key_data and is_counted(r.seq, r.available, known, due)
      and not report_is_held(r.seq, known, due)
    cross join lateral (select coalesce(r.seq, k.seq) as report, coalesce(r.report_type, k.report_type) as report_type,
      coalesce(r.transmission_risk, k.transmission_risk) as transmission_risk,
      coalesce(r.days_since_onset, k.days_since_onset) as days_since_onset) said
    left join lateral (select m.report_type, m.onset_day from report_amendment m
      where m.report = said.report and is_counted(m.seq, m.available, known, due) order by m.seq desc limit 1) a on true
    cross join lateral (select coalesce(k.rolling_start / 144 - a.onset_day, said.days_since_onset) as days,
      report_is_held(k.seq, known, due) or coalesce((select sum(m.change) > 0 from key_mark m
        where m.key_data = k.key_data and is_counted(m.seq, m.available, known, due)), false) as is_held) d
  where k.key_data = key
$$;

-- Keys that something became available of in a span, by the events below a number; each with a key that is judged in its place:
-- one of those that the same report brought for the same time, unless something is of the key alone.
create function changed_keys(span_from bigint, span_until bigint, below bigint)
returns table (key_data bytea, judged bytea) language sql stable parallel safe rows 1000 as $$
  select k.key_data, first_value(k.key_data) over (partition by k.seq, k.available, case
    when exists (select from key_revision r where r.key_data = k.key_data)
      or exists (select from key_mark m where m.key_data = k.key_data)
      or exists (select from report_amendment a where a.report = k.seq) then k.key_data end)
  from (
  select key_data from key_revision where available >= span_from and available < span_until and seq < below
  union
  select key_data from key_mark where available >= span_from and available < span_until and seq < below
  union
  select k.key_data from diagnosis_key k where k.seq in (
    select report from report_mark where available >= span_from and available < span_until and seq < below
    union all select report from report_amendment where available >= span_from and available < span_until and seq < below)
  union
  select r.key_data from key_revision r where r.seq in (
    select report from report_mark where available >= span_from and available < span_until and seq < below
    union all select report from report_amendment where available >= span_from and available < span_until and seq < below)
  ) changed join diagnosis_key k using (key_data)
$$;

-- When something became available of a key.
create function changes_of_key(key bytea) returns setof bigint language sql stable parallel safe rows 2 as $$
  select available from diagnosis_key where key_data = key
  union select available from key_revision where key_data = key
  union select available from key_mark where key_data = key
  union select c.available from (select seq from diagnosis_key where key_data = key
      union all select seq from key_revision where key_data = key) r
    cross join lateral (select m.available from report_mark m where m.report = r.seq
      union all select m.available from report_amendment m where m.report = r.seq) c
$$;

-- The release, of those below a number, in which a stream published a key for the first time; and whether for the report that
-- brought it, and not only for the one that revised it.
create function first_release(publisher text, below integer, key bytea)
returns table (number integer, read_seq bigint, by_report boolean) language sql stable parallel safe rows 1 as $$
  select f.number, f.read_seq,
    stream_takes(p.regions, p.traveler, taken.input_regions, taken.excluded_regions, taken.travelers)
  from diagnosis_key k join report p on p.seq = k.seq
    cross join changes_of_key(k.key_data) as c(available)
    -- A release brings the keys of less than two days: a window of a day, after a day of windows that were held.
    join release f on f.stream = publisher and f.number < below and f.window_end > c.available
      and f.keys_from <= c.available and f.keys_from > c.available - 172801
    join stream_filter taken using (configuration_seq)
    cross join lateral key_state(k.key_data, f.read_seq, 0) s
    left join report q on q.seq = s.revising
    left join key_revision r on r.key_data = k.key_data and r.seq = s.revising
  where k.key_data = key and k.available < f.window_end and s.report_type <> 5
    and (cardinality(taken.report_types) = 0 or s.report_type = any (taken.report_types))
    and case when stream_takes(p.regions, p.traveler, taken.input_regions, taken.excluded_regions, taken.travelers)
      then exists (select from release e where e.stream = publisher and e.number <= f.number and e.window_end > k.available
        and e.keys_from <= k.available and e.keys_from > k.available - 172801)
      else r.available < f.window_end
        and stream_takes(q.regions, q.traveler, taken.input_regions, taken.excluded_regions, taken.travelers) end
  order by f.number limit 1
$$;
