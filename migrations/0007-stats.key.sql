-- What a health authority may know of the submissions that it vouched for: counts for each hour, added to in the transaction
-- that accepts them.

create table submission_statistics (
  -- The issuer of its certificates.
  health_authority text not null,
  -- When the hour starts, unix seconds.
  hour bigint not null check (hour % 3600 = 0),
  requests_unknown integer not null,
  requests_android integer not null,
  requests_ios integer not null,
  -- Keys that were new.
  keys_published integer not null,
  requests_with_revisions integer not null,
  -- Of requests without revisions: how many named no onset; days from the oldest key to the upload, 0 to 15 and more; days from
  -- the onset to the upload, 0 to 29 and more.
  requests_missing_onset integer not null,
  oldest_key_days integer[] not null check (cardinality(oldest_key_days) = 16),
  onset_days integer[] not null check (cardinality(onset_days) = 30),
  primary key (health_authority, hour)
)
-- One row takes every submission of an hour: with room on its page a new version of it needs no entry in the index.
with (fillfactor = 50);

-- Element by element; both of the same length.
create function add_counts(counts integer[], more integer[]) returns integer[] language sql immutable as $$
  select array_agg(a + b order by n) from unnest(counts, more) with ordinality as t(a, b, n)
$$;

-- Adds what a group of submissions brings: an element for each hour of a health authority, 16 and 30 of them in the last two.
create function count_submissions(
  health_authorities text[], hours bigint[], unknown integer[], android integer[], ios integer[], keys integer[],
  revisions integer[], missing_onset integer[], oldest_keys integer[], onsets integer[]
) returns void language plpgsql as $$
begin
  insert into submission_statistics as s
    select t.health_authority, t.hour, t.unknown, t.android, t.ios, t.keys, t.revisions, t.missing_onset,
      oldest_keys[t.n * 16 - 15 : t.n * 16], onsets[t.n * 30 - 29 : t.n * 30]
    from unnest($1, $2, $3, $4, $5, $6, $7, $8) with ordinality
      as t(health_authority, hour, unknown, android, ios, keys, revisions, missing_onset, n)
  on conflict (health_authority, hour) do update set
    requests_unknown = s.requests_unknown + excluded.requests_unknown,
    requests_android = s.requests_android + excluded.requests_android,
    requests_ios = s.requests_ios + excluded.requests_ios,
    keys_published = s.keys_published + excluded.keys_published,
    requests_with_revisions = s.requests_with_revisions + excluded.requests_with_revisions,
    requests_missing_onset = s.requests_missing_onset + excluded.requests_missing_onset,
    oldest_key_days = add_counts(s.oldest_key_days, excluded.oldest_key_days),
    onset_days = add_counts(s.onset_days, excluded.onset_days);
end $$;
