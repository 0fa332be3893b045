-- The events a metric matches, each in every window it falls into, less the account's closed days.
create or replace temp table hits as
  select w.w, w.last, w.t, m.*
  from {matched} m
  join members g on g.account = m.account
  join windows w on w.set_id = g.set_id and m.day between w.first and w.last and m.occurred < w.t
  where not exists (select 1 from shut s where s.set_id = w.set_id and s.day = m.day);
