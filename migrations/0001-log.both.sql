-- The log, the same in both zones: an append-only, gapless sequence of events, and the tree over them.

create table log_head (
  one boolean primary key default true check (one),
  log_id bytea not null check (octet_length(log_id) = 16),
  -- The number that the next event gets. Locked last in a transaction, so that order of numbers is order of commits.
  next_seq bigint not null,
  -- The latest acceptance grain, in unix seconds; never goes back.
  grain bigint not null,
  -- The number of the newest event of configuration, so that every process sees a change within a second.
  configuration_seq bigint not null
);

create table event (
  seq bigint primary key,
  type text not null,
  -- The event in deterministic CBOR, parts and salts included: docs/log.md.
  record bytea not null,
  -- RFC 6962 leaf hash over the salted digests of the parts.
  leaf_hash bytea not null check (octet_length(leaf_hash) = 32)
);

-- The tree over the first `size` events, kept whenever a release was made or a segment closed.
create table checkpoint (
  size bigint primary key,
  root bytea not null check (octet_length(root) = 32),
  -- The roots of the perfect subtrees, largest first: what is needed to go on.
  frontier bytea not null
);

-- Secrets of this zone, wrapped under the master key. No events: they are backed up apart.
create table secret (
  name text not null,
  version integer not null,
  wrapped bytea not null,
  primary key (name, version)
);
