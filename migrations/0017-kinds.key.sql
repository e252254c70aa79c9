-- Streams publish one kind of key each.

alter table stream add column kind text not null default 'gaen';

-- It is always said from now on.
alter table stream alter column kind drop default;
