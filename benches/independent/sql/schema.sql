-- One row an accepted event, ordered by (occurred_at, source, id) = ord; one row a non-null property.
create table events (
  ord bigint, account varchar, "user" varchar, actor varchar, product varchar, type varchar, family varchar,
  source varchar, occurred bigint, day integer, quantity decimal(38, 6), amount hugeint, currency varchar,
  void boolean   -- usage or value of an internal actor: counts nowhere
);
create table props (ord bigint, name varchar, kind varchar, text varchar, num decimal(38, 9));
-- Due day of an invoice_issued that names one.
create table due (ord bigint, due_day integer);
-- Accounts that count together and the days left out for them, and the windows asked of them: `t` is exclusive.
create table members (set_id integer, account varchar);
create table shut (set_id integer, day integer);
create table windows (w integer, set_id integer, first integer, last integer, t bigint);
