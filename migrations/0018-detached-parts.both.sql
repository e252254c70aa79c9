-- The contents of parts that are kept apart from their events (docs/log.md, "Detached parts"): large, random, and forgotten a day at a time.

create table event_content (
  seq bigint not null,
  -- Which part of the event, from 0.
  part smallint not null,
  -- The day of acceptance, UTC, counted from the epoch, modulo 32: a day that is over leaves with its slot.
  slot smallint not null,
  salt bytea not null check (octet_length(salt) = 16),
  content bytea not null,
  primary key (seq, part, slot)
) partition by list (slot);

-- Random bytes: to try and compress them costs time, and saves nothing.
alter table event_content alter column content set storage external;

-- The log is the same in both zones, and so is this table; but only events of the key zone have such parts, so only there it has slots.
do $$ begin
  if current_schema() = 'key_zone' then
    for slot in 0..31 loop
      execute format('create table event_content_%s partition of event_content for values in (%s)', to_char(slot, 'FM00'), slot);
    end loop;
  end if;
end $$;

-- Forgets what a slot holds of events below a number, and says how many contents that were. A slot that holds nothing else is truncated, which
-- takes the owner's right; in one that also holds younger ones (a clock leapt, or nobody erased for ten days) rows are deleted.
create function forget_slot(slot integer, below bigint) returns bigint
  language plpgsql security definer set search_path from current set lock_timeout = '2s' as $$
declare
  -- With its schema: whoever calls could have a temporary table of the same name.
  slot_table text := format('%I.event_content_%s', current_schema(), to_char(slot, 'FM00'));
  older bigint;
  newest bigint;
begin
  execute format('select count(*) filter (where seq < $1), max(seq) from %s', slot_table) into older, newest using below;
  if older = 0 then return 0; end if;
  if newest < below then
    -- Before it is looked at again: nothing may come in between.
    execute format('lock table %s in access exclusive mode', slot_table);
    execute format('select count(*) filter (where seq < $1), max(seq) from %s', slot_table) into older, newest using below;
    if newest < below then
      execute format('truncate table %s', slot_table);
      return older;
    end if;
  end if;
  execute format('delete from %s where seq < $1', slot_table) using below;
  get diagnostics older = row_count;
  return older;
end $$;
