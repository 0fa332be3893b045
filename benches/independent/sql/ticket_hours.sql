-- Median wait of the tickets first opened in the window; one without an answer waits until t.
with opened as (
  select h.w, h.t, h.ord, h.occurred, f.account, f.ticket
  from hits h join first_openings f on f.ord = h.ord
), waits as (
  select o.w, o.ord, coalesce(min(a.occurred), any_value(o.t)) - any_value(o.occurred) as wait
  from opened o left join ticket_events a
    on a.account = o.account and a.ticket = o.ticket and a.ord > o.ord and a.occurred < o.t
    and (a.type in ('ticket_resolved', 'ticket_closed')
         or {replies} and a.type = 'ticket_replied' and a.author = 'agent' and a.visible is distinct from 'false')
  group by o.w, o.ord
)
select w, median(wait) / 3600000000.0::double as v from waits group by all
