with newest as (
  select i.w, e.account, e.ticket,
    arg_max(e.type, e.ord) filter (e.type in ('ticket_opened', 'ticket_reopened', 'ticket_resolved', 'ticket_closed')) as state,
    arg_max(e.type, e.ord) filter (e.type in ('ticket_escalated', 'ticket_deescalated')) as escalation
  from windows i join members g on g.set_id = i.set_id
  join ticket_events e on e.account = g.account and e.occurred < i.t
  group by all
)
select w, count(*) as tickets, count(*) filter (escalation = 'ticket_escalated') as escalations
from newest where state in ('ticket_opened', 'ticket_reopened') group by all
