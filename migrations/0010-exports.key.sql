-- Streams with all that they can be told, releases that say which keys they bring, and files that leave again.

alter table stream
  -- Whose reports are published: those of a region of `input_regions` and of none of `excluded_regions`.
  add column input_regions text[] not null default '{}',
  add column excluded_regions text[] not null default '{}',
  -- What counts for reports of travelers: `regional` their regions, as for others; `include` all of them; `exclude` none.
  add column travelers text not null default 'regional' check (travelers in ('regional', 'include', 'exclude')),
  -- As in export files; all when empty.
  add column report_types smallint[] not null default '{}',
  -- A window with fewer reports waits for the next one.
  add column hold integer not null default 20 check (hold >= 0),
  -- Fewer keys than this are padded; more than `maximum` are split into several files.
  add column minimum integer not null default 1000 check (minimum >= 0),
  add column maximum integer not null default 500000 check (maximum > 0),
  -- How long files stay after their window's end, seconds.
  add column retention integer not null default 1209600 check (retention > 0),
  -- Where the last window ends, unix seconds; null without an end.
  add column through bigint;

update stream set input_regions = array[region];

alter table stream
  alter column input_regions drop default, alter column excluded_regions drop default, alter column travelers drop default,
  alter column report_types drop default, alter column hold drop default, alter column minimum drop default,
  alter column maximum drop default, alter column retention drop default;

create table stream_key (
  stream text not null,
  -- 0 for the newest.
  position smallint not null,
  key_id text not null,
  key_version text not null,
  -- SubjectPublicKeyInfo, PEM; the private half is where `key_file` says and nowhere else.
  public_key text not null,
  key_file text not null,
  -- Signs windows that end from `valid_from` on and before `valid_through`, unix seconds.
  valid_from bigint not null,
  valid_through bigint,
  primary key (stream, position)
);

insert into stream_key (stream, position, key_id, key_version, public_key, key_file, valid_from)
  select name, 0, key_id, key_version, public_key, key_file, 0 from stream;

alter table stream drop column key_id, drop column key_version, drop column public_key, drop column key_file;

-- What each configuration of a stream took: whether a release brought a key is judged by the one that it was made with.
create table stream_filter (
  configuration_seq bigint primary key,
  input_regions text[] not null,
  excluded_regions text[] not null,
  travelers text not null,
  report_types smallint[] not null
);

insert into stream_filter (configuration_seq, input_regions, excluded_regions, travelers, report_types)
  select configuration_seq, input_regions, excluded_regions, travelers, report_types from stream;

create function stream_takes(
  regions text[], traveler boolean, input_regions text[], excluded_regions text[], travelers text
) returns boolean language sql immutable parallel safe
  return (regions && input_regions or travelers = 'include' and traveler)
    and not (travelers = 'exclude' and traveler) and not regions && excluded_regions;

alter table release
  -- The event that configured the stream as it was then.
  add column configuration_seq bigint,
  -- The number of events that it was read from: what was revised before that went out in its final state.
  add column read_seq bigint not null default 0,
  -- It brings the keys from here to the window's end: earlier than the window's start after windows that were held; null
  -- when it is held itself, and brings corrections only.
  add column keys_from bigint;

-- Earlier releases took no revision into account.
update release set keys_from = window_start,
  configuration_seq = (select s.configuration_seq from stream s where s.name = release.stream);

alter table release alter column read_seq drop default, alter column configuration_seq set not null;

create index release_keys on release (stream, keys_from) where keys_from is not null;

alter table release_file
  -- When it left the index and when the store, unix seconds at a time grain.
  add column unlisted_at bigint,
  add column removed_at bigint;

create index release_file_listed on release_file (stream, number) where unlisted_at is null;
create index release_file_leaving on release_file (stream) where unlisted_at is not null and removed_at is null;
