with newest as (
  select h.w, h.account, t.ticket, arg_max(t.rating, t.ord) as rating
  from hits h join ticket_events t on t.ord = h.ord
  where t.type = 'ticket_rated' and t.rating in ('great', 'okay', 'bad') group by all
)
select w,
  100.0::double * (count(*) filter (rating = 'great') - count(*) filter (rating = 'bad')) / count(*) as v
from newest group by all having count(*) >= 5
