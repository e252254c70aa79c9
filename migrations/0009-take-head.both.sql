-- Numbers for events in one round trip, for a writer that knows the head: what it sends behind this is stored only if nobody
-- else came in between.

create function take_head(expected bigint, count integer, new_grain bigint) returns void language plpgsql as $$
begin
  update log_head set next_seq = next_seq + count, grain = new_grain
    where next_seq = expected and grain <= new_grain;
  if not found then
    raise exception using errcode = 'TC002', message = 'the head has moved';
  end if;
end $$;
