-- The key zone's tables. Every row follows from events; each table has one writer.

-- Health authorities whose certificates are accepted.
create table health_authority (
  -- healthAuthorityID as apps send it, in lower case.
  app text primary key,
  issuer text not null,
  audience text not null,
  regions text[] not null check (cardinality(regions) > 0),
  disabled boolean not null default false
);

create table health_authority_key (
  app text not null,
  kid text not null,
  -- SubjectPublicKeyInfo, PEM.
  public_key text not null,
  -- Unix seconds; valid from (inclusive) to through (exclusive), or without an end.
  valid_from bigint not null,
  valid_through bigint,
  primary key (app, kid)
);

-- What one accepted submission brought.
create table report (
  seq bigint primary key,
  tracking_id bytea not null check (octet_length(tracking_id) = 16),
  -- Recognises a repeated request: an HMAC under a key that only this zone has.
  fingerprint bytea not null unique check (octet_length(fingerprint) = 16),
  app text not null,
  regions text[] not null,
  traveler boolean not null,
  issuer_handle bytea check (octet_length(issuer_handle) = 16),
  -- When it was accepted, unix seconds truncated to the time grain.
  grain bigint not null,
  withdrawn boolean not null default false
);

create table diagnosis_key (
  key_data bytea primary key check (octet_length(key_data) = 16),
  -- The report that brought it.
  seq bigint not null,
  -- From when on it may be published, unix seconds at a time grain: its acceptance, or the first grain after it expired.
  available bigint not null,
  -- In intervals of 10 minutes.
  rolling_start integer not null check (rolling_start >= 0),
  rolling_period smallint not null check (rolling_period between 1 and 144),
  transmission_risk smallint not null check (transmission_risk between 0 and 8),
  -- As in export files: 1 confirmed test, 2 clinical diagnosis, 3 self report.
  report_type smallint not null check (report_type between 1 and 5),
  days_since_onset smallint not null check (days_since_onset between -14 and 14),
  padding boolean not null default false,
  withdrawn boolean not null default false
);

create index diagnosis_key_available on diagnosis_key (available);

-- Which keys are published where, how often, signed by whom.
create table stream (
  name text primary key,
  -- The event that brought this configuration.
  configuration_seq bigint not null,
  region text not null,
  -- Seconds.
  period integer not null check (period > 0),
  window_age integer not null check (window_age >= 0),
  -- The end of the window before the first one, unix seconds.
  start bigint not null,
  key_id text not null,
  key_version text not null,
  -- SubjectPublicKeyInfo, PEM; the private half is where `key_file` says and nowhere else.
  public_key text not null,
  key_file text not null
);

create table release (
  stream text not null,
  number integer not null,
  seq bigint not null unique,
  window_start bigint not null,
  window_end bigint not null,
  primary key (stream, number)
);

create table release_file (
  -- `<stream>/<start>-<end>-<nnnnn>.zip`
  path text primary key,
  stream text not null,
  number integer not null,
  size bigint not null,
  digest bytea not null check (octet_length(digest) = 32)
);

create index release_file_stream on release_file (stream, number);
