-- How far what has a time of its own has been erased from the log: the number of the first event that was not looked at.
create table retention_cursor (
  kind text primary key,
  next_seq bigint not null
);

-- What follows from an event leaves with it; the oldest lie together.
create index report_mark_seq on report_mark (seq);

create index key_mark_seq on key_mark (seq);

create index report_amendment_seq on report_amendment (seq);
