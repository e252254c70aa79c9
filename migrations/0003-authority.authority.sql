-- The authority zone's tables. Every row follows from events; each table has one writer. Nothing here is a code, a token, an
-- API key, a certificate or what a certificate covers: only HMACs under the secret `pepper`, which is wrapped.

-- Tenants. Each issues certificates under a name of its own.
create table realm (
  name text primary key,
  -- `iss` and `aud` of its certificates.
  issuer text not null,
  audience text not null,
  -- Its certificates' signing key: SubjectPublicKeyInfo, PEM. The private half is the secret `certificate key <name>`.
  kid text not null unique,
  public_key text not null
);

create table api_key (
  -- The part of the key that finds it.
  prefix text primary key,
  realm text not null,
  type text not null check (type in ('device', 'admin')),
  mac bytea not null check (octet_length(mac) = 32)
);

-- A verification code, and from the moment it was claimed its token.
create table verification_code (
  -- The event that issued it.
  seq bigint primary key,
  realm text not null,
  uuid uuid not null,
  code_mac bytea not null check (octet_length(code_mac) = 32),
  long_code_mac bytea not null check (octet_length(long_code_mac) = 32),
  test_type text not null check (test_type in ('confirmed', 'likely', 'negative', 'user-report')),
  symptom_date date,
  test_date date,
  -- Unix seconds.
  expires_at bigint not null,
  long_expires_at bigint not null,
  -- Who asked for it: the prefix of an API key, and what the caller's own system says.
  api_key text not null,
  external_issuer text check (length(external_issuer) between 1 and 255),
  token_id bytea unique check (octet_length(token_id) = 16),
  -- Unix seconds.
  token_expires_at bigint,
  -- The keys that the token's certificate covers, as an HMAC of their HMAC: recognises the same request, and no other.
  keys_mac bytea check (octet_length(keys_mac) = 32),
  unique (realm, uuid),
  unique (realm, code_mac),
  unique (realm, long_code_mac),
  check ((token_id is null) = (token_expires_at is null)),
  check (keys_mac is null or token_id is not null)
);
