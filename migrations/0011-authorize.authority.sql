-- The authority zone, complete: what a realm has (settings, signing keys, providers, staff, API keys, apps, batches of paper codes),
-- statistics, and what is owed to the key zone. Every row follows from events. What time erases here it erases in the log as well.

alter table realm
  -- As in the addresses of existing systems: counts from 1.
  add column number integer,
  add column settings jsonb not null default '{}';
update realm set number = numbered.n
  from (select name, row_number() over (order by ctid) as n from realm) as numbered where numbered.name = realm.name;
alter table realm alter column number set not null, add unique (number);
-- A link tells its realm by its host alone.
create unique index realm_link_domain on realm ((settings->>'linkDomain')) where settings->>'linkDomain' <> '';

-- The keys that sign a realm's certificates, and its texts; the private half is the secret `signing key <kid>`.
create table realm_key (
  kid text primary key,
  realm text not null,
  purpose text not null check (purpose in ('certificate', 'text')),
  public_key text not null,
  -- Unix seconds: published from, signs from; signs until; private half destroyed; public half no longer published.
  made_at bigint not null,
  used_from bigint not null,
  used_until bigint,
  destroyed_at bigint
);

-- The first key of a realm was named after it, and its private half is kept under the name that it had.
insert into realm_key (kid, realm, purpose, public_key, made_at, used_from)
  select kid, name, 'certificate', public_key, 0, 0 from realm;
alter table realm drop column kid, drop column public_key;

create table provider (
  realm text not null,
  name text not null,
  display_name text not null,
  state text not null check (state in ('active', 'suspended', 'closed')),
  primary key (realm, name)
);

create table staff (
  realm text not null,
  name text not null,
  display_name text not null,
  email text,
  provider text,
  roles text[] not null,
  state text not null check (state in ('active', 'suspended', 'closed')),
  daily_quota integer,
  primary key (realm, name)
);

alter table api_key
  drop constraint api_key_type_check,
  add check (type in ('device', 'admin', 'stats')),
  add column name text not null default '',
  add column provider text,
  -- Which version of the pepper its HMAC is under.
  add column pepper integer not null default 1,
  -- Unix seconds.
  add column expires_at bigint,
  add column revoked boolean not null default false,
  -- Day since the epoch.
  add column last_used_day integer,
  add column daily_quota integer;

create table mobile_app (
  realm text not null,
  name text not null,
  app jsonb not null,
  primary key (realm, name)
);

-- What certificates carry so that a provider's reports can be withdrawn: the key zone can't tell whose it is.
create table issuer_handle (
  handle text primary key check (length(handle) = 22),
  realm text not null,
  provider text not null,
  -- Of a batch of paper codes; null for all other codes of the provider.
  batch text,
  -- The event that made it: the newest one without a batch is in use.
  seq bigint not null,
  -- Day since the epoch on which it was first used.
  day integer not null
);

create table code_batch (
  -- The first group of its codes: 4 characters of Crockford's base32.
  id text primary key check (length(id) = 4),
  realm text not null,
  provider text not null,
  label text not null,
  language text not null,
  test_type text not null,
  -- Whether each code works only once the lab has activated it.
  needs_activation boolean not null,
  size integer not null,
  expires_at bigint not null,
  -- Null where it is too small for one of its own.
  handle text,
  invalidated boolean not null default false
);

alter table verification_code
  drop constraint verification_code_pkey,
  -- Of a batch, several are in one event; counts from 0.
  add column place integer not null default 0,
  add primary key (seq, place),
  alter column uuid drop not null,
  -- Null for a paper code, and once time has blanked them.
  alter column code_mac drop not null,
  alter column long_code_mac drop not null,
  alter column api_key drop not null,
  -- Which version of the pepper the HMACs are under; null once they are blanked.
  add column pepper integer,
  add column provider text,
  add column staff text,
  add column batch text,
  -- The events that activated it, claimed it last, and brought its certificate, as long as they say so.
  add column activated_seq bigint,
  add column token_seq bigint,
  add column certified_seq bigint,
  -- How long its short form lives, seconds: says when it was issued.
  add column short_life integer not null default 900,
  -- HMAC of the self-report's nonce, or of the nonce that the token was asked for with.
  add column nonce_mac bytea check (octet_length(nonce_mac) = 32),
  -- Whether it ever was swapped for a token.
  add column claimed boolean not null default false,
  add column needs_nonce boolean not null default false,
  add column handle text,
  add column invalidated boolean not null default false,
  drop constraint verification_code_check,
  drop constraint verification_code_check1,
  -- The realm is in the HMACs.
  drop constraint verification_code_realm_code_mac_key,
  drop constraint verification_code_realm_long_code_mac_key,
  add unique (code_mac),
  add unique (long_code_mac);
create index on verification_code (handle) where handle is not null;
create index on verification_code (batch) where batch is not null;
create index on verification_code (realm, provider) where provider is not null;
create index on verification_code (long_expires_at);
create index on verification_code (long_expires_at) where code_mac is not null;
create index on verification_code (token_seq) where token_seq is not null;
create index on verification_code (certified_seq) where keys_mac is not null;
-- Tokens of earlier versions end here: their phones verify the code again.
update verification_code set pepper = 1, token_id = null, token_expires_at = null, keys_mac = null;

-- Phones that reported themselves, so that they are sent no second code.
create table user_report (
  realm text not null,
  phone_mac bytea not null check (octet_length(phone_mac) = 32),
  pepper integer not null,
  -- Of the code that was sent.
  seq bigint not null,
  -- Day since the epoch from which it is forgotten.
  forget_day integer not null,
  primary key (realm, phone_mac)
);

create index on user_report (forget_day);
create index on user_report (seq);

-- Counts of a day (since the epoch, UTC). `subject` is an API key's prefix, a member of staff, an external issuer; empty for the realm.
create table authority_stat (
  realm text not null,
  day integer not null,
  kind text not null,
  subject_kind text not null,
  subject text not null,
  count bigint not null,
  primary key (realm, day, kind, subject_kind, subject)
);

-- How far what has a time of its own has been erased from the log: the number of the first event that was not looked at.
create table retention_cursor (
  kind text primary key,
  next_seq bigint not null
);

-- Signed orders to the key zone that wait for delivery.
create table withdrawal_order (
  id text primary key,
  realm text not null,
  made_at bigint not null,
  jws text not null,
  delivered boolean not null default false
);
