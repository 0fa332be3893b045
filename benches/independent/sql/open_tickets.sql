with newest as (
  select i.survivor, i.k, e.account, e.ticket,
    arg_max(e.type, e.ord) filter (e.type in ('ticket_opened', 'ticket_reopened', 'ticket_resolved', 'ticket_closed')) as state,
    arg_max(e.type, e.ord) filter (e.type in ('ticket_escalated', 'ticket_deescalated')) as escalation
  from instants i join members g on g.survivor = i.survivor
  join ticket_events e on e.account = g.account and e.occurred < i.t
  group by all
)
select survivor, k, count(*) as tickets, count(*) filter (escalation = 'ticket_escalated') as escalations
from newest where state in ('ticket_opened', 'ticket_reopened') group by all
