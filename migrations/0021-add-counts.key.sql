-- What the counts of an hour are added to with, for every group of submissions: a loop over the elements takes a tenth of what
-- a query over them took.

create or replace function add_counts(counts integer[], more integer[]) returns integer[] language plpgsql immutable as $$
begin
  for n in 1 .. cardinality(counts) loop
    counts[n] := counts[n] + more[n];
  end loop;
  return counts;
end $$;
