-- Public keys of health authorities come and go: by command, and as the authority's own address (JWKS) offers them.

alter table health_authority
  -- One without regions has the region of TOCSIN_DEFAULT_REGION.
  drop constraint health_authority_regions_check,
  -- Where its public keys are fetched from.
  add column jwks_url text;

alter table health_authority_key
  -- Whether it was fetched from there; a refresh touches no other.
  add column from_jwks boolean not null default false,
  -- Null while it counts. What a command revoked no refresh brings back.
  add column revoked_by text check (revoked_by in ('command', 'refresh'));
