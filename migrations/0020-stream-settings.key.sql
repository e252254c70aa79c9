-- What a kind of key lets its streams be told beyond what all can, and whether its keys are diagnosis keys: what is asked of such a key concerns no
-- other streams, which have no row in stream_filter.

alter table stream
  add column settings jsonb not null default '{}',
  add column diagnosis_keys boolean not null default true;

-- It is always said from now on.
alter table stream alter column settings drop default, alter column diagnosis_keys drop default;
