select i.w, list(distinct e.milestone) as reached
from windows i join members g on g.set_id = i.set_id
join milestone_events e on e.account = g.account and e.occurred < i.t
group by all
