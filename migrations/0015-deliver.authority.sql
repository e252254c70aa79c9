-- What became of the orders to key servers: taken, or refused with a code.

alter table withdrawal_order
  -- Unix seconds at a time grain.
  add column delivered_at bigint,
  add column refused_at bigint,
  add column refusal text;

create index withdrawal_order_open on withdrawal_order (made_at) where not delivered;
