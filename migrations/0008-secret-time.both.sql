-- When a version of a secret was made: versions are replaced and destroyed by their age.

-- Unix seconds, truncated to a day; null for a secret that is made once and stays.
alter table secret add column made bigint check (made % 86400 = 0);
