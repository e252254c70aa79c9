-- Who may look at reports and correct them over HTTP.

create table operator (
  -- Lower-case letters, digits and hyphens; stands in the log beside each look-up and each correction.
  name text primary key,
  -- The part of the API key that finds it.
  prefix text not null unique,
  role text not null check (role in ('look', 'correct')),
  -- HMAC-SHA256 of the whole key under a secret of this zone.
  mac bytea not null check (octet_length(mac) = 32),
  revoked boolean not null default false
);
