select i.survivor, i.k, list(distinct e.milestone) as reached
from instants i join members g on g.survivor = i.survivor
join milestone_events e on e.account = g.account and e.occurred < i.t
group by all
