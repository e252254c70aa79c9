-- What the archive of this zone's log holds (docs/log.md, "Archive"). These tables stand outside the projections, as checkpoint does.

create table archive_object (
  -- SHA-256 of the stored bytes.
  digest bytea primary key check (length(digest) = 32),
  kind text not null check (kind in ('segment', 'snapshot')),
  first_seq bigint not null check (first_seq >= 0),
  -- Exclusive.
  end_seq bigint not null check (end_seq > first_seq),
  -- Digest of the segment before; of a snapshot, of the last segment that it covers.
  previous bytea check (length(previous) = 32),
  -- Of the tree over the first end_seq events.
  frontier bytea not null,
  size bigint not null,
  -- Unix seconds, truncated to the time grain.
  made_at bigint not null,
  -- When it was read back and had its name; null while it has not: what is left like that by a kill is removed by the next run.
  verified_at bigint
);

-- One chain, whoever writes it.
create unique index archive_segment on archive_object (first_seq) where kind = 'segment';
create index archive_end on archive_object (end_seq);

-- To whom new objects are encrypted when the configuration does not say it: the identity that was made with the first of them.
create table archive_recipient (
  one boolean primary key default true check (one),
  recipient text not null
);
