create table ticket_events as
  select e.ord, e.account, e.type, e.occurred, e.day, named.text as ticket,
         author.text as author, visible.text as visible, rated.text as rating
  from events e
  join props named on named.ord = e.ord and named.name = 'ticket_id'
  left join props author on author.ord = e.ord and author.name = 'by'
  left join props visible on visible.ord = e.ord and visible.name = 'public' and visible.kind = 'bool'
  left join props rated on rated.ord = e.ord and rated.name = 'rating'
  where e.family = 'support' and e.account is not null;

create table first_openings as
  select account, ticket, min(ord) as ord from ticket_events where type = 'ticket_opened' group by all;

create table invoice_events as
  select e.ord, e.account, e.type, e.occurred, e.day, e.amount, e.currency, i.text as invoice, d.due_day
  from events e
  join props i on i.ord = e.ord and i.name = 'invoice_id'
  left join due d on d.ord = e.ord
  where e.account is not null;

create table milestone_events as
  select e.ord, e.account, e.occurred, m.text as milestone
  from events e join props m on m.ord = e.ord and m.name = 'milestone'
  where e.type = 'milestone_reached' and e.account is not null;
